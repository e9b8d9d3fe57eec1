using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Trust;

namespace Assay.Tests.Trust.Revocation;

/// <summary>A key with its certificate, which can issue others and sign answers and lists. P-384 and SHA-384, as NVIDIA's.</summary>
internal sealed class Identity
{
    public static readonly DateTimeOffset Begin = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly DateTimeOffset End = new(2035, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static byte s_serial;

    private Identity(ECDsa key, Certificate certificate)
    {
        Key = key;
        Certificate = certificate;
    }

    public ECDsa Key { get; }

    public Certificate Certificate { get; }

    public static X509Extension OcspSigning => new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.9")], critical: false);

    public static X509Extension NoCheck => new(new Oid("1.3.6.1.5.5.7.48.1.5"), [0x05, 0x00], critical: false);

    public static X509Extension Signs => new X509KeyUsageExtension(X509KeyUsageFlags.DigitalSignature, critical: true);

    public static X509Extension Authority => new X509BasicConstraintsExtension(true, false, 0, critical: true);

    public static X509Extension SignsCertificatesAndLists => new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign, critical: true);

    public static X509Extension Marker => new(new Oid("2.999.11.1"), [0x05, 0x00], critical: false);

    public static X509Extension CriticalMarker => new(new Oid("2.25.118936254183907542186053920184736452871"), [0x05, 0x00], critical: true);

    /// <summary>A self-signed CA.</summary>
    public static Identity Root(string name, params X509Extension[] extensions)
    {
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        return Make(name, key, key, new X500DistinguishedName($"CN={name}"), null, Begin, End, extensions is [] ? [Authority, SignsCertificatesAndLists] : extensions);
    }

    /// <summary>A certificate of this CA with its authorityKeyIdentifier.</summary>
    public Identity Issue(string name, params X509Extension[] extensions) => Issue(name, Begin, End, extensions);

    public Identity Issue(string name, DateTimeOffset begin, DateTimeOffset end, params X509Extension[] extensions)
    {
        var authority = X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(Certificate.Extensions.SubjectKeyIdentifier!);
        return IssueBare(name, begin, end, [.. extensions, authority]);
    }

    /// <summary>A certificate of this CA with these extensions and subjectKeyIdentifier alone.</summary>
    public Identity IssueBare(string name, DateTimeOffset begin, DateTimeOffset end, params X509Extension[] extensions) =>
        Make(name, ECDsa.Create(ECCurve.NamedCurves.nistP384), Key, new X500DistinguishedName(Certificate.Subject.Der.ToArray()), Certificate, begin, end, extensions);

    public byte[] Sign(byte[] content) => Key.SignData(content, HashAlgorithmName.SHA384, DSASignatureFormat.Rfc3279DerSequence);

    private static Identity Make(string name, ECDsa key, ECDsa signer, X500DistinguishedName issuer, Certificate? parent, DateTimeOffset begin, DateTimeOffset end, X509Extension[] extensions)
    {
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA384);
        foreach (var extension in extensions)
        {
            request.CertificateExtensions.Add(extension);
        }

        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        // The serial number's high bit is set, so that DER writes a leading zero.
        byte[] serial = [0x9A, parent is null ? (byte)0 : (byte)1, ++s_serial];
        using var made = request.Create(issuer, X509SignatureGenerator.CreateForECDsa(signer), begin, end, serial);
        Assert.True(Certificate.TryParse(made.RawData, out var certificate, out var fault), fault?.ToString());
        return new Identity(key, certificate!);
    }
}

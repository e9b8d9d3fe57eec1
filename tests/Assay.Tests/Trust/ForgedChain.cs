using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Assay.Trust;

namespace Assay.Tests.Trust;

/// <summary>
/// A device chain of five (root, two CAs, device, leaf) with one defect at a time. The device's certificate is a CA, as NVIDIA's are.
/// </summary>
internal sealed class ForgedChain(string leaf = "Forged Leaf", string device = "Forged Device")
{
    public static readonly DateTimeOffset Begin = new(2025, 1, 1, 0, 0, 0, TimeSpan.Zero);
    public static readonly DateTimeOffset End = new(2035, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly string[] _names = [leaf, device, "Forged Provisioner", "Forged Identity", "Forged Root"];
    private static int s_serial = 16;

    private readonly ECDsa[] _keys = [.. Enumerable.Range(0, 5).Select(_ => ECDsa.Create(ECCurve.NamedCurves.nistP384))];

    public enum Defect
    {
        None, NotAuthority, NoBasicConstraints, NoKeyCertSign, PathLengthZero, UnknownCriticalExtension, ExtendedKeyUsage, WrongIssuerName,
        OtherIssuerCase, WrongAuthorityKey, SignedByAnotherKey, Sha256, LeafIsAuthority, LeafWithoutDigitalSignature,
    }

    /// <summary>Leaf first, root last.</summary>
    /// <param name="defect">What is wrong.</param>
    /// <param name="at">With which certificate, 0 the leaf.</param>
    public ImmutableArray<X509Certificate2> Issue(Defect defect = Defect.None, int at = -1)
    {
        var chain = new X509Certificate2[5];
        for (var index = 4; index >= 0; index--)
        {
            chain[index] = Make(index, index == at ? defect : Defect.None, index == 4 ? null : chain[index + 1]);
        }

        return [.. chain];
    }

    /// <summary>A root of the same name with another key.</summary>
    public static X509Certificate2 FalseRoot() => new ForgedChain().Issue()[4];

    public static TrustSet Trusting(X509Certificate2 root)
    {
        var other = new ForgedChain().Issue()[4];
        var json = JsonSerializer.SerializeToUtf8Bytes(new { version = 1, kind = "custom", name = "forged", device = new[] { Pem(root) }, rim = new[] { Pem(other) } });
        Assert.True(TrustSet.TryParse(json, out var set, out var fault), fault?.ToString());
        return set;
    }

    public static string Pem(X509Certificate2 certificate) => certificate.ExportCertificatePem() + "\n";

    public static byte[] Pem(IEnumerable<X509Certificate2> chain) => Encoding.ASCII.GetBytes(string.Concat(chain.Select(Pem)));

    private X509Certificate2 Make(int index, Defect defect, X509Certificate2? issuer)
    {
        var hash = defect is Defect.Sha256 ? HashAlgorithmName.SHA256 : HashAlgorithmName.SHA384;
        var request = new CertificateRequest($"CN={_names[index]}", _keys[index], hash);
        var extensions = request.CertificateExtensions;
        var authority = index > 0 ? defect is not Defect.NotAuthority : defect is Defect.LeafIsAuthority;
        if (defect is not Defect.NoBasicConstraints)
        {
            extensions.Add(new X509BasicConstraintsExtension(authority, defect is Defect.PathLengthZero, 0, critical: true));
        }

        var usage = index == 0 && defect is not (Defect.LeafWithoutDigitalSignature or Defect.LeafIsAuthority) ? X509KeyUsageFlags.DigitalSignature
            : defect is Defect.LeafIsAuthority ? X509KeyUsageFlags.DigitalSignature | X509KeyUsageFlags.KeyCertSign
            : defect is Defect.NoKeyCertSign or Defect.LeafWithoutDigitalSignature ? X509KeyUsageFlags.CrlSign : X509KeyUsageFlags.KeyCertSign;
        extensions.Add(new X509KeyUsageExtension(usage, critical: true));
        extensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        if (issuer is not null)
        {
            var above = issuer.Extensions.OfType<X509SubjectKeyIdentifierExtension>().Single().SubjectKeyIdentifierBytes.ToArray();
            above[0] ^= defect is Defect.WrongAuthorityKey ? (byte)1 : (byte)0;
            extensions.Add(X509AuthorityKeyIdentifierExtension.CreateFromSubjectKeyIdentifier(above));
        }

        if (defect is Defect.UnknownCriticalExtension)
        {
            extensions.Add(new X509Extension(new Oid("1.3.6.1.4.1.99999.1"), [0x05, 0x00], critical: true));
        }

        if (defect is Defect.ExtendedKeyUsage)
        {
            extensions.Add(new X509EnhancedKeyUsageExtension([new Oid("1.3.6.1.5.5.7.3.9")], critical: false));
        }

        var signer = issuer is null ? _keys[index] : _keys[index + 1];
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        signer = defect is Defect.SignedByAnotherKey ? stranger : signer;
        var name = issuer?.SubjectName ?? request.SubjectName;
        name = defect switch
        {
            Defect.WrongIssuerName => new X500DistinguishedName("CN=Somebody Else"),
            Defect.OtherIssuerCase => new X500DistinguishedName(name.Name.Replace("Forged", "FORGED", StringComparison.Ordinal)),
            _ => name,
        };
        return request.Create(name, new Generator(signer, hash), Begin, End, Serial());
    }

    private static byte[] Serial()
    {
        var number = Interlocked.Increment(ref s_serial);
        return [0x41, (byte)(number >> 8 & 0xFF), (byte)(number & 0xFF)];
    }

    /// <summary>Signs with the hash that is asked for, and says so.</summary>
    private sealed class Generator(ECDsa key, HashAlgorithmName hash) : X509SignatureGenerator
    {
        private readonly X509SignatureGenerator _inner = CreateForECDsa(key);

        public override byte[] GetSignatureAlgorithmIdentifier(HashAlgorithmName hashAlgorithm) => _inner.GetSignatureAlgorithmIdentifier(hash);

        public override byte[] SignData(byte[] data, HashAlgorithmName hashAlgorithm) => _inner.SignData(data, hash);

        protected override PublicKey BuildPublicKey() => _inner.PublicKey;
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Security.Cryptography;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>
/// An X.509 v3 certificate (RFC 5280 §4.1), read strictly from DER: complete, immutable, and believed by nobody yet.
/// </summary>
public sealed class Certificate
{
    private const int Version3 = 2;
    private const int LargestSerialNumber = 20;

    private readonly byte[] _raw;
    private readonly Range _tbs;
    private readonly byte[] _signature;
    private readonly Lazy<Digest> _keyIdentity;

    private Certificate(byte[] raw, Fields fields)
    {
        _raw = raw;
        _tbs = fields.Tbs;
        _signature = fields.Signature;
        Fingerprint = Digest.Sha256(raw);
        SerialNumber = fields.SerialNumber;
        Issuer = fields.Issuer;
        Subject = fields.Subject;
        NotBefore = fields.NotBefore;
        NotAfter = fields.NotAfter;
        SubjectPublicKeyInfo = fields.SubjectPublicKeyInfo;
        PublicKeyBits = fields.PublicKeyBits;
        SignatureAlgorithm = fields.Algorithm;
        Extensions = fields.Extensions;
        Key = VerificationKey.FromCertificate(raw, fields.SubjectPublicKeyInfo);
        _keyIdentity = new Lazy<Digest>(() => Digest.Sha384(fields.SubjectPublicKeyInfo));
    }

    /// <summary>The whole certificate in DER.</summary>
    public ReadOnlyMemory<byte> Raw => _raw;

    /// <summary>SHA-256 of the DER.</summary>
    public Digest Fingerprint { get; }

    /// <summary>serialNumber: the INTEGER's content octets, big-endian.</summary>
    public ReadOnlyMemory<byte> SerialNumber { get; }

    /// <summary>serialNumber as an unsigned decimal, the form that NVIDIA's <c>ueid</c> claim has.</summary>
    public string SerialNumberDecimal => new BigInteger(SerialNumber.Span, isUnsigned: true, isBigEndian: true).ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Who signed it, by its own account.</summary>
    public DistinguishedName Issuer { get; }

    /// <summary>Whom it names.</summary>
    public DistinguishedName Subject { get; }

    /// <summary>First second of validity, UTC.</summary>
    public DateTimeOffset NotBefore { get; }

    /// <summary>Last second of validity, UTC; year 9999 for "never ends" (RFC 5280 §4.1.2.5).</summary>
    public DateTimeOffset NotAfter { get; }

    /// <summary>The DER of SubjectPublicKeyInfo.</summary>
    public ReadOnlyMemory<byte> SubjectPublicKeyInfo { get; }

    /// <summary>SHA-384 of SubjectPublicKeyInfo: what S-11 calls the identity of a device when this is chain[1].</summary>
    public Digest KeyIdentity => _keyIdentity.Value;

    /// <summary>The algorithm of the issuer's signature.</summary>
    public SignatureAlgorithm SignatureAlgorithm { get; }

    /// <summary>Decoded keyUsage; null when the extension is absent.</summary>
    public KeyUsage? KeyUsage => Extensions.KeyUsage;

    /// <summary>Decoded basicConstraints; null when the extension is absent.</summary>
    public BasicConstraints? BasicConstraints => Extensions.BasicConstraints;

    /// <summary>Every extension in the order of the certificate, known or not.</summary>
    public ImmutableArray<ExtensionText> ExtensionTexts =>
        [.. Extensions.All.Select(extension => new ExtensionText(ExtensionName.Of(extension.Oid), extension.Critical, extension.Value))];

    internal ReadOnlyMemory<byte> PublicKeyBits { get; }

    internal CertificateExtensions Extensions { get; }

    internal VerificationKey Key { get; }

    /// <summary>Reads one certificate. Trailing bytes are a fault.</summary>
    public static bool TryParse(ReadOnlySpan<byte> der, [NotNullWhen(true)] out Certificate? certificate, [NotNullWhen(false)] out ParseFault? fault)
    {
        certificate = null;
        fault = der.Length > Limits.CertificateBytes ? new ParseFault("Certificate", 0, $"larger than {Limits.CertificateBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        var faults = new DerFaults();
        var reader = new DerReader(der, faults);
        var fields = ReadCertificate(ref reader);
        fault = faults.First;
        if (fault is null && fields is not null)
        {
            certificate = new Certificate(der.ToArray(), fields);
            return true;
        }

        fault ??= new ParseFault("Certificate", 0, "unreadable");
        return false;
    }

    /// <summary>The firmware identifier of a device's leaf, or why there is none.</summary>
    public bool TryReadFwid(out Digest fwid, [NotNullWhen(false)] out string? whyNot) => Fwid.TryRead(this, out fwid, out whyNot);

    /// <summary>Whether the issuer's key made this certificate's signature. Names are the caller's to compare.</summary>
    internal bool IsSignedBy(VerificationKey issuer, OperationMeter meter) =>
        issuer.Verifies(_raw.AsSpan(_tbs), _signature, SignatureAlgorithm, DSASignatureFormat.Rfc3279DerSequence, meter);

    private static Fields? ReadCertificate(ref DerReader reader)
    {
        var certificate = reader.Sequence("Certificate");
        var start = certificate.Position;
        var tbs = certificate.Element(DerTag.Sequence, "tbsCertificate");
        var fields = ReadTbs(tbs, start, ref certificate);
        var algorithm = ReadAlgorithm(ref certificate, "signatureAlgorithm");
        var signature = certificate.WholeBitString("signatureValue").ToArray();
        certificate.End("Certificate");
        reader.End("Certificate");
        certificate.Require(fields is null || fields.Algorithm == algorithm, "signatureAlgorithm", "differs from tbsCertificate.signature");
        return fields is null ? null : fields with { Tbs = start..(start + tbs.Length), Signature = signature };
    }

    private static Fields? ReadTbs(ReadOnlySpan<byte> tbs, int start, ref DerReader outer)
    {
        var faults = new DerFaults();
        var whole = new DerReader(tbs, faults);
        var body = whole.Sequence("tbsCertificate");
        var version = body.Nested(DerTag.ContextConstructed(0), "version");
        version.Require(version.SmallInteger("version") == Version3, "version", "not v3");
        version.End("version");
        var serialNumber = body.Integer("serialNumber");
        body.Require(serialNumber.Length <= LargestSerialNumber + 1 && serialNumber is [< 0x80, ..], "serialNumber", "negative or longer than 20 octets");
        var algorithm = ReadAlgorithm(ref body, "signature");
        var issuer = DistinguishedName.Read(ref body, "issuer");
        var validity = body.Sequence("validity");
        var notBefore = X509Time.Read(ref validity, "notBefore");
        var notAfter = X509Time.Read(ref validity, "notAfter");
        validity.Require(notBefore <= notAfter, "validity", "ends before it begins");
        validity.End("validity");
        var subject = DistinguishedName.Read(ref body, "subject");
        var keyInfo = body.Element(DerTag.Sequence, "subjectPublicKeyInfo");
        var keyBits = ReadPublicKeyBits(keyInfo, ref body);
        var wrapped = body.Nested(DerTag.ContextConstructed(3), "extensions");
        var extensions = CertificateExtensions.Read(ref wrapped);
        wrapped.End("extensions");
        body.End("tbsCertificate");

        if (faults.First is { } fault)
        {
            outer.Require(false, fault.Field, $"{fault.Problem} (at byte {start + fault.Offset})");
            return null;
        }

        return new Fields
        {
            SerialNumber = serialNumber is [0, _, ..] ? serialNumber[1..].ToArray() : serialNumber.ToArray(),
            Algorithm = algorithm,
            Issuer = issuer!,
            Subject = subject!,
            NotBefore = notBefore,
            NotAfter = notAfter,
            SubjectPublicKeyInfo = keyInfo.ToArray(),
            PublicKeyBits = keyBits,
            Extensions = extensions,
        };
    }

    private static byte[] ReadPublicKeyBits(ReadOnlySpan<byte> keyInfo, ref DerReader outer)
    {
        var faults = new DerFaults();
        var reader = new DerReader(keyInfo, faults);
        var info = reader.Sequence("subjectPublicKeyInfo");
        var algorithm = info.Sequence("algorithm");
        algorithm.Oid("algorithm");
        algorithm.AnyElement("parameters");
        algorithm.End("algorithm");
        var bits = info.WholeBitString("subjectPublicKey").ToArray();
        info.End("subjectPublicKeyInfo");
        outer.Require(faults.First is null, faults.First?.Field ?? "subjectPublicKeyInfo", faults.First?.Problem ?? "");
        return bits;
    }

    /// <summary>AlgorithmIdentifier of a signature: ECDSA has no parameters (RFC 5758 §3.2), RSASSA-PSS one set of them.</summary>
    internal static SignatureAlgorithm ReadAlgorithm(ref DerReader outer, string field)
    {
        var start = outer;
        var identifier = outer.Sequence(field);
        var oid = identifier.Oid(field);
        if (oid.SequenceEqual(Oids.RsaPss))
        {
            return ReadPss(ref start, field);
        }

        identifier.End(field);
        var algorithm = oid.SequenceEqual(Oids.EcdsaWithSha384) ? SignatureAlgorithm.EcdsaSha384
            : oid.SequenceEqual(Oids.EcdsaWithSha256) ? SignatureAlgorithm.EcdsaSha256
            : SignatureAlgorithm.None;
        outer.Require(algorithm is not SignatureAlgorithm.None, field, "not ecdsa-with-SHA384, ecdsa-with-SHA256 or RSASSA-PSS");
        return algorithm;
    }

    // Compared whole with the two spellings that AMD's certificates have, so that no parameter is left to choose.
    private static SignatureAlgorithm ReadPss(ref DerReader identifier, string field)
    {
        var whole = identifier.Element(DerTag.Sequence, field);
        var known = whole.SequenceEqual(PssIdentifier) || (AcceptWrittenPssTrailer && whole.SequenceEqual(PssIdentifierWithTrailer));
        identifier.Require(known, field, "RSASSA-PSS with other parameters than SHA-384, MGF1 with SHA-384 and a salt of 48 bytes");
        return known ? SignatureAlgorithm.RsaPssSha384 : SignatureAlgorithm.None;
    }

    /// <summary>
    /// Leniency: DER leaves out the default trailerField 1, yet AMD's roots and most of its VCEKs write it. The field stands inside what is
    /// signed and beside it, and both must be equal, so nobody can turn one spelling into the other.
    /// </summary>
    private const bool AcceptWrittenPssTrailer = true;

    private static ReadOnlySpan<byte> PssIdentifier =>
    [
        0x30, 0x41, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A, 0x30, 0x34,
        0xA0, 0x0F, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
        0xA1, 0x1C, 0x30, 0x1A, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08,
        0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
        0xA2, 0x03, 0x02, 0x01, 0x30,
    ];

    private static ReadOnlySpan<byte> PssIdentifierWithTrailer =>
    [
        0x30, 0x46, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x0A, 0x30, 0x39,
        0xA0, 0x0F, 0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
        0xA1, 0x1C, 0x30, 0x1A, 0x06, 0x09, 0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x08,
        0x30, 0x0D, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00,
        0xA2, 0x03, 0x02, 0x01, 0x30, 0xA3, 0x03, 0x02, 0x01, 0x01,
    ];

    private sealed record Fields
    {
        public Range Tbs { get; init; }
        public byte[] Signature { get; init; } = [];
        public required byte[] SerialNumber { get; init; }
        public required SignatureAlgorithm Algorithm { get; init; }
        public required DistinguishedName Issuer { get; init; }
        public required DistinguishedName Subject { get; init; }
        public required DateTimeOffset NotBefore { get; init; }
        public required DateTimeOffset NotAfter { get; init; }
        public required byte[] SubjectPublicKeyInfo { get; init; }
        public required byte[] PublicKeyBits { get; init; }
        public required CertificateExtensions Extensions { get; init; }
    }
}

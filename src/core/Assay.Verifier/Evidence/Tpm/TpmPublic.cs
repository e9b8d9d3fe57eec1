using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Tpm;

/// <summary>Kinds of key that are read here (TPMI_ALG_PUBLIC).</summary>
internal enum TpmKeyType
{
    /// <summary>Not told.</summary>
    None = 0,

    /// <summary>TPM_ALG_RSA.</summary>
    Rsa = 0x0001,

    /// <summary>TPM_ALG_ECC.</summary>
    Ecc = 0x0023,
}

/// <summary>
/// The public area of a TPM key, TPMT_PUBLIC (TPM 2.0 Library, Part 2 §12.2.4), big-endian.
/// <code>
/// type 2 · nameAlg 2 · objectAttributes 4 · authPolicy 2B · symmetric · scheme
/// RSA: · keyBits 2 · exponent 4 (0 is 65537) · modulus 2B        ECC: · curveID 2 · kdf · x 2B · y 2B
/// </code>
/// </summary>
internal sealed class TpmPublic
{
    internal const ushort Null = 0x0010;
    private const ushort Rsaes = 0x0015;
    private const ushort Ecdaa = 0x001A;
    private const ushort Aes = 0x0006;
    private const uint DefaultExponent = 65537;

    private readonly byte[] _bytes;

    private TpmPublic(byte[] bytes) => _bytes = bytes;

    /// <summary>The whole TPMT_PUBLIC, of which <see cref="Name"/> is the digest.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes;

    /// <summary>RSA or ECC.</summary>
    public required TpmKeyType Type { get; init; }

    /// <summary>The hash of the name, and of everything that the key protects.</summary>
    public required TcgHash NameAlgorithm { get; init; }

    /// <summary>What the key may do.</summary>
    public required TpmKeyAttributes Attributes { get; init; }

    /// <summary>The digest of the policy that authorises its use; empty without one.</summary>
    public required ReadOnlyMemory<byte> AuthPolicy { get; init; }

    /// <summary>Key bits of AES in CFB mode, which a storage key has; 0 without one.</summary>
    public required int SymmetricKeyBits { get; init; }

    /// <summary>The one scheme that the key signs with; TPM_ALG_NULL when its user chooses.</summary>
    public required TpmScheme Scheme { get; init; }

    /// <summary>Bits of an RSA modulus; 0 for ECC.</summary>
    public int RsaKeyBits { get; init; }

    /// <summary>The RSA exponent, the default written out; 0 for ECC.</summary>
    public uint Exponent { get; init; }

    /// <summary>TPM_ECC_CURVE: 3 is P-256, 4 is P-384; 0 for RSA.</summary>
    public ushort Curve { get; init; }

    /// <summary>RSA: the modulus. ECC: X. Big-endian.</summary>
    public required ReadOnlyMemory<byte> First { get; init; }

    /// <summary>ECC: Y, big-endian; empty for RSA.</summary>
    public ReadOnlyMemory<byte> Second { get; init; }

    /// <summary>The object's name: the number of its hash and the digest of <see cref="Bytes"/> (Part 1 §16).</summary>
    public byte[] Name => [(byte)((ushort)NameAlgorithm >> 8), (byte)((ushort)NameAlgorithm & 0xFF), .. NameAlgorithm.Of(_bytes).Bytes];

    /// <summary>Reads a bare TPMT_PUBLIC of an RSA or ECC key; every byte must have its place.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out TpmPublic? key, [NotNullWhen(false)] out ParseFault? fault)
    {
        key = null;
        fault = source.Length > Limits.TpmPublicBytes ? new ParseFault("TPMT_PUBLIC", 0, $"larger than {Limits.TpmPublicBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        var wire = new BigEndianReader(source);
        key = Read(source, ref wire);
        fault = wire.Fault;
        key = fault is null ? key : null;
        return key is not null;
    }

    /// <summary>Reads a TPM2B_PUBLIC: a 16-bit length, then the TPMT_PUBLIC. The form of <c>tpm2_createek -u</c>.</summary>
    public static bool TryParseSized(ReadOnlySpan<byte> source, [NotNullWhen(true)] out TpmPublic? key, [NotNullWhen(false)] out ParseFault? fault)
    {
        key = null;
        var wire = new BigEndianReader(source);
        var body = wire.Sized("TPM2B_PUBLIC");
        wire.End("TPM2B_PUBLIC");
        fault = wire.Fault;
        return fault is null && TryParse(body, out key, out fault);
    }

    /// <summary>The qualified name of a key directly under a hierarchy, and of one below a key with that qualified name (Part 1 §16.3).</summary>
    internal byte[] QualifiedName(ReadOnlySpan<byte> parent) =>
        [(byte)((ushort)NameAlgorithm >> 8), (byte)((ushort)NameAlgorithm & 0xFF), .. NameAlgorithm.Of([.. parent, .. Name]).Bytes];

    private static TpmPublic Read(ReadOnlySpan<byte> source, ref BigEndianReader wire)
    {
        var type = (TpmKeyType)wire.U16("type");
        wire.Require(type is TpmKeyType.Rsa or TpmKeyType.Ecc, "type", "neither TPM_ALG_RSA (0001) nor TPM_ALG_ECC (0023)");
        var name = (TcgHash)wire.U16("nameAlg");
        wire.Require(name.IsStrong, "nameAlg", "not SHA-256, SHA-384 or SHA-512");
        var attributes = new TpmKeyAttributes(wire.U32("objectAttributes"));
        wire.Require(!attributes.HasReserved, "objectAttributes", "a reserved bit is set");
        var policy = wire.Sized("authPolicy").ToArray();
        wire.Require(policy.Length == 0 || policy.Length == name.Size, "authPolicy", "no digest of the name's hash");
        var symmetric = ReadSymmetric(ref wire);
        var scheme = ReadScheme(ref wire, "scheme");
        if (type is TpmKeyType.Rsa)
        {
            var bits = wire.U16("keyBits");
            wire.Require(bits is 2048 or 3072 or 4096, "keyBits", "2048, 3072 or 4096 is expected");
            var exponent = wire.U32("exponent");
            var modulus = wire.Sized("unique.rsa").ToArray();
            wire.Require(modulus.Length == bits / 8 && modulus is [>= 0x80, ..], "unique.rsa", "not a modulus of keyBits");
            wire.End("TPMT_PUBLIC");
            return new TpmPublic(source.ToArray())
            {
                Type = type,
                NameAlgorithm = name,
                Attributes = attributes,
                AuthPolicy = policy,
                SymmetricKeyBits = symmetric,
                Scheme = scheme,
                RsaKeyBits = bits,
                Exponent = exponent == 0 ? DefaultExponent : exponent,
                First = modulus,
            };
        }

        var curve = wire.U16("curveID");
        var size = curve switch { 3 => 32, 4 => 48, _ => 0 };
        wire.Require(size > 0, "curveID", "neither P-256 (3) nor P-384 (4)");
        _ = ReadScheme(ref wire, "kdf");
        var (x, y) = (wire.Sized("unique.ecc.x").ToArray(), wire.Sized("unique.ecc.y").ToArray());
        wire.Require(x.Length is > 0 && x.Length <= size && y.Length is > 0 && y.Length <= size, "unique.ecc", "no coordinates of the curve");
        wire.End("TPMT_PUBLIC");
        return new TpmPublic(source.ToArray())
        {
            Type = type,
            NameAlgorithm = name,
            Attributes = attributes,
            AuthPolicy = policy,
            SymmetricKeyBits = symmetric,
            Scheme = scheme,
            Curve = curve,
            First = Padded(x, size),
            Second = Padded(y, size),
        };
    }

    private static int ReadSymmetric(ref BigEndianReader wire)
    {
        var algorithm = wire.U16("symmetric.algorithm");
        if (algorithm == Null)
        {
            return 0;
        }

        const ushort cfb = 0x0043;
        wire.Require(algorithm == Aes, "symmetric.algorithm", "neither TPM_ALG_NULL nor AES");
        var bits = wire.U16("symmetric.keyBits");
        wire.Require(bits is 128 or 192 or 256, "symmetric.keyBits", "no key size of AES");
        wire.Require(wire.U16("symmetric.mode") == cfb, "symmetric.mode", "not CFB");
        return bits;
    }

    private static TpmScheme ReadScheme(ref BigEndianReader wire, string field)
    {
        var algorithm = wire.U16(field);
        if (algorithm is Null or Rsaes)
        {
            return new TpmScheme(algorithm, TcgHash.None);
        }

        wire.Require(algorithm is not Ecdaa, field, "ECDAA is not supported");
        return new TpmScheme(algorithm, (TcgHash)wire.U16(field + ".hashAlg"));
    }

    // The TPM may leave leading zeros out.
    internal static byte[] Padded(ReadOnlySpan<byte> coordinate, int size)
    {
        var padded = new byte[Math.Max(size, coordinate.Length)];
        coordinate.CopyTo(padded.AsSpan(padded.Length - coordinate.Length));
        return padded;
    }
}

/// <summary>A signature or encryption scheme and its hash, by TCG's numbers.</summary>
/// <param name="Algorithm">TPM_ALG_ID: 0x0014 RSASSA, 0x0016 RSAPSS, 0x0018 ECDSA, 0x0010 none.</param>
/// <param name="Hash">Its hash; None where the scheme has none.</param>
internal readonly record struct TpmScheme(ushort Algorithm, TcgHash Hash)
{
    internal const ushort RsaSsa = 0x0014;
    internal const ushort RsaPss = 0x0016;
    internal const ushort EcDsa = 0x0018;

    /// <summary>RSASSA-PKCS1-v1_5, RSASSA-PSS or ECDSA with SHA-256, SHA-384 or SHA-512.</summary>
    public bool IsAccepted => Algorithm is RsaSsa or RsaPss or EcDsa && Hash.IsStrong;

    /// <inheritdoc/>
    public override string ToString() => Algorithm switch
    {
        RsaSsa => $"RSASSA with {Hash.Label}",
        RsaPss => $"RSAPSS with {Hash.Label}",
        EcDsa => $"ECDSA with {Hash.Label}",
        TpmPublic.Null => "no scheme",
        _ => $"scheme {Algorithm:X4} with {Hash.Label}",
    };
}

/// <summary>TPMA_OBJECT (TPM 2.0 Library, Part 2 §8.3), in the specification's words.</summary>
/// <param name="Value">All 32 bits.</param>
internal readonly record struct TpmKeyAttributes(uint Value)
{
    private const uint Reserved = ~0x000F0CF6u;

    /// <summary>The key cannot leave its TPM.</summary>
    public bool FixedTpm => Has(1);

    /// <summary>It cannot be duplicated to another parent.</summary>
    public bool FixedParent => Has(4);

    /// <summary>The TPM made its secret part; nobody brought it.</summary>
    public bool SensitiveDataOrigin => Has(5);

    /// <summary>It is used with an authorisation value.</summary>
    public bool UserWithAuth => Has(6);

    /// <summary>It signs or decrypts only what the TPM made.</summary>
    public bool Restricted => Has(16);

    /// <summary>It decrypts.</summary>
    public bool Decrypt => Has(17);

    /// <summary>It signs, or encrypts if symmetric.</summary>
    public bool Sign => Has(18);

    internal bool HasReserved => (Value & Reserved) != 0;

    private bool Has(int bit) => (Value >> bit & 1) == 1;
}

using System.Security.Cryptography;
using Assay.Sealing.Keys;

namespace Assay.Sealing.Hpke;

/// <summary>A KEM and a KDF of RFC 9180 §7 with AES-256-GCM. The hash inside the KEM is the KEM's, whatever the KDF is.</summary>
public sealed class HpkeSuite
{
    // AES-256-GCM, RFC 9180 §7.3.
    private const ushort Aead = 2;

    private HpkeSuite(ushort kem, ushort kdf, Curve curve, HashAlgorithmName kemHash, int secretBytes, HashAlgorithmName kdfHash, int hashBytes)
    {
        (Curve, KemHash, SecretBytes, KdfHash, HashBytes) = (curve, kemHash, secretBytes, kdfHash, hashBytes);
        KemId = [.. "KEM"u8, .. Two(kem)];
        SuiteId = [.. "HPKE"u8, .. Two(kem), .. Two(kdf), .. Two(Aead)];
    }

    /// <summary>DHKEM(P-384, HKDF-SHA384), HKDF-SHA384, AES-256-GCM: the one to choose.</summary>
    public static HpkeSuite P384 { get; } = new(0x0011, 2, Curve.P384, HashAlgorithmName.SHA384, 48, HashAlgorithmName.SHA384, 48);

    /// <summary>DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.</summary>
    public static HpkeSuite P256 { get; } = new(0x0010, 1, Curve.P256, HashAlgorithmName.SHA256, 32, HashAlgorithmName.SHA256, 32);

    /// <summary>DHKEM(P-521, HKDF-SHA512), HKDF-SHA512, AES-256-GCM.</summary>
    public static HpkeSuite P521 { get; } = new(0x0012, 3, Curve.P521, HashAlgorithmName.SHA512, 64, HashAlgorithmName.SHA512, 64);

    /// <summary>The kind of key that it seals to.</summary>
    public KeyKind Kind => Curve.Kind;

    /// <summary>Bytes of the encapsulated key: an uncompressed point.</summary>
    public int EncapsulatedBytes => Curve.PointBytes;

    // A KEM whose hash is not that of the schedule. Only published vectors need it, so it is not public.
    internal static HpkeSuite P384WithSha256 { get; } = new(0x0011, 1, Curve.P384, HashAlgorithmName.SHA384, 48, HashAlgorithmName.SHA256, 32);

    internal Curve Curve { get; }

    internal HashAlgorithmName KemHash { get; }

    internal int SecretBytes { get; }

    internal HashAlgorithmName KdfHash { get; }

    internal int HashBytes { get; }

    internal byte[] KemId { get; }

    internal byte[] SuiteId { get; }

    private static byte[] Two(ushort number) => [(byte)(number >> 8), (byte)(number & 0xFF)];
}

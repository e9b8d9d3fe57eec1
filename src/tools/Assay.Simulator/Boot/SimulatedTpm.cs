using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>How a simulated TPM signs.</summary>
public enum SimulatedTpmScheme
{
    /// <summary>RSASSA-PKCS1-v1_5 with SHA-256.</summary>
    RsaSsa,

    /// <summary>RSASSA-PSS with SHA-256.</summary>
    RsaPss,

    /// <summary>ECDSA on P-256 with SHA-256.</summary>
    EcdsaP256,

    /// <summary>ECDSA on P-384 with SHA-384.</summary>
    EcdsaP384,
}

/// <summary>
/// A TPM's attestation key and the statements that it signs, without a TPM: TPMS_ATTEST, TPMT_SIGNATURE and TPMT_PUBLIC, big-endian. A
/// key in software, which no certificate names.
/// </summary>
public sealed class SimulatedTpm : IDisposable
{
    /// <summary>fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, restricted, sign.</summary>
    public const uint AttestationKeyAttributes = 0x00050072;

    private readonly RSA? _rsa;
    private readonly ECDsa? _ecdsa;
    private readonly SimulatedTpmScheme _scheme;
    private readonly uint _attributes;

    private SimulatedTpm(SimulatedTpmScheme scheme, uint attributes)
    {
        _scheme = scheme;
        _attributes = attributes;
        _rsa = scheme is SimulatedTpmScheme.RsaSsa or SimulatedTpmScheme.RsaPss ? RSA.Create(2048) : null;
        _ecdsa = _rsa is not null ? null : ECDsa.Create(scheme is SimulatedTpmScheme.EcdsaP256 ? ECCurve.NamedCurves.nistP256 : ECCurve.NamedCurves.nistP384);
    }

    /// <summary>resetCount of the next quotes.</summary>
    public uint ResetCount { get; set; } = 3;

    /// <summary>clock of the next quotes.</summary>
    public ulong Clock { get; set; } = 100_000;

    /// <summary>A TPM with a new key.</summary>
    public static SimulatedTpm Create(SimulatedTpmScheme scheme, uint attributes = AttestationKeyAttributes) => new(scheme, attributes);

    /// <summary>The modulus of an RSA key, 256 bytes.</summary>
    internal byte[] Modulus => _rsa?.ExportParameters(false).Modulus ?? throw new InvalidOperationException("the key is not an RSA key");

    /// <summary>The key's TPMT_PUBLIC.</summary>
    public byte[] PublicArea()
    {
        ushort hash = _scheme is SimulatedTpmScheme.EcdsaP384 ? (ushort)0x000C : (ushort)0x000B;
        byte[] head = [.. U16(_rsa is null ? (ushort)0x0023 : (ushort)0x0001), .. U16(0x000B), .. U32(_attributes), .. U16(0), .. U16(0x0010), .. U16(Algorithm), .. U16(hash)];
        if (_rsa is not null)
        {
            return [.. head, .. U16(2048), .. U32(0), .. Sized(_rsa.ExportParameters(false).Modulus!)];
        }

        var point = _ecdsa!.ExportParameters(false).Q;
        return [.. head, .. U16(_scheme is SimulatedTpmScheme.EcdsaP256 ? (ushort)3 : (ushort)4), .. U16(0x0010), .. Sized(point.X!), .. Sized(point.Y!)];
    }

    /// <summary>A TPMS_ATTEST over registers of the SHA-256 bank.</summary>
    /// <param name="qualifyingData">The nonce.</param>
    /// <param name="values">All 24 registers.</param>
    /// <param name="selected">Which of them.</param>
    public byte[] Attest(ReadOnlySpan<byte> qualifyingData, ImmutableArray<ReadOnlyMemory<byte>> values, ImmutableArray<int> selected)
    {
        var bitmap = new byte[3];
        foreach (var register in selected)
        {
            bitmap[register / 8] |= (byte)(1 << register % 8);
        }

        byte[] concatenated = [.. selected.Order().SelectMany(register => values[register].ToArray())];
        var digest = _scheme is SimulatedTpmScheme.EcdsaP384 ? SHA384.HashData(concatenated) : SHA256.HashData(concatenated);
        byte[] name = [.. U16(0x000B), .. SHA256.HashData(PublicArea())];
        return
        [
            .. U32(0xFF544347), .. U16(0x8018), .. Sized(name), .. Sized(qualifyingData),
            .. U64(Clock), .. U32(ResetCount), .. U32(0), 1, .. U64(0x2026112200000000),
            .. U32(1), .. U16(0x000B), 3, .. bitmap, .. Sized(digest),
        ];
    }

    /// <summary>The TPMT_SIGNATURE over whatever it is given.</summary>
    public byte[] Sign(ReadOnlySpan<byte> attest)
    {
        var hash = _scheme is SimulatedTpmScheme.EcdsaP384 ? HashAlgorithmName.SHA384 : HashAlgorithmName.SHA256;
        byte[] head = [.. U16(Algorithm), .. U16(hash == HashAlgorithmName.SHA384 ? (ushort)0x000C : (ushort)0x000B)];
        if (_rsa is not null)
        {
            return [.. head, .. Sized(_rsa.SignData(attest, hash, _scheme is SimulatedTpmScheme.RsaPss ? RSASignaturePadding.Pss : RSASignaturePadding.Pkcs1))];
        }

        var signature = _ecdsa!.SignData(attest, hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        var half = signature.Length / 2;
        return [.. head, .. Sized(signature.AsSpan(..half)), .. Sized(signature.AsSpan(half..))];
    }

    /// <summary>Forgets the key.</summary>
    public void Dispose()
    {
        _rsa?.Dispose();
        _ecdsa?.Dispose();
    }

    private ushort Algorithm => _scheme switch
    {
        SimulatedTpmScheme.RsaSsa => 0x0014,
        SimulatedTpmScheme.RsaPss => 0x0016,
        _ => 0x0018,
    };

    private static byte[] Sized(ReadOnlySpan<byte> content) => [.. U16((ushort)content.Length), .. content];

    private static byte[] U16(ushort value) => [(byte)(value >> 8), (byte)(value & 0xFF)];

    private static byte[] U32(uint value)
    {
        var bytes = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] U64(ulong value)
    {
        var bytes = new byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Hpke;

/// <summary>
/// Extract and expand with labels, the KEM's derivation and the key schedule of mode base (RFC 9180 §4, §4.1, §5.1). Integers are big-endian.
/// Every intermediate is in secret memory.
/// </summary>
internal static class HpkeSchedule
{
    private const byte ModeBase = 0;

    /// <summary>The KEM's shared secret from the agreement; <paramref name="context"/> is enc‖pkR.</summary>
    public static SecretBuffer SharedSecret(HpkeSuite suite, SecretBuffer agreement, ReadOnlySpan<byte> context, SecretMemory memory)
    {
        using var prk = Extract(suite.KemHash, suite.KemId, default, "eae_prk"u8, agreement, memory);
        return Expand(suite.KemHash, suite.KemId, prk, "shared_secret"u8, context, suite.SecretBytes, memory);
    }

    /// <summary>Key (32), base nonce (12) and exporter secret, from the shared secret.</summary>
    public static (SecretBuffer Key, byte[] BaseNonce, SecretBuffer Exporter) Keys(HpkeSuite suite, SecretBuffer shared, ReadOnlySpan<byte> info, SecretMemory memory)
    {
        using var empty = memory.Allocate(0);
        using var infoBytes = memory.CopyOf(info);
        using var pskHash = Extract(suite.KdfHash, suite.SuiteId, default, "psk_id_hash"u8, empty, memory);
        using var infoHash = Extract(suite.KdfHash, suite.SuiteId, default, "info_hash"u8, infoBytes, memory);
        byte[] context = [ModeBase, .. pskHash.Use(lease => lease.Bytes.ToArray()), .. infoHash.Use(lease => lease.Bytes.ToArray())];

        using var salt = shared.Borrow();
        // The shared secret is the salt; the key material is the pre-shared key, which is empty here.
        using var secret = Extract(suite.KdfHash, suite.SuiteId, salt.Bytes, "secret"u8, empty, memory);
        var key = Expand(suite.KdfHash, suite.SuiteId, secret, "key"u8, context, 32, memory);
        var nonce = Expand(suite.KdfHash, suite.SuiteId, secret, "base_nonce"u8, context, 12, memory);
        var exporter = Expand(suite.KdfHash, suite.SuiteId, secret, "exp"u8, context, suite.HashBytes, memory);
        using (nonce)
        {
            return (key, nonce.Use(lease => lease.Bytes.ToArray()), exporter);
        }
    }

    /// <summary>LabeledExtract.</summary>
    public static SecretBuffer Extract(HashAlgorithmName hash, ReadOnlySpan<byte> suite, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> label, SecretBuffer material, SecretMemory memory)
    {
        using var labeled = memory.Allocate(7 + suite.Length + label.Length + material.Length);
        var extracted = memory.Allocate(BytesOf(hash));
        using SecretBuffer.Borrowed from = material.Borrow(), text = labeled.Borrow(), to = extracted.Borrow();
        var rest = Put(text.Bytes, "HPKE-v1"u8);
        rest = Put(rest, suite);
        rest = Put(rest, label);
        from.Bytes.CopyTo(rest);
        HKDF.Extract(hash, text.Bytes, salt, to.Bytes);
        return extracted;
    }

    /// <summary>LabeledExpand.</summary>
    public static SecretBuffer Expand(HashAlgorithmName hash, ReadOnlySpan<byte> suite, SecretBuffer key, ReadOnlySpan<byte> label, ReadOnlySpan<byte> info, int length, SecretMemory memory)
    {
        var labeled = new byte[2 + 7 + suite.Length + label.Length + info.Length];
        BinaryPrimitives.WriteUInt16BigEndian(labeled, checked((ushort)length));
        var rest = Put(labeled.AsSpan(2), "HPKE-v1"u8);
        rest = Put(rest, suite);
        rest = Put(rest, label);
        info.CopyTo(rest);
        var expanded = memory.Allocate(length);
        using SecretBuffer.Borrowed from = key.Borrow(), to = expanded.Borrow();
        HKDF.Expand(hash, from.Bytes, to.Bytes, labeled);
        return expanded;
    }

    private static int BytesOf(HashAlgorithmName hash) => hash == HashAlgorithmName.SHA256 ? 32 : hash == HashAlgorithmName.SHA384 ? 48 : 64;

    private static Span<byte> Put(Span<byte> into, ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(into);
        return into[bytes.Length..];
    }
}

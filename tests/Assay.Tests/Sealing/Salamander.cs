using System.Buffers.Binary;
using System.Security.Cryptography;
using Assay.Sealing.Memory;

namespace Assay.Tests.Sealing;

/// <summary>
/// One AES-GCM text that authenticates under two keys, each with its own nonce. The tag is linear in the text over GF(2^128): of two blocks, the
/// second is chosen so that both tags agree.
/// </summary>
internal static class Salamander
{
    // x^128 + x^7 + x^2 + x + 1 with the bits of GCM, most significant first (SP 800-38D §6.3).
    private static readonly UInt128 s_reduction = new(0xE100000000000000, 0);

    /// <summary>A chunk 0 of both keys' packs: one block that was chosen, one that was computed, the tag.</summary>
    public static (byte[] Chunk, bool Holds) Craft(SecretBuffer first, SecretBuffer second, byte[] salt, byte[] context)
    {
        var (h1, e1) = Of(first, salt, context);
        var (h2, e2) = Of(second, salt, context);
        // tag = c1·H^3 + c2·H^2 + L·H + E(J0), without associated data.
        var (c1, length) = (BinaryPrimitives.ReadUInt128BigEndian("sixteen bytes ok"u8), (UInt128)256);
        var (s1, s2) = (Multiply(h1, h1), Multiply(h2, h2));
        var known = Multiply(c1, Multiply(s1, h1) ^ Multiply(s2, h2)) ^ Multiply(length, h1 ^ h2) ^ e1 ^ e2;
        var c2 = Multiply(known, Inverse(s1 ^ s2));
        var tag = Multiply(c1, Multiply(s1, h1)) ^ Multiply(c2, s1) ^ Multiply(length, h1) ^ e1;
        var other = Multiply(c1, Multiply(s2, h2)) ^ Multiply(c2, s2) ^ Multiply(length, h2) ^ e2;
        var chunk = new byte[48];
        BinaryPrimitives.WriteUInt128BigEndian(chunk, c1);
        BinaryPrimitives.WriteUInt128BigEndian(chunk.AsSpan(16), c2);
        BinaryPrimitives.WriteUInt128BigEndian(chunk.AsSpan(32), tag);
        return (chunk, tag == other);
    }

    private static (UInt128 H, UInt128 Mask) Of(SecretBuffer dataKey, byte[] salt, byte[] context)
    {
        byte[] info = [.. "c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM"u8, 0, .. salt, .. context];
        var derived = HKDF.Expand(HashAlgorithmName.SHA512, [.. dataKey.Bytes(), .. new byte[32]], 76, info);
        using var aes = Aes.Create();
        aes.Key = derived[..32];
        byte[] start = [.. derived[32..44], 0, 0, 0, 1];
        return (BinaryPrimitives.ReadUInt128BigEndian(aes.EncryptEcb(new byte[16], PaddingMode.None)), BinaryPrimitives.ReadUInt128BigEndian(aes.EncryptEcb(start, PaddingMode.None)));
    }

    private static UInt128 Multiply(UInt128 left, UInt128 right)
    {
        var product = UInt128.Zero;
        for (var bit = 127; bit >= 0; bit--)
        {
            product ^= ((left >> bit) & 1) == 1 ? right : 0;
            right = (right & 1) == 1 ? (right >> 1) ^ s_reduction : right >> 1;
        }

        return product;
    }

    // To the power 2^128 - 2.
    private static UInt128 Inverse(UInt128 number)
    {
        var result = UInt128.One << 127;
        for (var power = 1; power < 128; power++)
        {
            number = Multiply(number, number);
            result = Multiply(result, number);
        }

        return result;
    }
}

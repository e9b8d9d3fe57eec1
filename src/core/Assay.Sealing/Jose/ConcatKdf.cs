using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Jose;

/// <summary>
/// The single-step derivation of RFC 7518 §4.6.2 (SP 800-56A): SHA-256 on every curve, here for 256 bits, which is one round. Lengths are
/// big-endian; that of the result is in bits.
/// </summary>
internal static class ConcatKdf
{
    private const int KeyBits = 256;

    /// <summary>The derived key, 32 bytes.</summary>
    /// <param name="agreement">Z, with its leading zeros.</param>
    /// <param name="algorithm">The <c>enc</c> value for ECDH-ES, the <c>alg</c> value otherwise.</param>
    /// <param name="partyU">apu, decoded.</param>
    /// <param name="partyV">apv, decoded.</param>
    /// <param name="memory">Where it goes.</param>
    public static SecretBuffer Derive(SecretBuffer agreement, string algorithm, ReadOnlySpan<byte> partyU, ReadOnlySpan<byte> partyV, SecretMemory memory)
    {
        var name = Encoding.ASCII.GetBytes(algorithm);
        using var input = memory.Allocate(4 + agreement.Length + 12 + name.Length + partyU.Length + partyV.Length + 4);
        var derived = memory.Allocate(KeyBits / 8);
        using SecretBuffer.Borrowed z = agreement.Borrow(), text = input.Borrow(), key = derived.Borrow();
        var rest = Number(text.Bytes, 1);
        z.Bytes.CopyTo(rest);
        rest = rest[agreement.Length..];
        rest = Framed(rest, name);
        rest = Framed(rest, partyU);
        rest = Framed(rest, partyV);
        Number(rest, KeyBits);
        SHA256.HashData(text.Bytes, key.Bytes);
        return derived;
    }

    private static Span<byte> Number(Span<byte> into, int number)
    {
        BinaryPrimitives.WriteInt32BigEndian(into, number);
        return into[4..];
    }

    private static Span<byte> Framed(Span<byte> into, ReadOnlySpan<byte> bytes)
    {
        var rest = Number(into, bytes.Length);
        bytes.CopyTo(rest);
        return rest[bytes.Length..];
    }
}

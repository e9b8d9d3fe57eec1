using System.Diagnostics.CodeAnalysis;
using Assay.Sealing.Cms;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Sealing;

/// <summary>One entrance for keys that arrive sealed to a key pair.</summary>
public static class KeyUnwrapping
{
    // SEQUENCE, with which every CMS message begins and no JWE does.
    private const byte Sequence = 0x30;

    /// <summary>
    /// Opens a wrapped key: JWE in compact or flattened form, or CMS EnvelopedData, told apart by the first byte. The key stays in secret memory:
    /// use it through <see cref="SecretBuffer.Use(SecretUse)"/>.
    /// </summary>
    /// <param name="pair">The key that this process made.</param>
    /// <param name="wrapped">The wrapped key.</param>
    /// <param name="key">Disposed by the caller.</param>
    /// <param name="fault">As <see cref="Jwe.TryOpen"/> and <see cref="EnvelopedKey.TryOpen"/> have it.</param>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public static bool TryUnwrapKey(this SealingKeyPair pair, ReadOnlySpan<byte> wrapped, [NotNullWhen(true)] out SecretBuffer? key, [NotNullWhen(false)] out SealingFault? fault) =>
        wrapped is [Sequence, ..] ? EnvelopedKey.TryOpen(pair, wrapped, out key, out fault) : Jwe.TryOpen(pair, wrapped, out key, out fault);
}

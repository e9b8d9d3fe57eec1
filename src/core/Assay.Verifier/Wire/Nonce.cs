using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Assay.Wire;

/// <summary>A relying party's challenge: exactly 32 bytes, the size that SPDM GET_MEASUREMENTS carries (DSP0274 §10.11.1).</summary>
public sealed class Nonce : IEquatable<Nonce>
{
    /// <summary>Bytes of a nonce.</summary>
    public const int Size = 32;

    private readonly byte[] _bytes;

    private Nonce(byte[] bytes) => _bytes = bytes;

    /// <summary>The 32 bytes, in the order they have on the wire.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>A nonce of exactly 32 bytes.</summary>
    public static bool TryCreate(ReadOnlySpan<byte> bytes, [NotNullWhen(true)] out Nonce? nonce)
    {
        nonce = bytes.Length == Size ? new Nonce(bytes.ToArray()) : null;
        return nonce is not null;
    }

    /// <summary>A nonce of exactly 64 hexadecimal digits in either case, with an optional 0x.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out Nonce? nonce, [NotNullWhen(false)] out ParseFault? fault)
    {
        var digits = text.AsSpan();
        digits = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase) ? digits[2..] : digits;
        nonce = digits.Length == 2 * Size && Hex.TryDecode(digits, out var bytes) ? new Nonce(bytes) : null;
        fault = nonce is not null ? null
            : new ParseFault("nonce", 0, digits.Length != 2 * Size
                ? $"64 hexadecimal digits are expected, {digits.Length} characters are given"
                : "64 hexadecimal digits are expected, and one of the characters is not a hexadecimal digit");
        return nonce is not null;
    }

    /// <inheritdoc/>
    public bool Equals(Nonce? other) => other is not null && CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Nonce);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>Lower-case hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(_bytes);
}

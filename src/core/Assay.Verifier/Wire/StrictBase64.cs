using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;

namespace Assay.Wire;

/// <summary>Canonical base64 (RFC 4648 §4 and §5): no white space, exact padding, unused bits zero (S-26).</summary>
public static class StrictBase64
{
    /// <summary>The standard alphabet with padding.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (text.Length % 4 != 0 || text.IndexOfAny(" \t\r\n"u8) >= 0)
        {
            return false;
        }

        var decoded = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        if (Base64.DecodeFromUtf8(text, decoded, out _, out var written) is not OperationStatus.Done)
        {
            return false;
        }

        bytes = decoded[..written];
        return IsCanonical(text, bytes);
    }

    /// <summary>The URL-safe alphabet without padding.</summary>
    public static bool TryDecodeUrl(ReadOnlySpan<byte> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (text.Length % 4 == 1 || text.IndexOfAny(" \t\r\n="u8) >= 0)
        {
            return false;
        }

        var decoded = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        if (Base64Url.DecodeFromUtf8(text, decoded, out _, out var written) is not OperationStatus.Done)
        {
            return false;
        }

        bytes = decoded[..written];
        var again = new byte[Base64Url.GetEncodedLength(bytes.Length)];
        var canonical = Base64Url.EncodeToUtf8(bytes, again, out _, out _) is OperationStatus.Done && text.SequenceEqual(again);
        bytes = canonical ? bytes : null;
        return canonical;
    }

    // The framework's decoder forgives set bits behind the last whole byte; encoding the last group again does not.
    private static bool IsCanonical(ReadOnlySpan<byte> text, ReadOnlySpan<byte> decoded)
    {
        if (text.IsEmpty)
        {
            return true;
        }

        Span<byte> last = stackalloc byte[4];
        var tail = decoded[(decoded.Length - ((decoded.Length + 2) % 3) - 1)..];
        return Base64.EncodeToUtf8(tail, last, out _, out var written) is OperationStatus.Done && text[^4..].SequenceEqual(last[..written]);
    }
}

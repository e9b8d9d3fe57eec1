using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Assay.Sealing;

/// <summary>base64url as JOSE writes it (RFC 7515 §2): no padding, no white space, no bits beyond the last byte. Of public bytes alone.</summary>
internal static class Base64
{
    public static bool TryUrl(string? text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        return text is not null && Ascii.IsValid(text) && TryUrl(Encoding.ASCII.GetBytes(text), out bytes);
    }

    public static bool TryUrl(ReadOnlySpan<byte> text, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        // The framework's decoder reads padding and white space too.
        if (text.ContainsAny("= \t\r\n"u8) || text.Length % 4 == 1)
        {
            return false;
        }

        var decoded = new byte[Base64Url.GetMaxDecodedLength(text.Length)];
        if (Base64Url.DecodeFromUtf8(text, decoded, out var consumed, out var written) is not OperationStatus.Done || consumed != text.Length)
        {
            return false;
        }

        var exact = decoded.AsSpan(0, written).ToArray();
        // One value has one spelling: what lies beyond the last byte is zero.
        if (!text.SequenceEqual(Base64Url.EncodeToUtf8(exact)))
        {
            return false;
        }

        bytes = exact;
        return true;
    }
}

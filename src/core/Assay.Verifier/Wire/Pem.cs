using System.Buffers.Text;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Assay.Wire;

/// <summary>
/// PEM certificates one after the other (RFC 7468 §5), strictly: the label CERTIFICATE, lines of base64 ended by LF or CRLF,
/// nothing between, before or after the blocks but empty lines.
/// </summary>
public static class Pem
{
    private static ReadOnlySpan<byte> Begin => "-----BEGIN CERTIFICATE-----"u8;
    private static ReadOnlySpan<byte> Close => "-----END CERTIFICATE-----"u8;

    /// <summary>The DER of each block in the order of the text, 1 to <see cref="Limits.ChainCertificates"/> of them, or the first fault.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> text, out ImmutableArray<ReadOnlyMemory<byte>> blocks, [NotNullWhen(false)] out ParseFault? fault)
    {
        var read = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        blocks = [];
        fault = text.Length > Limits.ChainTextBytes ? new ParseFault("PEM", 0, $"longer than {Limits.ChainTextBytes} bytes") : null;
        var offset = 0;

        while (fault is null && SkipEmptyLines(text, ref offset))
        {
            fault = ReadBlock(text, ref offset, out var block);
            read.Add(block);
            fault ??= read.Count > Limits.ChainCertificates ? new ParseFault("PEM", offset, $"more than {Limits.ChainCertificates} certificates") : null;
        }

        fault ??= read.Count == 0 ? new ParseFault("PEM", 0, "no certificate") : null;
        blocks = fault is null ? read.ToImmutable() : [];
        return fault is null;
    }

    /// <summary>
    /// The bytes of each block of one label, wherever it stands in a text (RFC 7468 §2 allows text around): to find things by, for what is found is read strictly
    /// elsewhere. It stops at the first block that is malformed, so that its work grows with the text and not with its square.
    /// </summary>
    /// <param name="text">ASCII.</param>
    /// <param name="label">For instance "X509 CRL".</param>
    /// <param name="isWhole">Whether every block of the label could be read, and there is one.</param>
    public static ImmutableArray<ReadOnlyMemory<byte>> Find(ReadOnlySpan<byte> text, string label, out bool isWhole)
    {
        ArgumentNullException.ThrowIfNull(label);
        byte[] begin = [.. "-----BEGIN "u8, .. Encoding.ASCII.GetBytes(label), .. "-----"u8], end = [.. "-----END "u8, .. Encoding.ASCII.GetBytes(label), .. "-----"u8];
        var found = ImmutableArray.CreateBuilder<ReadOnlyMemory<byte>>();
        while (text.IndexOf(begin) is var start and >= 0)
        {
            text = text[(start + begin.Length)..];
            var length = text.IndexOf((byte)'-');
            if (length < 0 || !text[length..].StartsWith(end) || Decoded(text[..length]) is not { } bytes)
            {
                isWhole = false;
                return found.ToImmutable();
            }

            found.Add(bytes);
            text = text[(length + end.Length)..];
        }

        isWhole = found.Count > 0;
        return found.ToImmutable();
    }

    private static byte[]? Decoded(ReadOnlySpan<byte> lines)
    {
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(lines.Length)];
        // Lines may end in any way: the decoder passes over white space.
        return Base64.DecodeFromUtf8(lines, bytes, out var consumed, out var written) is System.Buffers.OperationStatus.Done && consumed == lines.Length ? bytes[..written] : null;
    }

    private static ParseFault? ReadBlock(ReadOnlySpan<byte> text, ref int offset, out ReadOnlyMemory<byte> block)
    {
        block = default;
        if (!NextLine(text, ref offset).SequenceEqual(Begin))
        {
            return new ParseFault("PEM", offset, "a line -----BEGIN CERTIFICATE----- is expected");
        }

        var base64 = new byte[text.Length - offset];
        var length = 0;
        while (offset < text.Length)
        {
            var line = NextLine(text, ref offset);
            if (line.SequenceEqual(Close))
            {
                var decoded = StrictBase64.TryDecode(base64.AsSpan(0, length), out var bytes);
                block = bytes;
                return decoded ? null : new ParseFault("PEM", offset, "the base64 is malformed or not canonical");
            }

            line.CopyTo(base64.AsSpan(length));
            length += line.Length;
        }

        return new ParseFault("PEM", offset, "a line -----END CERTIFICATE----- is expected");
    }

    // The line without its LF or CRLF; a CR elsewhere stays in it and is refused as base64.
    private static ReadOnlySpan<byte> NextLine(ReadOnlySpan<byte> text, ref int offset)
    {
        var rest = text[offset..];
        var end = rest.IndexOf((byte)'\n');
        offset = end < 0 ? text.Length : offset + end + 1;
        var line = end < 0 ? rest : rest[..end];
        return line is [.. var body, (byte)'\r'] ? body : line;
    }

    private static bool SkipEmptyLines(ReadOnlySpan<byte> text, ref int offset)
    {
        while (offset < text.Length && text[offset] is (byte)'\n' or (byte)'\r')
        {
            offset++;
        }

        return offset < text.Length;
    }
}

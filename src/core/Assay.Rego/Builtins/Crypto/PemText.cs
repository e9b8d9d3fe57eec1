using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>One block of PEM armour (RFC 7468): its label and the bytes inside.</summary>
internal sealed record PemBlock(string Label, byte[] Bytes);

/// <summary>Reads PEM, and the base64 and DER forms that OPA takes in its place.</summary>
internal static class PemText
{
    // The most blocks that are looked at; each costs a key or certificate parse.
    private const int MaxBlocks = 64;
    private const string Opening = "-----BEGIN ";

    /// <summary>The first block and the text after it; false if there is none.</summary>
    public static bool TryFirst(string text, [NotNullWhen(true)] out PemBlock? block, out string rest)
    {
        (block, rest) = (null, text);
        for (int at = text.IndexOf(Opening, StringComparison.Ordinal), next; at >= 0; at = next)
        {
            // The framework looks for an end behind each opening, to the end of the text: with one opening at a time that is linear.
            next = text.IndexOf(Opening, at + 1, StringComparison.Ordinal);
            // With the character before, which must be a space or a line end.
            var from = Math.Max(at - 1, 0);
            var piece = text.AsSpan(from, (next < 0 ? text.Length : next) - from);
            if (!PemEncoding.TryFind(piece, out var found))
            {
                continue;
            }

            var bytes = new byte[found.DecodedDataLength];
            if (!Convert.TryFromBase64Chars(piece[found.Base64Data], bytes, out _))
            {
                return false;
            }

            block = new PemBlock(piece[found.Label].ToString(), bytes);
            // The line end that closes the armour belongs to it.
            var after = text.AsSpan(from + found.Location.End.Value);
            rest = (after.StartsWith("\r\n", StringComparison.Ordinal) ? after[2..] : after.StartsWith("\n", StringComparison.Ordinal) ? after[1..] : after).ToString();
            return true;
        }

        return false;
    }

    public static List<PemBlock> Blocks(string text)
    {
        var blocks = new List<PemBlock>();
        while (blocks.Count < MaxBlocks && TryFirst(text, out var block, out var rest))
        {
            blocks.Add(block);
            text = rest;
        }

        return blocks;
    }

    /// <summary>The bytes of a text that is PEM, base64 of PEM, or base64 of DER; for PEM every block must have the label.</summary>
    public static bool TryDecode(string text, string label, [NotNullWhen(true)] out List<byte[]>? items, [NotNullWhen(false)] out string? fault)
    {
        (items, fault) = (null, null);
        var pem = text;
        if (!text.TrimStart().StartsWith("-----BEGIN", StringComparison.Ordinal))
        {
            if (!Base64Text.TryDecode(text, out var bytes, out fault))
            {
                return false;
            }

            pem = Encoding.Latin1.GetString(bytes);
            if (!pem.Contains("-----BEGIN", StringComparison.Ordinal))
            {
                items = [bytes];
                return true;
            }
        }

        var found = new List<byte[]>();
        foreach (var block in Blocks(pem))
        {
            if (block.Label != label)
            {
                fault = $"PEM block type is '{block.Label}', expected {label}";
                return false;
            }

            found.Add(block.Bytes);
        }

        if (found.Count == 0)
        {
            fault = "PEM data has no block";
            return false;
        }

        (items, fault) = (found, null);
        return true;
    }
}

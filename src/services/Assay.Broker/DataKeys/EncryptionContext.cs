using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Assay.Wire;

namespace Assay.Broker.DataKeys;

/// <summary>
/// What a ciphertext is about: names and values that its maker chose, which must be the same when it is opened. It is no secret, but it may name what a tenant
/// does: stored and logged is the SHA-384 of its canonical form (RFC 8785), and nothing else. None and an empty one are the same.
/// </summary>
internal sealed class EncryptionContext
{
    // AWS's limit is of the whole context.
    private const int MostCharacters = 8192;

    private EncryptionContext(string canonical) => Digest = new Digest(SHA384.HashData(Encoding.UTF8.GetBytes(canonical)));

    /// <summary>SHA-384 of the canonical form.</summary>
    public Digest Digest { get; }

    /// <summary>False where it is too long, or is no text.</summary>
    public static bool TryOf(IReadOnlyDictionary<string, string>? pairs, [NotNullWhen(true)] out EncryptionContext? context)
    {
        context = null;
        if (pairs is not null && (pairs.Any(pair => !IsText(pair.Key) || !IsText(pair.Value)) || pairs.Sum(pair => pair.Key.Length + pair.Value.Length) > MostCharacters))
        {
            return false;
        }

        // Ordinal is by UTF-16 code units, as RFC 8785 sorts.
        var members = (pairs ?? new Dictionary<string, string>()).OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => $"{Quoted(pair.Key)}:{Quoted(pair.Value)}");
        context = new EncryptionContext($"{{{string.Join(',', members)}}}");
        return true;
    }

    // Half of a surrogate pair has no UTF-8: two contexts would be one. And a reader of JSON leaves null in a dictionary, whatever its type says.
    private static bool IsText(string? text)
    {
        for (var rest = text.AsSpan(); !rest.IsEmpty;)
        {
            if (Rune.DecodeFromUtf16(rest, out _, out var taken) is not OperationStatus.Done)
            {
                return false;
            }

            rest = rest[taken..];
        }

        return !string.IsNullOrEmpty(text);
    }

    private static string Quoted(string text)
    {
        var quoted = new StringBuilder("\"");
        foreach (var character in text)
        {
            _ = character switch
            {
                '"' => quoted.Append("\\\""),
                '\\' => quoted.Append("\\\\"),
                '\b' => quoted.Append("\\b"),
                '\f' => quoted.Append("\\f"),
                '\n' => quoted.Append("\\n"),
                '\r' => quoted.Append("\\r"),
                '\t' => quoted.Append("\\t"),
                < ' ' => quoted.Append(CultureInfo.InvariantCulture, $"\\u{(int)character:x4}"),
                _ => quoted.Append(character),
            };
        }

        return quoted.Append('"').ToString();
    }
}

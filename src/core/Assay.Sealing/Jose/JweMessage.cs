using System.Text;
using System.Text.Json;

namespace Assay.Sealing.Jose;

/// <summary>
/// A JWE taken apart (RFC 7516 §7.1 compact, §7.2.2 flattened JSON). What the tag is over is kept as it was received: a header that is written
/// again is another text.
/// </summary>
internal sealed record JweMessage(JweHeader Header, byte[] EncryptedKey, byte[] Nonce, byte[] Ciphertext, byte[] Tag, byte[] Associated)
{
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    private static readonly string[] s_members = ["protected", "unprotected", "header", "encrypted_key", "aad", "iv", "ciphertext", "tag"];

    public static SealingFault Malformed(string problem) =>
        new(SealingFaults.JweForm, $"not a JWE that is read here: {problem}", "give a JWE in compact or flattened JSON form, whole and unchanged");

    public static (JweMessage? Message, SealingFault? Fault) Of(ReadOnlySpan<byte> jwe)
    {
        if (jwe.Length > Limits.JweBytes)
        {
            return (null, Malformed($"longer than {Limits.JweBytes} bytes"));
        }

        return jwe is [(byte)'{', ..] ? OfJson(jwe) : OfCompact(jwe);
    }

    private static (JweMessage? Message, SealingFault? Fault) OfCompact(ReadOnlySpan<byte> jwe)
    {
        Span<Range> parts = stackalloc Range[6];
        if (SplitAtDots(jwe, parts) != 5)
        {
            return (null, Malformed("not five parts with dots between them"));
        }

        var first = jwe[parts[0]];
        return Base64.TryUrl(first, out var json) && Base64.TryUrl(jwe[parts[1]], out var key) && Base64.TryUrl(jwe[parts[2]], out var nonce)
            && Base64.TryUrl(jwe[parts[3]], out var text) && Base64.TryUrl(jwe[parts[4]], out var tag)
            ? Of(json, null, null, key, nonce, text, tag, first.ToArray())
            : (null, Malformed("a part that is not base64url without padding"));
    }

    private static (JweMessage? Message, SealingFault? Fault) OfJson(ReadOnlySpan<byte> jwe)
    {
        using var document = StrictJson.Read(jwe);
        if (document is null)
        {
            return (null, Malformed("not JSON, or a member twice"));
        }

        var root = document.RootElement;
        if (root.TryGetProperty("recipients", out _))
        {
            return (null, Malformed("the general form, for several recipients"));
        }

        foreach (var member in root.EnumerateObject())
        {
            if (!s_members.Contains(member.Name) || (member.Value.ValueKind is not JsonValueKind.String && member.Name is not ("unprotected" or "header")))
            {
                return (null, Malformed("an unknown member, or one of the wrong type"));
            }
        }

        var (first, aad) = (StrictJson.Text(root, "protected") ?? "", StrictJson.Text(root, "aad"));
        if (!Base64.TryUrl(first, out var json) || !Base64.TryUrl(StrictJson.Text(root, "encrypted_key") ?? "", out var key) || !Base64.TryUrl(StrictJson.Text(root, "iv"), out var nonce)
            || !Base64.TryUrl(StrictJson.Text(root, "ciphertext"), out var text) || !Base64.TryUrl(StrictJson.Text(root, "tag"), out var tag) || (aad is not null && !Base64.TryUrl(aad, out _)))
        {
            return (null, Malformed("a member that is missing, or not base64url without padding"));
        }

        JsonElement? shared = root.TryGetProperty("unprotected", out var unprotected) ? unprotected : null;
        JsonElement? own = root.TryGetProperty("header", out var header) ? header : null;
        return Of(json, shared, own, key, nonce, text, tag, Encoding.ASCII.GetBytes(aad is null ? first : $"{first}.{aad}"));
    }

    private static (JweMessage? Message, SealingFault? Fault) Of(byte[] json, JsonElement? shared, JsonElement? own, byte[] key, byte[] nonce, byte[] text, byte[] tag, byte[] associated)
    {
        if (nonce.Length != NonceBytes || tag.Length != TagBytes)
        {
            return (null, Malformed($"A256GCM has an iv of {NonceBytes} and a tag of {TagBytes} bytes"));
        }

        using var document = json.Length == 0 ? null : StrictJson.Read(json);
        if (json.Length > 0 && document is null)
        {
            return (null, Malformed("a protected header that is not JSON, or has a member twice"));
        }

        var (header, fault) = JweHeader.Of(document?.RootElement, shared, own);
        if (header is null)
        {
            return (null, fault);
        }

        return header.Algorithm is JweAlgorithm.EcdhEs != (key.Length == 0)
            ? (null, Malformed("an encrypted key where ECDH-ES has none, or none where there must be one"))
            : (new JweMessage(header, key, nonce, text, tag, associated), null);
    }

    // Six ranges at most: a sixth part is one too many, and is not looked into.
    private static int SplitAtDots(ReadOnlySpan<byte> text, Span<Range> parts)
    {
        var (count, start) = (0, 0);
        for (var at = text.IndexOf((byte)'.'); at >= 0 && count < parts.Length - 1; at = text[start..].IndexOf((byte)'.'))
        {
            parts[count++] = start..(start + at);
            start += at + 1;
        }

        parts[count++] = start..;
        return count;
    }
}

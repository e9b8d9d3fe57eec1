using System.Buffers;
using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Trust.Jose;

/// <summary>
/// A compact JWS with a JSON payload (RFC 7515 §7.1), taken apart strictly: three parts of canonical base64url, header and payload each
/// one JSON object without repeated members. Nothing about it is verified.
/// </summary>
public sealed class CompactJws
{
    private const int Parts = 3;

    private CompactJws(string text, JsonElement header, JsonElement payload, byte[] signature) =>
        (Text, Header, Payload, Signature) = (text, header, payload, signature);

    /// <summary>The whole token: digests are over its ASCII.</summary>
    public string Text { get; }

    /// <summary>What it says about its own signature. Believed for nothing but the name of the key.</summary>
    public JsonElement Header { get; }

    /// <summary>The claims.</summary>
    public JsonElement Payload { get; }

    /// <summary>What was signed.</summary>
    internal byte[] SignedContent => Encoding.ASCII.GetBytes(Text, 0, Text.LastIndexOf('.'));

    internal ReadOnlyMemory<byte> Signature { get; }

    /// <summary>Takes a token apart.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, [NotNullWhen(true)] out CompactJws? jws, [NotNullWhen(false)] out ParseFault? fault)
    {
        fault = Take(text, out jws);
        return jws is not null && fault is null;
    }

    /// <summary>Whether the key of the set that its header names made the signature, with the key's own algorithm. Says nothing of what it claims.</summary>
    public bool IsSignedBy(JsonWebKeySet keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return StrictJson.Text(Header, "kid") is { } name && keys.Find(name) is { } key && StrictJson.Text(Header, "alg") == key.AlgorithmName && !Header.TryGetProperty("crit", out _)
            && key.Verifies(SignedContent, Signature.Span);
    }

    internal static string Write(SigningKey key, ReadOnlySpan<byte> payload, string type = "JWT")
    {
        var header = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(header))
        {
            writer.WriteStartObject();
            writer.WriteString("alg", key.PublicKey.AlgorithmName);
            writer.WriteString("kid", key.PublicKey.KeyId);
            writer.WriteString("typ", type);
            writer.WriteEndObject();
        }

        var content = $"{Base64Url.EncodeToString(header.WrittenSpan)}.{Base64Url.EncodeToString(payload)}";
        return $"{content}.{Base64Url.EncodeToString(key.Sign(Encoding.ASCII.GetBytes(content)))}";
    }

    private static ParseFault? Take(ReadOnlySpan<char> text, out CompactJws? jws)
    {
        jws = null;
        if (text.Length > Limits.JwsCharacters)
        {
            return new ParseFault("JWS", Limits.JwsCharacters, $"longer than {Limits.JwsCharacters} characters");
        }

        if (text.Count('.') != Parts - 1)
        {
            return new ParseFault("JWS", 0, "three parts with a dot between them are expected");
        }

        var ends = (First: text.IndexOf('.'), Last: text.LastIndexOf('.'));
        if (Decode(text[..ends.First]) is not { } header)
        {
            return new ParseFault("JWS header", 0, "canonical base64url is expected");
        }

        if (Decode(text[(ends.First + 1)..ends.Last]) is not { } payload)
        {
            return new ParseFault("JWS payload", ends.First + 1, "canonical base64url is expected");
        }

        if (Decode(text[(ends.Last + 1)..]) is not { } signature)
        {
            return new ParseFault("JWS signature", ends.Last + 1, "canonical base64url is expected");
        }

        var payloadObject = default(JsonElement);
        var fault = ReadObject(header, "JWS header", out var headerObject) ?? ReadObject(payload, "JWS payload", out payloadObject, ends.First + 1);
        jws = fault is null ? new CompactJws(text.ToString(), headerObject, payloadObject, signature) : null;
        return fault;

        static byte[]? Decode(ReadOnlySpan<char> part)
        {
            var ascii = new byte[Encoding.UTF8.GetMaxByteCount(part.Length)];
            return StrictBase64.TryDecodeUrl(ascii.AsSpan(0, Encoding.UTF8.GetBytes(part, ascii)), out var bytes) ? bytes : null;
        }
    }

    private static ParseFault? ReadObject(byte[] json, string part, out JsonElement read, int offset = 0)
    {
        read = default;
        using var document = StrictJson.Read(json, out var fault);
        if (document is null)
        {
            return (fault ?? new ParseFault("JSON", 0, "empty")).Within(part, offset);
        }

        read = document.RootElement.Clone();
        return read.ValueKind is JsonValueKind.Object ? null : new ParseFault(part, offset, "a JSON object is expected");
    }
}

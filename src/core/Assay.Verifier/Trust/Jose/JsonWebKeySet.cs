using System.Buffers;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Trust.Jose;

/// <summary>
/// The keys of an issuer (RFC 7517 §5). Keys of other types, curves, sizes or uses are left out, as the RFC asks; a malformed key, a private or
/// symmetric one, and a <c>kid</c> that stands twice are faults of the whole set.
/// </summary>
public sealed class JsonWebKeySet
{
    private const int MostCoordinateCharacters = 64;

    // What only private and symmetric keys have (RFC 7518 §6.2.2, §6.3.2, §6.4.1; "priv" of post-quantum ones).
    private static readonly ImmutableArray<string> s_private = ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"];

    private readonly ImmutableDictionary<string, JsonWebKey> _byId;

    private JsonWebKeySet(ImmutableArray<JsonWebKey> keys) =>
        (Keys, _byId) = (keys, keys.ToImmutableDictionary(key => key.KeyId, StringComparer.Ordinal));

    /// <summary>At least one, in the order of the set.</summary>
    public ImmutableArray<JsonWebKey> Keys { get; }

    /// <summary>A set of one issuer's own keys.</summary>
    public static JsonWebKeySet Of(params IEnumerable<JsonWebKey> keys)
    {
        ImmutableArray<JsonWebKey> all = [.. keys];
        ArgumentOutOfRangeException.ThrowIfZero(all.Length, nameof(keys));
        return new JsonWebKeySet(all);
    }

    /// <summary>Reads <c>{"keys":[…]}</c>.</summary>
    public static bool TryParse(ReadOnlySpan<byte> json, [NotNullWhen(true)] out JsonWebKeySet? set, [NotNullWhen(false)] out ParseFault? fault)
    {
        set = null;
        if (json.Length > Limits.KeySetBytes)
        {
            fault = new ParseFault("keys", Limits.KeySetBytes, $"longer than {Limits.KeySetBytes} bytes");
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("keys", 0, "empty");
            return false;
        }

        fault = ReadSet(document.RootElement, out var keys);
        set = fault is null ? new JsonWebKeySet(keys) : null;
        return set is not null;
    }

    /// <summary>UTF-8, indented.</summary>
    public byte[] ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartObject();
            writer.WriteStartArray("keys");
            foreach (var key in Keys)
            {
                key.Write(writer);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    /// <summary>The thumbprint of a public key that a header shows, to look for in a set; null where it is no key of a known kind.</summary>
    internal static string? ThumbprintOf(JsonElement shown) => ReadKey(shown, out var key) is null ? key?.Thumbprint : null;

    /// <summary>The key of this name, or null.</summary>
    internal JsonWebKey? Find(string keyId) => _byId.GetValueOrDefault(keyId);

    private static ParseFault? ReadSet(JsonElement root, out ImmutableArray<JsonWebKey> keys)
    {
        keys = [];
        if (root.ValueKind is not JsonValueKind.Object || !root.TryGetProperty("keys", out var list) || list.ValueKind is not JsonValueKind.Array)
        {
            return new ParseFault("keys", 0, "a JSON object with the array \"keys\" is expected");
        }

        if (list.GetArrayLength() > Limits.KeySetKeys)
        {
            return new ParseFault("keys", 0, $"more than {Limits.KeySetKeys} keys");
        }

        var read = ImmutableArray.CreateBuilder<JsonWebKey>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var item in list.EnumerateArray())
        {
            // Also among keys that are left out: a name that means two keys is a trap for somebody.
            if (StrictJson.Text(item, "kid") is { } name && !names.Add(name))
            {
                return new ParseFault("kid", 0, "two keys have the same");
            }

            if (ReadKey(item, out var key) is { } fault)
            {
                return fault;
            }

            if (key is not null && (StrictJson.Text(item, "kid") is not null || names.Add(key.KeyId)))
            {
                read.Add(key);
            }
        }

        keys = read.ToImmutable();
        return keys.IsEmpty ? new ParseFault("keys", 0, "none is a key for signatures on P-384 or P-256, or an RSA key of 2048 to 4096 bits for RS256") : null;
    }

    private static ParseFault? ReadKey(JsonElement item, out JsonWebKey? key)
    {
        key = null;
        if (item.ValueKind is not JsonValueKind.Object || StrictJson.Text(item, "kty") is not { } type)
        {
            return new ParseFault("kty", 0, "every key is a JSON object with a type");
        }

        if (type == "oct" || s_private.Any(name => item.TryGetProperty(name, out _)))
        {
            return new ParseFault("keys", 0, "it contains a secret or private key: anyone who reads this set can sign; withdraw the key");
        }

        return type switch
        {
            "EC" => ReadEllipticKey(item, out key),
            "RSA" => ReadRsaKey(item, out key),
            _ => null,
        };
    }

    private static ParseFault? ReadEllipticKey(JsonElement item, out JsonWebKey? key)
    {
        key = null;
        var curve = StrictJson.Text(item, "crv") switch
        {
            "P-384" => SignatureAlgorithm.EcdsaSha384,
            "P-256" => SignatureAlgorithm.EcdsaSha256,
            _ => SignatureAlgorithm.None,
        };
        if (curve is SignatureAlgorithm.None || !IsForSignatures(item) || (item.TryGetProperty("alg", out _) && StrictJson.Text(item, "alg")?.StartsWith("ES", StringComparison.Ordinal) is not true))
        {
            return null;
        }

        if (NameFault(item, out var name) is { } fault)
        {
            return fault;
        }

        if (StrictJson.Text(item, "alg") is { } algorithm && algorithm != (curve is SignatureAlgorithm.EcdsaSha384 ? "ES384" : "ES256"))
        {
            return new ParseFault("alg", 0, "it is not that of the key's curve: ES384 goes with P-384, ES256 with P-256");
        }

        if (Number(item, "x", MostCoordinateCharacters) is not { } x || Number(item, "y", MostCoordinateCharacters) is not { } y || JsonWebKey.OfPoint(curve, x, y, name) is not { } made)
        {
            return new ParseFault("x, y", 0, "canonical base64url of the curve's full length, and a point on it, are expected");
        }

        return Take(item, made, out key);
    }

    // RFC 7518 §6.3.1. Keys of other sizes, exponents and algorithms are left out, as those on other curves are.
    private static ParseFault? ReadRsaKey(JsonElement item, out JsonWebKey? key)
    {
        key = null;
        if (!IsForSignatures(item) || (item.TryGetProperty("alg", out _) && StrictJson.Text(item, "alg") is not "RS256"))
        {
            return null;
        }

        if (NameFault(item, out var name) is { } fault)
        {
            return fault;
        }

        if (Number(item, "n") is not [not 0, ..] modulus || Number(item, "e") is not [not 0, ..] exponent)
        {
            return new ParseFault("n, e", 0, "canonical base64url of whole numbers without leading zeros is expected");
        }

        return exponent is [1, 0, 1] && JsonWebKey.OfModulus(modulus, name) is { } made ? Take(item, made, out key) : null;
    }

    // use, key_ops and alg narrow what a key is for (RFC 7517 §4.2–4.4); a key for encryption, or for PS256, verifies nothing here.
    private static bool IsForSignatures(JsonElement item) =>
        (!item.TryGetProperty("use", out var use) || use is { ValueKind: JsonValueKind.String } && use.ValueEquals("sig"))
        && (!item.TryGetProperty("key_ops", out var operations)
            || operations.ValueKind is JsonValueKind.Array && operations.EnumerateArray().Any(operation => operation.ValueKind is JsonValueKind.String && operation.ValueEquals("verify")));

    // RFC 7517 §4.5: it may be absent, as in Trustee's sets. Then the thumbprint is its name.
    private static ParseFault? NameFault(JsonElement item, out string? name)
    {
        name = StrictJson.Text(item, "kid");
        return item.TryGetProperty("kid", out _) && name is not { Length: > 0 and <= Limits.KeyIdCharacters }
            ? new ParseFault("kid", 0, $"1 to {Limits.KeyIdCharacters} characters are expected: tokens name their key by it") : null;
    }

    private static ParseFault? Take(JsonElement item, JsonWebKey made, out JsonWebKey? key)
    {
        key = null;
        if (item.TryGetProperty("x5c", out var chain) && !CarriesKey(chain, made))
        {
            return new ParseFault("x5c", 0, "its first certificate carries another key");
        }

        key = made;
        return null;
    }

    private static byte[]? Number(JsonElement item, string name, int mostCharacters = Limits.KeySetBytes) =>
        StrictJson.Text(item, name) is { } text && text.Length <= mostCharacters && StrictBase64.TryDecodeUrl(System.Text.Encoding.UTF8.GetBytes(text), out var bytes) ? bytes : null;

    // The chain proves nothing here: trust comes from the source of the set. The chain only must not contradict the key beside it.
    private static bool CarriesKey(JsonElement chain, JsonWebKey key)
    {
        if (chain.ValueKind is not JsonValueKind.Array || chain.GetArrayLength() is 0 or > Limits.ChainCertificates
            || chain[0].ValueKind is not JsonValueKind.String || chain[0].GetString() is not { Length: <= 2 * Limits.CertificateBytes } text
            || !StrictBase64.TryDecode(System.Text.Encoding.UTF8.GetBytes(text), out var der))
        {
            return false;
        }

        try
        {
            using var certificate = X509CertificateLoader.LoadCertificate(der);
            using AsymmetricAlgorithm? its = key.Algorithm is SignatureAlgorithm.RsaPkcs1Sha256 ? certificate.GetRSAPublicKey() : certificate.GetECDsaPublicKey();
            return its is not null && JsonWebKey.OfKey(its)?.Info == key.Info;
        }
        catch (Exception exception) when (exception is CryptographicException or PlatformNotSupportedException)
        {
            // The latter for curves that the platform does not know.
            return false;
        }
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Trust.Jose;

/// <summary>
/// What an issuer publishes about itself (OpenID Connect Discovery 1.0 §3, §4.3; RFC 8414 has the same two members): where its keys are. All other
/// members are for clients that log users in.
/// </summary>
public sealed class IssuerMetadata
{
    private IssuerMetadata(string issuer, string keySetUrl) => (Issuer, KeySetUrl) = (issuer, keySetUrl);

    /// <summary>The one that was expected.</summary>
    public string Issuer { get; }

    /// <summary><c>jwks_uri</c>, as the document states it. Whether it may be asked is for the caller to judge.</summary>
    public string KeySetUrl { get; }

    /// <summary>
    /// Reads the document of this issuer. One that names another is refused, by a single character: otherwise the one who answers at one address could hand
    /// out keys for tokens of another's.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> json, string issuer, [NotNullWhen(true)] out IssuerMetadata? metadata, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentException.ThrowIfNullOrEmpty(issuer);
        metadata = null;
        if (json.Length > Limits.IssuerMetadataBytes)
        {
            fault = new ParseFault("issuer metadata", Limits.IssuerMetadataBytes, $"longer than {Limits.IssuerMetadataBytes} bytes");
            return false;
        }

        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            fault ??= new ParseFault("issuer metadata", 0, "empty");
            return false;
        }

        fault = Read(document.RootElement, issuer, out metadata);
        return metadata is not null && fault is null;
    }

    private static ParseFault? Read(JsonElement root, string issuer, out IssuerMetadata? metadata)
    {
        metadata = null;
        if (root.ValueKind is not JsonValueKind.Object || StrictJson.Text(root, "issuer") is not { } named)
        {
            return new ParseFault("issuer", 0, "a JSON object with the text \"issuer\" is expected");
        }

        if (named != issuer)
        {
            return new ParseFault("issuer", 0, $"\"{Printable.Of(JwsText.Short(named))}\" is found, and exactly \"{issuer}\" is expected");
        }

        if (StrictJson.Text(root, "jwks_uri") is not { Length: > 0 } address)
        {
            return new ParseFault("jwks_uri", 0, "the address of the key set is expected");
        }

        metadata = new IssuerMetadata(named, address);
        return null;
    }
}

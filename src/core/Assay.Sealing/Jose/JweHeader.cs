using System.Text.Json;
using Assay.Sealing.Keys;

namespace Assay.Sealing.Jose;

/// <summary>The header of a JWE: protected, shared and the recipient's members together, each at most once (RFC 7516 §4, §7.2.1).</summary>
internal sealed record JweHeader(JweAlgorithm Algorithm, string? KeyId, SealingPublicKey? Ephemeral, byte[] PartyU, byte[] PartyV)
{
    /// <summary>What the algorithm is called, which is also an input of the derivation.</summary>
    public string AlgorithmName => NameOf(Algorithm);

    public const string ContentAlgorithm = "A256GCM";

    private const int LongestParty = 1024;

    // What others would let a sender choose, and why it is refused.
    private static readonly Dictionary<string, string> s_refused = new(StringComparer.Ordinal)
    {
        ["RSA1_5"] = "its padding tells an attacker whether a guess was right",
        ["RSA-OAEP"] = "it uses SHA-1",
        ["none"] = "it protects nothing",
        ["dir"] = "both sides would need a key already",
    };

    public static string NameOf(JweAlgorithm algorithm) => algorithm switch
    {
        JweAlgorithm.EcdhEs => "ECDH-ES",
        JweAlgorithm.EcdhEsA256Kw => "ECDH-ES+A256KW",
        _ => "RSA-OAEP-256",
    };

    /// <summary>From its JSON objects, those of them that are there.</summary>
    public static (JweHeader? Header, SealingFault? Fault) Of(params IEnumerable<JsonElement?> parts)
    {
        var members = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
        foreach (var part in parts)
        {
            if (part is { ValueKind: not JsonValueKind.Object })
            {
                return Malformed("a header that is no object");
            }

            foreach (var member in part?.EnumerateObject() ?? default)
            {
                if (!members.TryAdd(member.Name, member.Value))
                {
                    return Malformed("a header member in two places");
                }
            }
        }

        // Unknown critical extensions must be refused, and none is known. Compression would let few bytes become very many.
        if (members.ContainsKey("crit") || members.ContainsKey("zip"))
        {
            return (null, new SealingFault(SealingFaults.JweAlgorithm, members.ContainsKey("crit") ? "\"crit\" demands extensions, and none is known" : "\"zip\" is refused", "ask the sender to leave it out"));
        }

        var (algorithm, fault) = AlgorithmOf(Text(members, "alg"), Text(members, "enc"));
        if (fault is not null)
        {
            return (null, fault);
        }

        if (!TryParty(members, "apu", out var partyU) || !TryParty(members, "apv", out var partyV) || (members.TryGetValue("kid", out var kid) && kid.ValueKind is not JsonValueKind.String))
        {
            return Malformed("apu, apv or kid of the wrong form");
        }

        SealingPublicKey? ephemeral = null;
        if (algorithm is JweAlgorithm.EcdhEs or JweAlgorithm.EcdhEsA256Kw)
        {
            ephemeral = members.TryGetValue("epk", out var epk) ? EphemeralOf(epk) : null;
            if (ephemeral is null)
            {
                return Malformed("no epk, or an epk that is not a point of P-256, P-384 or P-521");
            }
        }

        return (new JweHeader(algorithm, Text(members, "kid"), ephemeral, partyU, partyV), null);
    }

    private static (JweAlgorithm Algorithm, SealingFault? Fault) AlgorithmOf(string? algorithm, string? content)
    {
        const string cure = "ask the sender for ECDH-ES+A256KW, ECDH-ES or RSA-OAEP-256, with A256GCM";
        foreach (var known in (JweAlgorithm[])[JweAlgorithm.EcdhEs, JweAlgorithm.EcdhEsA256Kw, JweAlgorithm.RsaOaep256])
        {
            if (NameOf(known) == algorithm)
            {
                return content is ContentAlgorithm
                    ? (known, null)
                    : (default, new SealingFault(SealingFaults.JweAlgorithm, $"\"enc\" is not {ContentAlgorithm}", cure));
            }
        }

        var problem = algorithm is not null && s_refused.TryGetValue(algorithm, out var reason) ? $"\"alg\": {algorithm} is refused, for {reason}" : "\"alg\" is missing, or none of those that are accepted";
        return (default, new SealingFault(SealingFaults.JweAlgorithm, problem, cure));
    }

    private static SealingPublicKey? EphemeralOf(JsonElement epk) =>
        epk.ValueKind is JsonValueKind.Object && !epk.TryGetProperty("d", out _) && StrictJson.Text(epk, "kty") is "EC" && Curve.OfName(StrictJson.Text(epk, "crv")) is { } curve
            ? SealingPublicKey.OfCoordinates(curve, StrictJson.Text(epk, "x"), StrictJson.Text(epk, "y"))
            : null;

    private static bool TryParty(Dictionary<string, JsonElement> members, string name, out byte[] party)
    {
        party = [];
        return !members.ContainsKey(name) || (Base64.TryUrl(Text(members, name), out party!) && party.Length <= LongestParty);
    }

    private static string? Text(Dictionary<string, JsonElement> members, string name) =>
        members.TryGetValue(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;

    private static (JweHeader? Header, SealingFault? Fault) Malformed(string problem) => (null, JweMessage.Malformed(problem));
}

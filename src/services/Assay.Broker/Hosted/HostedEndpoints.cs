using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Client.Guest;
using Assay.Client.Service;
using Assay.Service.Http;
using Assay.Service.Keys;
using Assay.Service.Log;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Hosted;

/// <summary>A broker that runs in a confidential VM of its own, behind our gate.</summary>
public sealed record HostedTerms
{
    /// <summary>The socket of the VM's agent.</summary>
    public required string AgentSocket { get; init; }

    /// <summary>SHA-384 of the TLS certificate that is served now, in hexadecimal; empty: no TLS.</summary>
    public required Func<string> Leaf { get; init; }
}

/// <summary>What the broker shows of itself.</summary>
/// <param name="Statement">What it says, as text: JSON with <c>challenge</c>, <c>issuer</c>, <c>kek</c>, <c>leaf</c>, <c>log</c>, <c>rollback</c>, <c>v</c> and <c>witnesses</c>.</param>
/// <param name="Nonce">SHA-256 of these characters in UTF-8: what the evidence answers.</param>
/// <param name="Evidence">Our bundle, of the machine in which the broker runs.</param>
public sealed record HostedAnswer(string Statement, string Nonce, JsonElement Evidence);

/// <summary>That the broker has the key that its evidence names.</summary>
/// <param name="Jwe">32 random bytes, as a compact JWE to the key of the evidence.</param>
public sealed record HostedProofRequest(string Jwe);

/// <summary>The answer.</summary>
/// <param name="Proof">HMAC-SHA-256 in hexadecimal, under the 32 bytes, over the text <c>assay-broker-proof/v1/LEAF</c>.</param>
public sealed record HostedProof(string Proof);

/// <summary>
/// Evidence of the machine in which the broker runs (S-25, hosted). The evidence answers a statement that names this connection's certificate and the log's key, so
/// that a host that puts itself between shows a certificate of its own, and is found; and the client's challenge, so that it is new. That is half of it: a broker that a
/// machine asks for a key chooses a challenge, and could choose the hash of a statement of their own. So the evidence's key is one that is in no other evidence, and
/// the client seals something to it, which only this endpoint opens (S-23a).
/// </summary>
internal static class HostedEndpoints
{
    /// <summary>What a broker without a witness says of itself, in these words.</summary>
    public const string CanRollBack = "the operator can roll back state";

    private const string Witnessed = "witnessed";
    private const string ReleaseKey = "broker-evidence";
    private const string NoAgent = "the agent of the machine does not answer";
    private const int ChallengeLength = 64;
    private const int LongestJwe = 4096;

    private static readonly JsonWriterOptions s_plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void MapHosted(this IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/broker/evidence", ShowAsync).AllowAnonymous().WithTags("Broker").WithSummary("Evidence of the machine in which this broker runs, over a challenge, its TLS certificate and its log's key.");
        routes.MapPost("/v1/broker/evidence/proof", ProveAsync).AllowAnonymous().WithTags("Broker").WithSummary("That it is this broker whose key that evidence names.");
    }

    private static async Task<Results<Ok<HostedAnswer>, ProblemHttpResult>> ShowAsync(string challenge, BrokerTerms terms, TransparencyLog log, KeyEncryptionKey kek, CancellationToken cancellation)
    {
        if (challenge is not { Length: ChallengeLength } || !challenge.All(char.IsAsciiHexDigitLower))
        {
            return Problems.Of(Problems.BadRequest, "challenge: 64 hexadecimal digits in lower case are expected, 32 random bytes");
        }

        var statement = Statement(challenge, terms, log.PublicKey, kek.Id);
        var nonce = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(statement)));
        try
        {
            using var agent = new GuestAgentClient(terms.Hosted!.AgentSocket);
            var evidence = await agent.GetEvidenceAsync(nonce, ReleaseKey, cancellation).ConfigureAwait(false);
            return TypedResults.Ok(new HostedAnswer(statement, nonce, JsonElement.Parse(evidence.Span)));
        }
        catch (AgentException)
        {
            return Problems.Of(Problems.Unavailable, NoAgent);
        }
    }

    // Of what was sealed nothing comes back but a keyed hash of this end's own certificate: it opens nothing for others.
    private static async Task<Results<Ok<HostedProof>, ProblemHttpResult>> ProveAsync(HostedProofRequest request, BrokerTerms terms, CancellationToken cancellation)
    {
        if (request.Jwe.Length is 0 or > LongestJwe)
        {
            return Problems.Of(Problems.BadRequest, "jwe: a compact JWE is expected");
        }

        try
        {
            using var agent = new GuestAgentClient(terms.Hosted!.AgentSocket);
            using var secret = await agent.UnwrapKeyAsync(ReleaseKey, request.Jwe, cancellation).ConfigureAwait(false);
            return secret.Length != HostedBrokerProof.SecretSize ? Problems.Of(Problems.BadRequest, "jwe: 32 bytes are expected")
                : TypedResults.Ok(new HostedProof(secret.Use(lease => HostedBrokerProof.Of(lease.Bytes, terms.Hosted.Leaf()))));
        }
        catch (AgentException)
        {
            return Problems.Of(Problems.BadRequest, "jwe: it does not open with the key of this broker's evidence, or the agent of the machine does not answer");
        }
    }

    // Members sorted, without white space. All of them are ASCII, so this is canonical JSON too (RFC 8785).
    private static string Statement(string challenge, BrokerTerms terms, string log, string kek)
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, s_plain))
        {
            writer.WriteStartObject();
            writer.WriteString("challenge", challenge);
            writer.WriteString("issuer", terms.Issuer.ToString());
            writer.WriteString("kek", kek);
            writer.WriteString("leaf", terms.Hosted!.Leaf());
            writer.WriteString("log", log);
            writer.WriteString("rollback", terms.Witnesses.IsEmpty ? CanRollBack : Witnessed);
            writer.WriteNumber("v", 1);
            writer.WriteStartArray("witnesses");
            foreach (var witness in terms.Witnesses.Select(witness => witness.Key.ToString()).Order(StringComparer.Ordinal))
            {
                writer.WriteStringValue(witness);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Evidence.Files;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Assay.Service.Challenges;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Log;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Release;

/// <summary>A challenge for one release.</summary>
/// <param name="Id">Sent back with the evidence.</param>
/// <param name="Nonce">What evidence answers: 64 hexadecimal digits.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record ReleaseChallenge(string Id, string Nonce, DateTimeOffset ExpiresAt);

/// <summary>What is answered to a challenge.</summary>
/// <param name="Challenge">The challenge's id.</param>
/// <param name="Evidence">Our bundle, with the key to which the secret is to be sealed; null: <paramref name="NrasToken"/> or <paramref name="Token"/>.</param>
/// <param name="Seal">How: <c>jwe</c>, or <c>hpke</c> where that key is on P-256, P-384 or P-521. Null: <c>jwe</c>.</param>
/// <param name="NrasToken">In place of evidence, where the policy names <c>nras-token</c>: the detached EAT bundle with which NVIDIA's service answered for GPUs over the nonce that challenge and <paramref name="Key"/> make.</param>
/// <param name="Key">With <paramref name="NrasToken"/>, the JWK to which the secret is to be sealed.</param>
/// <param name="Token">In place of evidence, where the policy names <c>assay-token</c>: a token of an Assay attestation service. The secret is sealed to the key that it names.</param>
/// <param name="Possession">With <paramref name="Token"/>, what only that key's machine can answer to the challenge (docs/reference/broker.md).</param>
public sealed record ReleaseRequest(string Challenge, JsonElement? Evidence = null, string? Seal = null, JsonElement? NrasToken = null, JsonElement? Key = null, string? Token = null, string? Possession = null);

/// <summary>For whom a challenge of possession is.</summary>
/// <param name="Key">The JWK that the token names.</param>
public sealed record PossessionRequest(JsonElement Key);

/// <summary>A challenge for one release by a token.</summary>
/// <param name="Id">Sent back with the token.</param>
/// <param name="Jwe">52 bytes, sealed to the key as a compact JWE: <see cref="Client.Service.KeyPossession.Label"/> and 32 more.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record PossessionChallenge(string Id, string Jwe, DateTimeOffset ExpiresAt);

/// <summary>A secret that is sealed by HPKE (RFC 9180, mode base) to a key on P-256, P-384 or P-521: DHKEM of that curve with its HKDF, and AES-256-GCM.</summary>
/// <param name="Enc">The encapsulated key.</param>
/// <param name="Ciphertext">The secret, sealed without associated data. The info is <c>assay-key/v1/KEY/VERSION</c>.</param>
public sealed record HpkeSealed(byte[] Enc, byte[] Ciphertext);

/// <summary>A released key.</summary>
/// <param name="Key">Its name.</param>
/// <param name="Version">Which version.</param>
/// <param name="Jwe">The secret, a compact JWE to the key that the evidence names; null if HPKE was asked for.</param>
/// <param name="Hpke">The same by HPKE; null if it was not asked for.</param>
/// <param name="Image">Of a derived key, the image that it is for: the name in the policy's reference values. Null for others.</param>
/// <param name="Binding">How GPU and confidential VM are bound: <c>boot-event</c>, or a weaker one that the policy names.</param>
/// <param name="Tier">What that is worth: <c>boot-event</c>, <c>evidence-hash</c>, <c>processor-only</c>, <c>unbound</c>, <c>gpu-only</c>, <c>nras-token</c> or <c>assay-token</c>.</param>
/// <param name="LogPosition">Where the release is in the log.</param>
/// <param name="LogEntry">The entry, as it is hashed.</param>
/// <param name="LogProof">That it is in the log (C2SP tlog-proof), for <c>assay audit prove</c>.</param>
public sealed record ReleaseAnswer(string Key, long Version, string? Jwe, HpkeSealed? Hpke, string? Image, string Binding, string Tier, long LogPosition, byte[] LogEntry, string LogProof);

/// <summary>Challenges and releases.</summary>
internal static class ReleaseEndpoints
{
    public const string Purpose = "release";
    private const string PossessionPurpose = "possession";

    public static void MapRelease(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/release-challenges", IssueAsync).RequireScope(Scopes.Release).WithTags("Release").WithSummary("A challenge: random, for one release, short of life.");
        routes.MapPost("/v1/possession-challenges", IssuePossessionAsync).RequireScope(Scopes.Release).WithTags("Release").WithSummary("A challenge for one release by a token: sealed to the key that the token names.");
        routes.MapPost("/v1/keys/{id}/release", ReleaseAsync).RequireScope(Scopes.Release).WithTags("Release").WithMetadata(new BodyLimit(Limits.EvidenceFileBytes + 4096)).WithSummary("Judges evidence, and hands the key to the machine that it is of.");
    }

    private static async Task<Created<ReleaseChallenge>> IssueAsync(ClaimsPrincipal user, ChallengeStore challenges, BrokerTerms terms, CancellationToken cancellation)
    {
        var challenge = await challenges.IssueAsync(Caller.Of(user).Tenant, Purpose, terms.ChallengeLife, cancellation).ConfigureAwait(false);
        return TypedResults.Created((string?)null, new ReleaseChallenge(challenge.Id, challenge.Nonce, challenge.ExpiresAt));
    }

    private static async Task<Results<Created<PossessionChallenge>, ProblemHttpResult>> IssuePossessionAsync(PossessionRequest request, ClaimsPrincipal user, ChallengeStore challenges, BrokerTerms terms, CancellationToken cancellation)
    {
        if (terms.Issuers.IsEmpty)
        {
            return Problems.Of(Problems.BadRequest, "this broker pins no attestation service (broker.issuers), so it takes no token");
        }

        if (!SealingPublicKey.TryParse(JsonMarshal.GetRawUtf8Value(request.Key), out var key, out var unusable))
        {
            return Problems.Of(Problems.BadRequest, $"key: {unusable.Problem}");
        }

        var challenge = await challenges.IssueAsync(Caller.Of(user).Tenant, PossessionPurpose, terms.ChallengeLife, cancellation).ConfigureAwait(false);
        var secret = Possession.SecretFor(challenge.Nonce, key);
        try
        {
            return TypedResults.Created((string?)null, new PossessionChallenge(challenge.Id, Jwe.SealCompact(key, secret), challenge.ExpiresAt));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    private static async Task<Results<Ok<ReleaseAnswer>, ProblemHttpResult>> ReleaseAsync(
        string id, ReleaseRequest request, ClaimsPrincipal user, ChallengeStore challenges, ReleaseRoad road, TransparencyLog log, HttpContext context, CancellationToken cancellation)
    {
        if (ReleaseForm.Of(request.Seal) is not { } form)
        {
            return Problems.Of(Problems.BadRequest, "seal: jwe, hpke or nothing is expected");
        }

        if (!IsOneOfThree(request))
        {
            return Problems.Of(Problems.BadRequest, "evidence, or nrasToken and key, or token and possession, is expected");
        }

        var caller = Caller.Of(user);
        // Before anything is verified: an attempt uses the challenge up, whatever comes of it.
        if (await challenges.RedeemAsync(request.Challenge, caller.Tenant, request.Token is null ? Purpose : PossessionPurpose, cancellation).ConfigureAwait(false) is not { } nonce)
        {
            return Problems.Of(BrokerProblems.ChallengeSpent);
        }

        var raw = request.Token is { } text ? Encoding.UTF8.GetBytes(text) : JsonMarshal.GetRawUtf8Value(request.Evidence ?? request.NrasToken!.Value).ToArray();
        MachineEvidence? evidence = null;
        if (request.Evidence is not null && !MachineEvidence.TryParse(raw, "evidence", out evidence, out var malformed))
        {
            return Problems.Of(BrokerProblems.EvidenceMalformed, malformed.ToString());
        }

        var ask = new ReleaseAsk
        {
            Key = id,
            Evidence = evidence,
            Nras = request.Key is { } key ? new NrasAnswer(raw, JsonMarshal.GetRawUtf8Value(key).ToArray()) : null,
            Token = request.Token is { } token ? new TokenAnswer(token, request.Possession!) : null,
            EvidenceDigest = ReleaseAsk.DigestOf(raw),
            Challenge = nonce,
            Form = form,
        };
        var (outcome, fault) = await road.ReleaseAsync(ask, caller, context.TraceIdentifier, cancellation).ConfigureAwait(false);
        if (outcome is null)
        {
            return Problems.Of(BrokerProblems.EvidenceMalformed, fault);
        }

        if (outcome.IsOutage)
        {
            context.Response.Headers.RetryAfter = "2";
            return Problems.Of(Problems.KekUnavailable, null, ("logPosition", outcome.Receipt.Position));
        }

        // Why a key that exists is not released is for those who read the log: to the asker all denials are alike, but for what is wrong with its own evidence.
        return outcome.Sealed is { } released
            ? TypedResults.Ok(new ReleaseAnswer(
                id, outcome.Version, released.Jwe, released.Hpke, outcome.Image, outcome.Binding, outcome.Tier, outcome.Receipt.Position, outcome.Receipt.Entry.ToArray(), (await log.ProveAsync(outcome.Receipt, cancellation).ConfigureAwait(false)).ToString()))
            : Problems.Of(BrokerProblems.ReleaseDenied, null, ("failed", outcome.Failed), ("logPosition", outcome.Receipt.Position));
    }

    private static bool IsOneOfThree(ReleaseRequest request) =>
        new[] { request.Evidence is not null, request.NrasToken is not null, request.Token is not null }.Count(isThere => isThere) == 1
        && request.NrasToken is null == request.Key is null && request.Token is null == request.Possession is null;
}

using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Attestation.Policies;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Service.Audit;
using Assay.Service.Challenges;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Judging;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Attestation.Appraisals;

/// <summary>What is answered to a challenge.</summary>
/// <param name="Challenge">The challenge's id.</param>
/// <param name="Audience">For whom the token is to be: it chooses the policy.</param>
/// <param name="Evidence">Our bundle, or devices alone in any of the forms that the verifier reads.</param>
public sealed record AppraisalRequest(string Challenge, string Audience, JsonElement Evidence);

/// <summary>What a machine that passed gets.</summary>
/// <param name="Id">The appraisal's.</param>
/// <param name="Verdict"><c>pass</c>.</param>
/// <param name="Policy">Which policy decided.</param>
/// <param name="PolicyVersion">Which version of it.</param>
/// <param name="Form">The token's form.</param>
/// <param name="Token">The token.</param>
/// <param name="ExpiresAt">When it ends.</param>
public sealed record AppraisalAnswer(string Id, string Verdict, string Policy, long PolicyVersion, string Form, string Token, DateTimeOffset ExpiresAt);

/// <summary>A challenge.</summary>
/// <param name="Id">Sent back with the evidence.</param>
/// <param name="Nonce">What evidence answers: 64 hexadecimal digits.</param>
/// <param name="ExpiresAt">When it is too late.</param>
public sealed record ChallengeAnswer(string Id, string Nonce, DateTimeOffset ExpiresAt);

/// <summary>An appraisal as its owner reads it.</summary>
/// <param name="Appraisal">What was asked and decided.</param>
/// <param name="Verdict">The verdict (docs/reference/verdict.md).</param>
public sealed record AppraisalRecord(AppraisalRow Appraisal, JsonElement? Verdict);

/// <summary>Why a token is revoked.</summary>
/// <param name="Reason">In words, for those who ask.</param>
public sealed record RevocationRequest(string Reason);

/// <summary>
/// Challenges and appraisals. What an asker chooses: the audience, among those of its tenant. Not the policy, the anchors, the time, the nonce, or what is
/// overlooked.
/// </summary>
internal static class AppraisalEndpoints
{
    private const int MostListed = 500;

    public static void MapAppraisals(this IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/challenges", IssueAsync).RequireScope(Scopes.Attest).WithTags("Appraisals").WithSummary("A challenge: random, for one appraisal, short of life.");
        var appraisals = routes.MapGroup("/v1/appraisals").WithTags("Appraisals");
        appraisals.MapPost("", AppraiseAsync).RequireScope(Scopes.Attest).WithMetadata(new BodyLimit(Limits.EvidenceFileBytes + 4096)).WithSummary("Judges evidence that answers a challenge, and writes the audience's token.");
        appraisals.MapGet("", ListAsync).RequireScope(Scopes.Read).WithSummary("The latest appraisals of the tenant.");
        appraisals.MapGet("/{id}", FindAsync).RequireScope(Scopes.Read).WithSummary("One appraisal, with every check.");
        appraisals.MapPost("/{id}/revoke", RevokeAsync).RequireScope(Scopes.Policy).WithSummary("Puts the appraisal's token on the list of revoked ones.");
    }

    private static async Task<Created<ChallengeAnswer>> IssueAsync(ClaimsPrincipal user, ChallengeStore challenges, AttestationTerms terms, CancellationToken cancellation)
    {
        var challenge = await challenges.IssueAsync(Caller.Of(user).Tenant, ChallengeStore.Appraisal, terms.ChallengeLife, cancellation).ConfigureAwait(false);
        return TypedResults.Created((string?)null, new ChallengeAnswer(challenge.Id, challenge.Nonce, challenge.ExpiresAt));
    }

    private static async Task<Results<Ok<AppraisalAnswer>, ProblemHttpResult>> AppraiseAsync(
        AppraisalRequest request, ClaimsPrincipal user, ChallengeStore challenges, TenantStore tenants, PolicyStore policies, AppraisalRoad road, HttpContext context, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        if (policies.Find(caller.Tenant, request.Audience) is not { } policy)
        {
            return Problems.Of(AttestationProblems.AudienceUnknown);
        }

        // Before anything is verified: an attempt uses the challenge up, whatever comes of it.
        if (await challenges.RedeemAsync(request.Challenge, caller.Tenant, ChallengeStore.Appraisal, cancellation).ConfigureAwait(false) is not { } nonce)
        {
            return Problems.Of(AttestationProblems.ChallengeSpent);
        }

        if (await AppraisalRoad.IsOverQuotaAsync(caller.Tenant, tenants, cancellation).ConfigureAwait(false))
        {
            return Problems.Of(Problems.QuotaUsedUp);
        }

        return await road.AppraiseAsync(JsonMarshal.GetRawUtf8Value(request.Evidence).ToArray(), nonce, policy, request.Audience, caller, context.TraceIdentifier, cancellation).ConfigureAwait(false);
    }

    private static async Task<Ok<ImmutableArray<AppraisalRow>>> ListAsync(ClaimsPrincipal user, AppraisalStore appraisals, CancellationToken cancellation, int most = 100, long? before = null) =>
        TypedResults.Ok(await appraisals.ListAsync(Caller.Of(user).Tenant, Math.Clamp(most, 1, MostListed), before, cancellation).ConfigureAwait(false));

    private static async Task<Results<Ok<AppraisalRecord>, ProblemHttpResult>> FindAsync(string id, ClaimsPrincipal user, AppraisalStore appraisals, CancellationToken cancellation)
    {
        if (await appraisals.FindAsync(id, Caller.Of(user).Tenant, cancellation).ConfigureAwait(false) is not { } found)
        {
            return Problems.Of(Problems.NotFound);
        }

        return TypedResults.Ok(new AppraisalRecord(found.Row, found.Verdict is { } verdict ? JsonElement.Parse(verdict) : null));
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> RevokeAsync(string id, RevocationRequest request, ClaimsPrincipal user, AppraisalStore appraisals, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        return await appraisals.FindAsync(id, caller.Tenant, cancellation).ConfigureAwait(false) is { Row: { TokenId: not null } row }
            ? await appraisals.RevokeAsync(row, request.Reason, caller.Subject, cancellation).ConfigureAwait(false) ? TypedResults.NoContent() : Problems.Of(Problems.NotFound, "the token is revoked already")
            : Problems.Of(Problems.NotFound);
    }
}

/// <summary>From evidence to an answer that was kept before it is given.</summary>
internal sealed class AppraisalRoad(AttestationService service, AppraisalStore appraisals, AttestationMeters meters, TimeProvider clock)
{
    public static async Task<bool> IsOverQuotaAsync(string tenant, TenantStore tenants, CancellationToken cancellation) =>
        await tenants.FindAsync(tenant, cancellation).ConfigureAwait(false) is { DailyAppraisals: { } quota } && await tenants.CountAppraisalAsync(tenant, cancellation).ConfigureAwait(false) > quota;

    public async Task<Results<Ok<AppraisalAnswer>, ProblemHttpResult>> AppraiseAsync(byte[] evidence, string nonce, CompiledPolicy policy, string audience, Caller caller, string requestId, CancellationToken cancellation)
    {
        if (!MachineEvidence.TryParse(evidence, "evidence", out var machine, out var malformed))
        {
            meters.Count("malformed", policy.Document.Id);
            return Problems.Of(AttestationProblems.EvidenceMalformed, malformed.ToString());
        }

        var (verdict, fault) = await service.JudgeAsync(machine, policy, nonce, service.Now(), cancellation).ConfigureAwait(false);
        if (verdict is null)
        {
            meters.Count("malformed", policy.Document.Id);
            return Problems.Of(AttestationProblems.EvidenceMalformed, fault);
        }

        var unaccepted = verdict.Passed ? policy.Unaccepted(verdict) : [];
        var (token, whyNot) = verdict.Passed && unaccepted.IsEmpty ? service.Write(verdict, policy, audience) : (null, null);
        var row = Row(verdict, token, nonce, policy, audience, caller);
        await appraisals.KeepAsync(row, verdict.ToJson(), evidence, service.Terms.KeepEvidence, Entry(row, verdict, token, unaccepted, requestId), cancellation).ConfigureAwait(false);
        meters.Count(token is not null ? "pass" : verdict.Passed ? "weakened" : verdict.Word, policy.Document.Id);
        return token is not null ? TypedResults.Ok(new AppraisalAnswer(row.Id, verdict.Word, policy.Document.Id, policy.Version, token.Form, token.Text, token.ExpiresAt))
            : !unaccepted.IsEmpty ? Problems.Of(AttestationProblems.VerdictWeakened, null, ("appraisal", row.Id), ("weakened", unaccepted))
            : verdict.Passed ? Problems.Of(AttestationProblems.TokenNotWritten, whyNot, ("appraisal", row.Id))
            : Refused(verdict, row.Id);
    }

    // The asker may be the judged party: it learns the permanent ids, and the tenant's readers learn what was found and expected.
    private static ProblemHttpResult Refused(Verdict verdict, string id)
    {
        var findings = VerdictFindings.Of(verdict).ToArray();
        var missing = verdict.Appraisal.Missing.Length > 0 || verdict.Machine?.Parts.Cpu is { Missing.IsDefaultOrEmpty: false };
        var kind = verdict.Kind is not VerdictKind.Incomplete ? AttestationProblems.EvidenceRefused : missing ? AttestationProblems.CollateralUnavailable : AttestationProblems.EvidenceIncomplete;
        return Problems.Of(
            kind, null, ("appraisal", id),
            ("failed", VerdictFindings.Ids(findings.Where(finding => finding.State is CheckState.Failed))),
            ("notChecked", VerdictFindings.Ids(findings.Where(finding => finding.Cause is NotCheckedCause.Missing))));
    }

    private AppraisalRow Row(Verdict verdict, WrittenToken? token, string nonce, CompiledPolicy policy, string audience, Caller caller) => new()
    {
        Id = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)),
        Tenant = caller.Tenant,
        At = clock.GetUtcNow().ToUnixTimeMilliseconds(),
        Actor = caller.Subject,
        Audience = audience,
        Policy = policy.Document.Id,
        PolicyVersion = policy.Version,
        Verdict = verdict.Word,
        TokenId = token?.Id,
        TokenEnds = token?.ExpiresAt.ToUnixTimeMilliseconds(),
        Nonce = nonce,
    };

    // The fields of deploy R20, as far as this service knows them: measurement ids, policy and version, decision, time, verifier, reason.
    private AuditEvent Entry(AppraisalRow row, Verdict verdict, WrittenToken? token, ImmutableArray<string> unaccepted, string requestId) =>
        new AuditEvent("appraisal", row.Tenant, row.Actor, token is not null ? AuditOutcome.Allowed : AuditOutcome.Denied)
            .With("appraisal", row.Id).With("audience", row.Audience).With("policy", row.Policy).With("policyVersion", row.PolicyVersion).With("verdict", row.Verdict)
            .With("binding", verdict.Binding).With("anchors", verdict.Anchors).With("weakened", verdict.Weakened).With("unaccepted", unaccepted)
            .With("failed", VerdictFindings.Ids(VerdictFindings.Of(verdict).Where(finding => finding.State is CheckState.Failed)))
            .With("devices", verdict.Appraisal.Devices.Count(device => device.Device is not null)).With("tee", verdict.Machine?.Parts.Cpu?.Tee?.Word)
            .With("token", token?.Id).With("verifier", service.Terms.Issuer.ToString()).With("request", requestId);
}

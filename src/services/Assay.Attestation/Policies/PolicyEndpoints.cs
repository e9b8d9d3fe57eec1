using System.Collections.Immutable;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Assay.Attestation.Appraisals;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Judging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Attestation.Policies;

/// <summary>A version that was taken.</summary>
public sealed record PolicyAdded(string Id, long Version, string Sha384);

/// <summary>A policy with its versions.</summary>
public sealed record PolicyAnswer(PolicyState State, ImmutableArray<PolicyVersionAnswer> Versions);

/// <summary>One version without its document.</summary>
public sealed record PolicyVersionAnswer(long Version, string Sha384, DateTimeOffset CreatedAt, string CreatedBy);

/// <summary>
/// Policies: versions are added and never changed, tried on stored evidence, staged, activated once their own tests pass, and rolled back. An audience that
/// the operator assigned to the tenant chooses the active version.
/// </summary>
internal static class PolicyEndpoints
{
    public static void MapPolicies(this IEndpointRouteBuilder routes)
    {
        var policies = routes.MapGroup("/v1/policies").WithTags("Policies");
        policies.MapGet("", ListAsync).RequireScope(Scopes.Read).WithSummary("The policies of the tenant.");
        policies.MapPost("", AddAsync).RequireScope(Scopes.Policy).WithMetadata(new BodyLimit(ServicePolicy.MostBytes)).WithSummary("Adds a version of a policy. It decides nothing yet.").Accepts<JsonElement>("application/json");
        policies.MapGet("/{id}", FindAsync).RequireScope(Scopes.Read).WithSummary("A policy with its versions.");
        policies.MapGet("/{id}/versions/{version:long}", DocumentAsync).RequireScope(Scopes.Read).WithSummary("The document of a version.");
        policies.MapPost("/{id}/versions/{version:long}/test", TestAsync).RequireScope(Scopes.Policy).WithSummary("Runs a version's own tests.");
        policies.MapPost("/{id}/versions/{version:long}/dry-run", DryRunAsync).RequireScope(Scopes.Policy).WithSummary("Judges the latest stored appraisals again under this version: which machines would it refuse?");
        policies.MapPost("/{id}/versions/{version:long}/stage", StageAsync).RequireScope(Scopes.Policy).WithSummary("Stages a version.");
        policies.MapPost("/{id}/versions/{version:long}/activate", ActivateAsync).RequireScope(Scopes.Policy).WithSummary("Makes a version the one that decides, if its tests pass.");
        policies.MapPost("/{id}/rollback", RollBackAsync).RequireScope(Scopes.Policy).WithSummary("Back to the version that decided before.");
    }

    private static async Task<Ok<ImmutableArray<PolicyState>>> ListAsync(ClaimsPrincipal user, PolicyStore policies, CancellationToken cancellation) =>
        TypedResults.Ok(await policies.ListAsync(Caller.Of(user).Tenant, cancellation).ConfigureAwait(false));

    private static async Task<Results<Created<PolicyAdded>, ProblemHttpResult>> AddAsync(HttpContext context, ClaimsPrincipal user, PolicyStore policies, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        var json = await RequestBody.ReadAsync(context).ConfigureAwait(false);
        if (!CompiledPolicy.TryCompile(caller.Tenant, 0, json, out var policy, out var fault))
        {
            return Problems.Of(AttestationProblems.PolicyMalformed, fault);
        }

        if (!ResourceName.IsValid(policy.Document.Id))
        {
            return Problems.Of(AttestationProblems.PolicyMalformed, $"$.id: {ResourceName.Expected}");
        }

        return await policies.AddAsync(policy, Encoding.UTF8.GetString(json), caller.Subject, cancellation).ConfigureAwait(false) is { } version
            ? TypedResults.Created($"/v1/policies/{policy.Document.Id}", new PolicyAdded(policy.Document.Id, version, policy.Digest.ToString()))
            : Problems.Of(Problems.Forbidden, "a policy of this name is another tenant's: choose another name");
    }

    private static async Task<Results<Ok<PolicyAnswer>, ProblemHttpResult>> FindAsync(string id, ClaimsPrincipal user, PolicyStore policies, CancellationToken cancellation) =>
        await policies.StateAsync(id, Caller.Of(user).Tenant, cancellation).ConfigureAwait(false) is { } state
            ? TypedResults.Ok(new PolicyAnswer(state, [.. (await policies.VersionsAsync(id, cancellation).ConfigureAwait(false)).Select(row => new PolicyVersionAnswer(row.Version, row.Sha384, DateTimeOffset.FromUnixTimeMilliseconds(row.CreatedAt), row.CreatedBy))]))
            : Problems.Of(Problems.NotFound);

    private static async Task<Results<ContentHttpResult, ProblemHttpResult>> DocumentAsync(string id, long version, ClaimsPrincipal user, PolicyStore policies, CancellationToken cancellation) =>
        await policies.StateAsync(id, Caller.Of(user).Tenant, cancellation).ConfigureAwait(false) is not null && await policies.VersionAsync(id, version, cancellation).ConfigureAwait(false) is { } row
            ? TypedResults.Content(row.Document, "application/json") : Problems.Of(Problems.NotFound);

    private static async Task<Results<Ok<PolicyTestReport>, ProblemHttpResult>> TestAsync(string id, long version, ClaimsPrincipal user, PolicyStore policies, PolicyTrial trial, CancellationToken cancellation) =>
        await CompiledAsync(policies, id, version, user, cancellation).ConfigureAwait(false) is { } found
            ? TypedResults.Ok(await trial.TestAsync(found.Policy, cancellation).ConfigureAwait(false)) : Problems.Of(Problems.NotFound);

    private static async Task<Results<Ok<DryRunReport>, ProblemHttpResult>> DryRunAsync(string id, long version, ClaimsPrincipal user, PolicyStore policies, PolicyTrial trial, CancellationToken cancellation, int most = 200) =>
        await CompiledAsync(policies, id, version, user, cancellation).ConfigureAwait(false) is { } found
            ? TypedResults.Ok(await trial.DryRunAsync(found.Policy, Math.Clamp(most, 1, PolicyTrial.MostTried), cancellation).ConfigureAwait(false)) : Problems.Of(Problems.NotFound);

    private static async Task<Results<NoContent, ProblemHttpResult>> StageAsync(string id, long version, ClaimsPrincipal user, PolicyStore policies, CancellationToken cancellation)
    {
        if (await CompiledAsync(policies, id, version, user, cancellation).ConfigureAwait(false) is not { } found)
        {
            return Problems.Of(Problems.NotFound);
        }

        await policies.StageAsync(found.State, version, Caller.Of(user).Subject, cancellation).ConfigureAwait(false);
        return TypedResults.NoContent();
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> ActivateAsync(string id, long version, ClaimsPrincipal user, PolicyStore policies, PolicyTrial trial, CancellationToken cancellation)
    {
        if (await CompiledAsync(policies, id, version, user, cancellation).ConfigureAwait(false) is not { } found)
        {
            return Problems.Of(Problems.NotFound);
        }

        if (await policies.WhyNotAssignedAsync(found.Policy, cancellation).ConfigureAwait(false) is { } unassigned)
        {
            return Problems.Of(AttestationProblems.AudienceNotAssigned, unassigned);
        }

        var report = await trial.TestAsync(found.Policy, cancellation).ConfigureAwait(false);
        return !report.Passed ? Problems.Of(AttestationProblems.PolicyTestsFailed, report.Tests.IsEmpty ? "it has no test" : null, ("tests", report.Tests))
            : await policies.ActivateAsync(found.State, found.Policy, "policy.activate", Caller.Of(user).Subject, cancellation).ConfigureAwait(false) ? TypedResults.NoContent()
            : Problems.Of(AttestationProblems.PolicyChanged);
    }

    // A version that decided before passed its tests then: in an emergency nothing else is asked of it.
    private static async Task<Results<NoContent, ProblemHttpResult>> RollBackAsync(string id, ClaimsPrincipal user, PolicyStore policies, CancellationToken cancellation)
    {
        if (await policies.StateAsync(id, Caller.Of(user).Tenant, cancellation).ConfigureAwait(false) is not { Previous: { } previous }
            || await CompiledAsync(policies, id, previous, user, cancellation).ConfigureAwait(false) is not { } found)
        {
            return Problems.Of(Problems.NotFound, "there is no version to go back to");
        }

        return await policies.WhyNotAssignedAsync(found.Policy, cancellation).ConfigureAwait(false) is { } unassigned ? Problems.Of(AttestationProblems.AudienceNotAssigned, unassigned)
            : await policies.ActivateAsync(found.State, found.Policy, "policy.rollback", Caller.Of(user).Subject, cancellation).ConfigureAwait(false) ? TypedResults.NoContent()
            : Problems.Of(AttestationProblems.PolicyChanged);
    }

    private static async Task<(PolicyState State, CompiledPolicy Policy)?> CompiledAsync(PolicyStore policies, string id, long version, ClaimsPrincipal user, CancellationToken cancellation)
    {
        var tenant = Caller.Of(user).Tenant;
        return await policies.StateAsync(id, tenant, cancellation).ConfigureAwait(false) is { } state
            && await policies.VersionAsync(id, version, cancellation).ConfigureAwait(false) is { } row
            && CompiledPolicy.TryCompile(tenant, version, Encoding.UTF8.GetBytes(row.Document), out var policy, out _) ? (state, policy) : null;
    }
}

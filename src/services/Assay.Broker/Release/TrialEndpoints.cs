using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Text.Json;
using Assay.Broker.Keys;
using Assay.Evidence.Files;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Release;

/// <summary>What is tried.</summary>
/// <param name="Policy">A policy in place of the one in force; null: that one.</param>
/// <param name="Evidence">A machine's evidence that was kept; null: the policy's own tests alone.</param>
/// <param name="Challenge">What the evidence answers, as text; null: the nonce that it states.</param>
/// <param name="At">The instant at which it is judged; null: now.</param>
public sealed record TrialRequest(JsonElement? Policy = null, JsonElement? Evidence = null, string? Challenge = null, DateTimeOffset? At = null);

/// <summary>Dry runs of release policies. They release nothing, use no challenge and write nothing.</summary>
internal static class TrialEndpoints
{
    private const int MostPolicyBytes = 1024 * 1024;

    public static void MapTrials(this IEndpointRouteBuilder routes) =>
        routes.MapPost("/v1/keys/{id}/policy/dry-run", DryRunAsync).RequireScope(Scopes.Broker).WithTags("Keys").WithMetadata(new BodyLimit(Limits.EvidenceFileBytes + MostPolicyBytes))
            .WithSummary("Would this machine get the key under this policy; if not, why not? Nothing is released.");

    private static async Task<Results<Ok<ReleaseTrialReport>, ProblemHttpResult>> DryRunAsync(string id, TrialRequest request, ClaimsPrincipal user, KeyStore keys, ReleaseTrial trial, CancellationToken cancellation)
    {
        var tenant = Caller.Of(user).Tenant;
        if (await keys.FindAsync(tenant, id, cancellation).ConfigureAwait(false) is null)
        {
            return Problems.Of(Problems.NotFound);
        }

        CompiledRelease? draft = null;
        if (request.Policy is { } policy && !ReleasePolicy.TryCompile(JsonMarshal.GetRawUtf8Value(policy), out draft, out var fault, isNew: true))
        {
            return Problems.Of(BrokerProblems.PolicyRefused, fault);
        }

        MachineEvidence? evidence = null;
        if (request.Evidence is { } shown && !MachineEvidence.TryParse(JsonMarshal.GetRawUtf8Value(shown).ToArray(), "evidence", out evidence, out var malformed))
        {
            return Problems.Of(BrokerProblems.EvidenceMalformed, malformed.ToString());
        }

        var (report, wrong) = await trial.DryRunAsync(tenant, id, draft, evidence, request.Challenge, request.At, cancellation).ConfigureAwait(false);
        return report is not null ? TypedResults.Ok(report)
            : wrong is null ? Problems.Of(Problems.BadRequest, "policy: the key has none yet, so one is expected here")
            : Problems.Of(BrokerProblems.EvidenceMalformed, wrong);
    }
}

using System.Collections.Immutable;
using System.Security.Claims;
using Assay.Attestation.Policies;
using Assay.Service.Http;
using Assay.Service.Identity;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Attestation.Administration;

/// <summary>An audience, and whose it is to be.</summary>
public sealed record AudienceRequest(string Audience, string Tenant);

/// <summary>An audience of the tenant, and the policy that decides about it.</summary>
public sealed record AudienceAnswer(string Audience, string? Policy);

/// <summary>
/// Whose an audience is. A relying party knows this service's issuer and its own name, and no tenants: were audiences free, the tenant next door could
/// write a policy for the name of another's relying party. So the operator gives each to one tenant.
/// </summary>
internal static class AudienceEndpoints
{
    public static void MapAudiences(this IEndpointRouteBuilder routes)
    {
        var audiences = routes.MapGroup("/v1/audiences").WithTags("Administration");
        audiences.MapGet("", ListAsync).RequireScope(Scopes.Read).WithSummary("The audiences of the tenant.");
        audiences.MapPut("", AssignAsync).RequireScope(Scopes.Operator).WithSummary("Gives an audience to a tenant.");
    }

    private static async Task<Ok<ImmutableArray<AudienceAnswer>>> ListAsync(ClaimsPrincipal user, PolicyStore policies, CancellationToken cancellation) =>
        TypedResults.Ok(ImmutableArray.CreateRange((await policies.AudiencesAsync(Caller.Of(user).Tenant, cancellation).ConfigureAwait(false)).Select(row => new AudienceAnswer(row.Audience, row.Policy))));

    private static async Task<Results<NoContent, ProblemHttpResult>> AssignAsync(AudienceRequest request, ClaimsPrincipal user, PolicyStore policies, TenantStore tenants, CancellationToken cancellation) =>
        request.Audience.Length is 0 or > 512 || request.Audience.StartsWith(AttestationService.NrasAudience, StringComparison.Ordinal) ? Problems.Of(Problems.BadRequest, "audience: 1 to 512 characters that no path of the service has")
        : await tenants.FindAsync(request.Tenant, cancellation).ConfigureAwait(false) is null ? Problems.Of(Problems.NotFound, "there is no such tenant")
        : await policies.AssignAsync(request.Audience, request.Tenant, Caller.Of(user).Subject, cancellation).ConfigureAwait(false) ? TypedResults.NoContent()
        : Problems.Of(AttestationProblems.AudienceNotAssigned, "it is another tenant's");
}

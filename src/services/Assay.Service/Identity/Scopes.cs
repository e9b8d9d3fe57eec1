using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Security.Claims;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;

namespace Assay.Service.Identity;

/// <summary>What a caller may do. An endpoint names one of them, or says that anyone may call it; there is no third kind.</summary>
public static class Scopes
{
    /// <summary>Ask for challenges and have evidence judged.</summary>
    public const string Attest = "attest";

    /// <summary>Read the tenant's appraisals and policies.</summary>
    public const string Read = "read";

    /// <summary>Write, test, activate and roll back the tenant's policies, and revoke its verdicts.</summary>
    public const string Policy = "policy";

    /// <summary>Read the tenant's audit entries.</summary>
    public const string Audit = "audit";

    /// <summary>Make and revoke the tenant's API keys.</summary>
    public const string Keys = "keys";

    /// <summary>The operator: tenants, audiences, signing keys. It reads no tenant's appraisals.</summary>
    public const string Operator = "operator";

    /// <summary>All of them.</summary>
    public static ImmutableArray<string> All { get; } = [Attest, Read, Policy, Audit, Keys, Operator];

    /// <summary>Sets of scopes by a name, for logins that carry roles.</summary>
    public static FrozenDictionary<string, ImmutableArray<string>> Roles { get; } = new Dictionary<string, ImmutableArray<string>>(StringComparer.Ordinal)
    {
        ["attester"] = [Attest],
        ["auditor"] = [Read, Audit],
        ["policy-editor"] = [Read, Policy],
        ["tenant-admin"] = [Attest, Read, Policy, Audit, Keys],
        ["operator"] = [Operator],
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Demands a scope of whoever calls the endpoint.</summary>
    public static TBuilder RequireScope<TBuilder>(this TBuilder endpoint, string scope)
        where TBuilder : IEndpointConventionBuilder =>
        endpoint.RequireAuthorization(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().RequireClaim(Caller.ScopeClaim, scope).Build()).WithMetadata(new RequiredScope(scope));
}

/// <summary>The scope that an endpoint demands: the API's description and the walls in tests read it.</summary>
/// <param name="Scope">One of <see cref="Scopes"/>.</param>
public sealed record RequiredScope(string Scope);

/// <summary>Who calls: always of one tenant, with scopes.</summary>
/// <param name="Tenant">The tenant; empty for the operator's own.</param>
/// <param name="Subject">Who it is, for the audit log.</param>
public sealed record Caller(string Tenant, string Subject)
{
    internal const string ScopeClaim = "assay_scope";
    internal const string TenantClaim = "assay_tenant";
    internal const string SubjectClaim = "assay_subject";

    /// <summary>The caller that authentication found.</summary>
    public static Caller Of(ClaimsPrincipal principal)
    {
        ArgumentNullException.ThrowIfNull(principal);
        return new Caller(
            principal.FindFirst(TenantClaim)?.Value ?? throw new InvalidOperationException("asked without authentication"),
            principal.FindFirst(SubjectClaim)!.Value);
    }

    internal static ClaimsPrincipal Principal(string scheme, string tenant, string subject, IEnumerable<string> scopes) => new(new ClaimsIdentity(
        [new Claim(TenantClaim, tenant), new Claim(SubjectClaim, subject), .. scopes.Select(scope => new Claim(ScopeClaim, scope))], scheme));
}

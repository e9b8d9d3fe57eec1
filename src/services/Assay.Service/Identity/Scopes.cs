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

    /// <summary>Ask for keys with evidence.</summary>
    public const string Release = "release";

    /// <summary>Make, change and freeze the tenant's keys, and write their release policies.</summary>
    public const string Broker = "broker";

    /// <summary>The operator: tenants, audiences, signing keys. It reads no tenant's appraisals.</summary>
    public const string Operator = "operator";

    /// <summary>All of them.</summary>
    public static ImmutableArray<string> All { get; } = [Attest, Read, Policy, Audit, Keys, Release, Broker, Operator];

    /// <summary>Sets of scopes by a name, for logins that carry roles.</summary>
    public static FrozenDictionary<string, ImmutableArray<string>> Roles { get; } = new Dictionary<string, ImmutableArray<string>>(StringComparer.Ordinal)
    {
        ["attester"] = [Attest],
        ["releaser"] = [Release],
        ["key-owner"] = [Read, Broker, Audit],
        ["auditor"] = [Read, Audit],
        ["policy-editor"] = [Read, Policy],
        ["tenant-admin"] = [Attest, Read, Policy, Audit, Keys],
        ["operator"] = [Operator],
    }.ToFrozenDictionary(StringComparer.Ordinal);

    /// <summary>Demands a scope of whoever calls the endpoint.</summary>
    public static TBuilder RequireScope<TBuilder>(this TBuilder endpoint, string scope)
        where TBuilder : IEndpointConventionBuilder =>
        endpoint.RequireScope([scope]);

    /// <summary>Demands one of several scopes, where an endpoint then asks for the one that the operation needs. The first is the one that is told.</summary>
    public static TBuilder RequireScope<TBuilder>(this TBuilder endpoint, ImmutableArray<string> scopes)
        where TBuilder : IEndpointConventionBuilder =>
        endpoint.RequireAuthorization(new AuthorizationPolicyBuilder().RequireAuthenticatedUser().RequireClaim(Caller.ScopeClaim, scopes).Build()).WithMetadata(new RequiredScope(scopes[0]));

    /// <summary>Whether a caller has a scope.</summary>
    public static bool HasScope(this ClaimsPrincipal principal, string scope)
    {
        ArgumentNullException.ThrowIfNull(principal);
        return principal.HasClaim(Caller.ScopeClaim, scope);
    }
}

/// <summary>The scope that an endpoint demands: the API's description and the walls in tests read it.</summary>
/// <param name="Scope">One of <see cref="Scopes"/>.</param>
public sealed record RequiredScope(string Scope);

/// <summary>Marks an endpoint whose clients may send an API key in this header, as their protocol has no bearer credentials. No other endpoint reads it.</summary>
/// <param name="Name">The header.</param>
public sealed record CredentialHeader(string Name);

/// <summary>Who calls: always of one tenant, with scopes.</summary>
/// <param name="Tenant">The tenant; empty for the operator's own.</param>
/// <param name="Subject">Who it is, for the audit log.</param>
public sealed record Caller(string Tenant, string Subject)
{
    /// <summary>Whether this is a person's login: an API key identifies no person, and may be shared.</summary>
    public bool IsPerson => !Subject.StartsWith(KeyPrefix, StringComparison.Ordinal);

    /// <summary>Who it is where two persons are needed: logins of one person have it in common, as far as the configuration says so.</summary>
    public string Person { get; init; } = Subject;

    /// <summary>Whether it may make API keys or tenants: such a caller is no second person.</summary>
    public bool MayMakeIdentities { get; init; }

    internal const string KeyPrefix = "key:";
    internal const string ScopeClaim = "assay_scope";
    internal const string TenantClaim = "assay_tenant";
    internal const string SubjectClaim = "assay_subject";
    internal const string PersonClaim = "assay_person";

    /// <summary>The caller that authentication found.</summary>
    public static Caller Of(ClaimsPrincipal principal)
    {
        ArgumentNullException.ThrowIfNull(principal);
        var subject = principal.FindFirst(SubjectClaim)?.Value;
        return new Caller(principal.FindFirst(TenantClaim)?.Value ?? throw new InvalidOperationException("asked without authentication"), subject!)
        {
            Person = principal.FindFirst(PersonClaim)?.Value ?? subject!,
            MayMakeIdentities = MayMakeKeys(principal),
        };
    }

    internal static bool MayMakeKeys(ClaimsPrincipal principal) => principal.HasClaim(ScopeClaim, Scopes.Keys) || principal.HasClaim(ScopeClaim, Scopes.Operator);

    internal static ClaimsPrincipal Principal(string scheme, string tenant, string subject, IEnumerable<string> scopes, string? person = null) => new(new ClaimsIdentity(
        [new Claim(TenantClaim, tenant), new Claim(SubjectClaim, subject), new Claim(PersonClaim, person ?? subject), .. scopes.Select(scope => new Claim(ScopeClaim, scope))], scheme));
}

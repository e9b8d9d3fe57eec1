using System.Collections.Immutable;

namespace Assay.Service.Identity;

/// <summary>Who may log in beside the holders of API keys.</summary>
public sealed record ServiceAuthentication
{
    /// <summary>Issuers whose tokens are taken.</summary>
    public IReadOnlyList<OidcLogin> Oidc { get; init; } = [];

    /// <summary>Client certificates that are taken.</summary>
    public IReadOnlyList<CertificateLogin> Certificates { get; init; } = [];
}

/// <summary>An OIDC issuer whose tokens are logins.</summary>
public sealed record OidcLogin
{
    /// <summary>Its <c>iss</c>: https, or http on loopback.</summary>
    public required string Issuer { get; init; }

    /// <summary>The audience that its tokens must have.</summary>
    public required string Audience { get; init; }

    /// <summary>The tenant of everyone who logs in here; null: <see cref="TenantClaim"/> says it.</summary>
    public string? Tenant { get; init; }

    /// <summary>The claim that names the tenant.</summary>
    public string? TenantClaim { get; init; }

    /// <summary>The claim that lists roles: an array, or text with spaces.</summary>
    public string RolesClaim { get; init; } = "roles";

    /// <summary>The issuer's words for our roles: theirs → ours. What is not listed grants nothing.</summary>
    public IReadOnlyDictionary<string, string> Roles { get; init; } = ImmutableDictionary<string, string>.Empty;
}

/// <summary>A client certificate that is a login. It must chain to the listener's client CA.</summary>
public sealed record CertificateLogin
{
    /// <summary>SHA-256 of the certificate, 64 hexadecimal digits; null: <see cref="Subject"/> is compared.</summary>
    public string? Sha256 { get; init; }

    /// <summary>The subject's distinguished name, exactly; null: <see cref="Sha256"/> is compared.</summary>
    public string? Subject { get; init; }

    /// <summary>Its tenant.</summary>
    public required string Tenant { get; init; }

    /// <summary>What it may do.</summary>
    public required IReadOnlyList<string> Roles { get; init; }

    /// <summary>
    /// Whose it is, where two persons are needed: the same word for all certificates of a person, and <c>ISSUER#SUB</c> for one who also logs in by OIDC. Null: each
    /// certificate is a person, and all of one <see cref="Subject"/> are one.
    /// </summary>
    public string? Person { get; init; }
}

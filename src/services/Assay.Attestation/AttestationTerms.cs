using Assay.Collateral.Cache;
using Assay.Tokens;
using Assay.Trust;

namespace Assay.Attestation;

/// <summary>What the attestation role of a host is made of.</summary>
public sealed record AttestationTerms
{
    /// <summary>The <c>iss</c> of every token, and the base of the discovery document.</summary>
    public required TokenIssuer Issuer { get; init; }

    /// <summary>Under whose anchors evidence is judged.</summary>
    public required TrustSet Trust { get; init; }

    /// <summary>Where collateral comes from. The host disposes it.</summary>
    public required CachedSource Collateral { get; init; }

    /// <summary>The same for NVIDIA's paths: their overall result demands that OCSP answers have the nonce of their request (S-14).</summary>
    public required CachedSource NrasCollateral { get; init; }

    /// <summary>How long a challenge can be answered.</summary>
    public TimeSpan ChallengeLife { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>How long all the fetching of one appraisal may take.</summary>
    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>How long raw evidence is kept, encrypted, so that a new policy can be tried on it; zero: not at all.</summary>
    public TimeSpan KeepEvidence { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long appraisals are kept.</summary>
    public TimeSpan KeepAppraisals { get; init; } = TimeSpan.FromDays(90);

    /// <summary>How often a process looks for policies that another one activated.</summary>
    public TimeSpan PolicyReload { get; init; } = TimeSpan.FromSeconds(2);

    /// <summary>How often live tokens are judged again, so that one whose collateral was revoked since is put on the list of revoked ones; zero: never.</summary>
    public TimeSpan Reappraisal { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The tenant of callers without a credential at NVIDIA's paths; null: there a credential is needed as everywhere.</summary>
    public string? NrasAnonymousTenant { get; init; }
}

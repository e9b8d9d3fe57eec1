using System.Collections.Immutable;
using Assay.Service.Http;

namespace Assay.Attestation;

/// <summary>The kinds of problems of this role: docs/reference/service.md.</summary>
public static class AttestationProblems
{
    /// <summary>The challenge is unknown, used or expired.</summary>
    public static ProblemKind ChallengeSpent { get; } = new("challenge-spent", 409, "The challenge is unknown, answered or expired.");

    /// <summary>No policy decides about this audience.</summary>
    public static ProblemKind AudienceUnknown { get; } = new("audience-unknown", 403, "No active policy of the tenant decides about this audience.");

    /// <summary>The evidence cannot be read.</summary>
    public static ProblemKind EvidenceMalformed { get; } = new("evidence-malformed", 400, "The evidence cannot be read.");

    /// <summary>The evidence was judged, and refused.</summary>
    public static ProblemKind EvidenceRefused { get; } = new("evidence-refused", 422, "The evidence does not satisfy the audience's policy.");

    /// <summary>Something that the policy demands is not shown.</summary>
    public static ProblemKind EvidenceIncomplete { get; } = new("evidence-incomplete", 422, "Something that the audience's policy demands is not shown.");

    /// <summary>Collateral could not be fetched.</summary>
    public static ProblemKind CollateralUnavailable { get; } = new("collateral-unavailable", 503, "Nothing failed, but collateral could not be fetched: come again later.");

    /// <summary>It passed, weaker than the policy accepts.</summary>
    public static ProblemKind VerdictWeakened { get; } = new("verdict-weakened", 422, "The evidence passes only with weakenings that the audience's policy does not accept.");

    /// <summary>The token could not be written.</summary>
    public static ProblemKind TokenNotWritten { get; } = new("token-not-written", 422, "The evidence passes, but no token of this form can be written about it.");

    /// <summary>The policy document is malformed.</summary>
    public static ProblemKind PolicyMalformed { get; } = new("policy-malformed", 400, "The policy document cannot be read.");

    /// <summary>A test of the policy failed.</summary>
    public static ProblemKind PolicyTestsFailed { get; } = new("policy-tests-failed", 409, "The policy's own tests do not pass, so it is not activated.");

    /// <summary>Somebody changed the policy in between.</summary>
    public static ProblemKind PolicyChanged { get; } = new("policy-changed", 409, "The policy was changed in between: read it again.");

    /// <summary>The audience is not the tenant's.</summary>
    public static ProblemKind AudienceNotAssigned { get; } = new("audience-not-assigned", 403, "The operator has not assigned this audience to the tenant.");

    /// <summary>A key of a TPM cannot take part.</summary>
    public static ProblemKind TpmKeyRefused { get; } = new("tpm-key-refused", 422, "A key of the TPM is not of the kind that is expected, or its endorsement key is not enrolled.");

    /// <summary>The credential's secret was not shown.</summary>
    public static ProblemKind CredentialNotActivated { get; } = new("credential-not-activated", 409, "The credential is unknown, answered or expired, or this is not its secret.");

    /// <summary>All of them.</summary>
    public static ImmutableArray<ProblemKind> All { get; } =
        [ChallengeSpent, AudienceUnknown, EvidenceMalformed, EvidenceRefused, EvidenceIncomplete, CollateralUnavailable, VerdictWeakened, TokenNotWritten, PolicyMalformed, PolicyTestsFailed, PolicyChanged, AudienceNotAssigned, TpmKeyRefused, CredentialNotActivated];
}

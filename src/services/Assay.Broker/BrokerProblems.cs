using System.Collections.Immutable;
using Assay.Service.Http;
using Assay.Service.Log;

namespace Assay.Broker;

/// <summary>The kinds of problems of this role: docs/reference/broker.md.</summary>
public static class BrokerProblems
{
    /// <summary>The challenge is unknown, used or expired.</summary>
    public static ProblemKind ChallengeSpent { get; } = new("release-challenge-spent", 409, "The challenge is unknown, answered or expired.");

    /// <summary>There is such a key already.</summary>
    public static ProblemKind KeyExists { get; } = new("key-exists", 409, "The tenant has a key of this name, or with this resource.");

    /// <summary>The key was changed in between.</summary>
    public static ProblemKind KeyChanged { get; } = new("key-changed", 409, "The key was changed in between: read it again.");

    /// <summary>The key's state does not allow it.</summary>
    public static ProblemKind KeyState { get; } = new("key-state", 409, "The key's state does not allow this.");

    /// <summary>The release policy cannot be taken.</summary>
    public static ProblemKind PolicyRefused { get; } = new("release-policy-refused", 400, "The release policy cannot be read, or would release to anybody.");

    /// <summary>The evidence cannot be read.</summary>
    public static ProblemKind EvidenceMalformed { get; } = new("release-evidence-malformed", 400, "The evidence cannot be read.");

    /// <summary>The key is not released.</summary>
    public static ProblemKind ReleaseDenied { get; } = new("release-denied", 403, "The key is not released to this machine now. The reason is in the log, at logPosition, for those who may read it.");

    /// <summary>The release policy's own tests do not all pass.</summary>
    public static ProblemKind PolicyTestsFailed { get; } = new("release-policy-tests-failed", 409, "The release policy's own tests do not all pass: it was not set.");

    /// <summary>The manifest of reference values cannot be read.</summary>
    public static ProblemKind ManifestRefused { get; } = new("manifest-refused", 400, "The manifest of reference values cannot be read, or does not hold now.");

    /// <summary>Two persons are needed.</summary>
    public static ProblemKind SecondPerson { get; } = new("second-person", 403, "Two persons are needed for this, logged in by OIDC or client certificate: API keys do not count, nor who may create identities.");

    /// <summary>What was approved is not what waits.</summary>
    public static ProblemKind ApprovalRefused { get; } = new("approval-refused", 409, "The act is expired, or its digest is another one: read it again.");

    /// <summary>All of them.</summary>
    public static ImmutableArray<ProblemKind> All { get; } = [ChallengeSpent, KeyExists, KeyChanged, KeyState, PolicyRefused, PolicyTestsFailed, EvidenceMalformed, ReleaseDenied, ManifestRefused, SecondPerson, ApprovalRefused, .. LogProblems.All];
}

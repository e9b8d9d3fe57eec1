using System.Collections.Immutable;
using Assay.Sealing.Keys;
using Assay.Wire;

namespace Assay.Broker.Release;

/// <summary>What was found out about a machine before it is decided whether it gets a key, and under which policy.</summary>
internal sealed record Judgement
{
    /// <summary>Why it could not be judged at all; null: it was.</summary>
    public string? Fault { get; init; }

    /// <summary>Whether everything that must hold does.</summary>
    public bool Passed { get; init; }

    /// <summary><c>pass</c>, <c>fail</c> or <c>incomplete</c>; null where there is no policy to judge under.</summary>
    public string? Word { get; init; }

    /// <summary>How GPU and confidential VM are bound.</summary>
    public string? Binding { get; init; }

    /// <summary>What that is worth: <see cref="ReleaseTier"/>.</summary>
    public string? Tier { get; init; }

    /// <summary>Under whose anchors.</summary>
    public string? Anchors { get; init; }

    /// <summary>Whose token was judged; null: evidence was, or no pinned service wrote it.</summary>
    public string? Issuer { get; init; }

    /// <summary>The digest of the policy under which that service judged.</summary>
    public string? IssuersPolicy { get; init; }

    /// <summary>The token's <c>jti</c>.</summary>
    public string? TokenId { get; init; }

    /// <summary>What was waived.</summary>
    public ImmutableArray<string> Weakened { get; init; } = [];

    /// <summary>What of it the policy does not accept.</summary>
    public ImmutableArray<string> Unaccepted { get; init; } = [];

    /// <summary>Conditions that do not hold.</summary>
    public ImmutableArray<string> Unmet { get; init; } = [];

    /// <summary>Checks that failed or could not be made, and conditions that do not hold.</summary>
    public ImmutableArray<string> Failed { get; init; } = [];

    /// <summary>The kind of TEE; null: none was shown.</summary>
    public string? Tee { get; init; }

    /// <summary>How many devices.</summary>
    public long Devices { get; init; }

    /// <summary>SHA-256 of the devices' certificates.</summary>
    public ImmutableArray<string> Certificates { get; init; } = [];

    /// <summary>The key that the evidence names; null where it names none that can be sealed to.</summary>
    public SealingPublicKey? Recipient { get; init; }

    /// <summary>The image that a derived key would be for.</summary>
    public string? Image { get; init; }

    /// <summary>In the boot phase, the nonce that the gate of this boot chose, which is in its measured event.</summary>
    public string? Boot { get; init; }

    /// <summary>What the key is for: it must be what is asked for. Null: to be released.</summary>
    public string? Use { get; init; }

    /// <summary>The policy's text; null: there is no policy.</summary>
    public string? Policy { get; init; }

    /// <summary>Which one.</summary>
    public long PolicyVersion { get; init; }

    /// <summary>SHA-384 of it.</summary>
    public string? PolicyDigest { get; init; }

    /// <summary>SHA-384 of the manifest that the log must have; null: none must be there.</summary>
    public Digest? Manifest { get; init; }

    /// <summary>Whether the policy is for the boot phase.</summary>
    public bool IsBootPhase { get; init; }
}

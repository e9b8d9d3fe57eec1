using System.Collections.Immutable;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>What the reader of a token expects. Null is a choice too, and the findings show it.</summary>
public sealed record EatExpectations
{
    /// <summary>The challenge that the token answers. Null: it may be replayed as long as it lives.</summary>
    public required Nonce? Nonce { get; init; }

    /// <summary>
    /// Challenge and key of the guest that the token must be about: the nonce is then the one that its devices answer, and the token must
    /// name the key. Null: no key is required.
    /// </summary>
    public KeyBinding? Key { get; init; }

    /// <summary>Whose token it is, in exactly these characters. Null: any issuer's whose key is in the set.</summary>
    public required string? Issuer { get; init; }

    /// <summary>Who reads it. Null: only tokens no audience are accepted.</summary>
    public required string? Audience { get; init; }

    /// <summary>The instant of judgement.</summary>
    public required EvaluationTime Time { get; init; }

    /// <summary>Accepts verdicts for which something was waived, or whose freshness is not proven (S-14).</summary>
    public bool DangerouslyAcceptWeakened { get; init; }

    /// <summary>Accepts these weakenings, by the names of <see cref="Weakening"/>, and no others.</summary>
    public ImmutableArray<string> DangerouslyAcceptedWeakenings { get; init; } = [];

    /// <summary>How the devices must be bound to a confidential VM, at the least; <see cref="GpuBinding.None"/> asks for nothing.</summary>
    public GpuBinding RequiredBinding { get; init; }

    /// <summary>Anchors that are accepted beside NVIDIA's: the relying party names <c>Custom</c>, <c>Simulated</c> or both.</summary>
    public ImmutableArray<TrustSetKind> OtherAnchors { get; init; } = [];
}

/// <summary>A token that was verified under a key set and met every expectation, whatever its form.</summary>
public abstract class VerifiedToken
{
    private protected VerifiedToken(string issuer, Nonce nonce, DateTimeOffset issuedAt, DateTimeOffset expiresAt) =>
        (Issuer, Nonce, IssuedAt, ExpiresAt) = (issuer, nonce, issuedAt, expiresAt);

    /// <summary>The same in all tokens of a bundle.</summary>
    public string Issuer { get; }

    /// <summary>The same for all devices.</summary>
    public Nonce Nonce { get; }

    /// <summary>When it was written; of a bundle, its overall token.</summary>
    public DateTimeOffset IssuedAt { get; }

    /// <summary>When it ends; of a bundle, the earliest end among its tokens.</summary>
    public DateTimeOffset ExpiresAt { get; }

    /// <summary>The claims about all devices together.</summary>
    public abstract JsonElement Claims { get; }

    /// <summary>The claims about each device.</summary>
    public abstract IEnumerable<KeyValuePair<string, JsonElement>> Devices { get; }
}

/// <summary>
/// A bundle that was verified under a key set and met every expectation. Only <see cref="EatBundleReader.TryVerify"/> makes one.
/// </summary>
public sealed class VerifiedEatBundle : VerifiedToken
{
    internal VerifiedEatBundle(EatBundle bundle, string issuer, Nonce nonce, DateTimeOffset issuedAt, DateTimeOffset expiresAt)
        : base(issuer, nonce, issuedAt, expiresAt) => Bundle = bundle;

    /// <inheritdoc/>
    public override JsonElement Claims => Bundle.Overall.Payload;

    /// <inheritdoc/>
    public override IEnumerable<KeyValuePair<string, JsonElement>> Devices => Bundle.Submodules.Select(submodule => KeyValuePair.Create(submodule.Key, submodule.Value.Payload));

    private EatBundle Bundle { get; }
}

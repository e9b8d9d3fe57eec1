using System.Collections.Immutable;
using System.Text.Json;

namespace Assay.Service.Judging;

/// <summary>What evidence must show. What is not stated is in the weakenings of the verdict, which <see cref="AcceptWeakened"/> must then name (S-10a).</summary>
public sealed record PolicyExpectations
{
    /// <summary>How many GPUs; null: not stated.</summary>
    public int? Gpus { get; init; }

    /// <summary>How many switches; null: any number.</summary>
    public int? Switches { get; init; }

    /// <summary>Whether a processor's evidence must be there.</summary>
    public bool Processor { get; init; }

    /// <summary><c>boot-event</c>, <c>evidence-hash</c> or <c>none</c>; null: the verifier's default, boot-event where anything is stated about a processor.</summary>
    public string? Binding { get; init; }

    /// <summary>Whether firmware must verify what it boots.</summary>
    public bool SecureBoot { get; init; }

    /// <summary>Whether a boot log must be shown.</summary>
    public bool BootLog { get; init; }

    /// <summary>Whether devices must report an FWID.</summary>
    public bool Fwid { get; init; }

    /// <summary>A manifest of reference values, as <c>assay measure</c> writes it: an object, or the text of a signed one.</summary>
    public JsonElement? ReferenceValues { get; init; }

    /// <summary>The keys that may sign it, a JWK set; null: it is unsigned.</summary>
    public JsonElement? ReferenceKeys { get; init; }

    /// <summary>The lowest sequence of the manifest.</summary>
    public long ReferenceSequence { get; init; }

    /// <summary>How old collateral may be, in hours; null: its own times alone.</summary>
    public int? CollateralHours { get; init; }

    /// <summary>Whether SNP reports under a VLEK are accepted.</summary>
    public bool AcceptVlek { get; init; }

    /// <summary>The weakenings with which a verdict is still accepted, by their permanent names.</summary>
    public ImmutableArray<string> AcceptWeakened { get; init; } = [];

    /// <summary>Does not check whether a certificate was revoked.</summary>
    public bool DangerouslySkipRevocation { get; init; }

    /// <summary>Tolerates certificateHold on RIM signers.</summary>
    public bool DangerouslyAcceptHeldRimSigner { get; init; }

    /// <summary>Accepts TCB statuses beside UpToDate.</summary>
    public ImmutableArray<string> DangerouslyAcceptTcb { get; init; } = [];

    /// <summary>What is wrong with it; null: nothing.</summary>
    public string? WhyNot() =>
        Gpus is < 0 or > 256 ? "$.expect.gpus: 0 to 256 are expected"
        : Switches is < 0 or > 256 ? "$.expect.switches: 0 to 256 are expected"
        : Binding is not (null or "boot-event" or "evidence-hash" or "none") ? "$.expect.binding: boot-event, evidence-hash or none is expected"
        : CollateralHours is <= 0 ? "$.expect.collateralHours: at least 1 is expected"
        : ReferenceKeys is not null && ReferenceValues is null ? "$.expect.referenceKeys: they go with referenceValues"
        : ReferenceValues is { ValueKind: not (JsonValueKind.Object or JsonValueKind.String) } ? "$.expect.referenceValues: an object, or the text of a signed manifest, is expected"
        : AcceptWeakened.IsDefault || DangerouslyAcceptTcb.IsDefault ? "$.expect: an array is null"
        : null;
}

/// <summary>A Rego policy: modules by their file names, and data.</summary>
public sealed record PolicyRego
{
    /// <summary>File name to text.</summary>
    public required ImmutableSortedDictionary<string, string> Modules { get; init; }

    /// <summary>Base documents under <c>data</c>; null: none.</summary>
    public JsonElement? Data { get; init; }

    /// <summary>The rule that decides; null: data.policy.nv_match or data.policy.allow, whichever there is.</summary>
    public string? Rule { get; init; }
}

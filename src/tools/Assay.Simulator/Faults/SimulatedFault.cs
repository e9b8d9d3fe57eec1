using System.Collections.Immutable;

namespace Assay.Simulator;

/// <summary>How a fault ends: a verifier refuses it, or says that something is missing.</summary>
public enum FaultOutcome
{
    Refused,
    Incomplete,
}

/// <summary>
/// One thing that is wrong in an otherwise right set. Each of its parts changes one step of the making; a null part changes nothing.
/// <see cref="SimulatedFaults.All"/> lists them.
/// </summary>
public sealed record SimulatedFault
{
    /// <summary>Nothing is wrong.</summary>
    public static SimulatedFault None { get; } = new() { Name = "none", Summary = "nothing is wrong", Findings = [] };

    /// <summary>The switch's name: lower case and hyphens.</summary>
    public required string Name { get; init; }

    /// <summary>What is wrong, one line.</summary>
    public required string Summary { get; init; }

    /// <summary>The checks that have to catch it, and no others; <c>{rim}</c> stands for driver, vbios or switch.</summary>
    public required ImmutableArray<string> Findings { get; init; }

    public FaultOutcome Outcome { get; init; }

    /// <summary>Needs GPUs and switches together.</summary>
    public bool NeedsMachine { get; init; }

    /// <summary>Strikes a RIM, so that <see cref="FaultTarget.Rim"/> means something.</summary>
    public bool StrikesRim { get; init; }

    /// <summary>Everything is made at another time than now, and the verifier's clock has to be set to it.</summary>
    public bool SetsClock => Clock is not null;

    /// <summary>Why a device of this profile cannot have it; null when it can.</summary>
    internal Func<DeviceProfile, string?>? WhyNot { get; init; }

    /// <summary>Changes what the device is and says.</summary>
    internal Func<DeviceProfile, FaultTarget, DateTimeOffset, DeviceProfile>? Profile { get; init; }

    /// <summary>Changes the device's entry after it was signed, or makes another one for this nonce.</summary>
    internal Func<SimulatedEvidence, SimulatedDevice, DateTimeOffset, SimulatedEvidence>? Evidence { get; init; }

    /// <summary>The nonce that every device answers instead of the verifier's.</summary>
    internal Func<ReadOnlyMemory<byte>, ReadOnlyMemory<byte>>? Nonce { get; init; }

    /// <summary>Changes what the target's RIM says before it is signed.</summary>
    internal Func<RimDraft, DeviceProfile, RimDraft>? Draft { get; init; }

    /// <summary>Who signs the target's RIM.</summary>
    internal Func<SimulatedAuthority, DeviceFamily, DateTimeOffset, SimulatedCertificate>? RimSigner { get; init; }

    /// <summary>Spoils the target's RIM after signing; null leaves it out.</summary>
    internal Func<SimulatedRim, SimulatedRim?>? Rim { get; init; }

    /// <summary>Changes the answer about the device's identity certificate (chain[1]); null leaves it out.</summary>
    internal Func<OcspAnswer, DateTimeOffset, OcspAnswer?>? DeviceStatus { get; init; }

    /// <summary>Changes the answer about the leaf that signed the target's RIM; null leaves it out.</summary>
    internal Func<OcspAnswer, DateTimeOffset, OcspAnswer?>? RimSignerStatus { get; init; }

    /// <summary>Changes which devices of the machine answer.</summary>
    internal Func<ImmutableArray<SimulatedEvidence>, SimulatedWorld, ReadOnlyMemory<byte>, ImmutableArray<SimulatedEvidence>>? Machine { get; init; }

    /// <summary>When everything was made, and what the verifier's clock says.</summary>
    internal Func<DateTimeOffset, DateTimeOffset>? Clock { get; init; }

    /// <summary><see cref="Findings"/> with the RIM's name in place.</summary>
    public ImmutableArray<string> FindingsOn(RimKind rim)
    {
        var word = rim switch
        {
            RimKind.Driver => "driver",
            RimKind.Vbios => "vbios",
            _ => "switch",
        };
        return [.. Findings.Select(finding => finding.Replace("{rim}", word, StringComparison.Ordinal))];
    }

    public override string ToString() => Name;
}

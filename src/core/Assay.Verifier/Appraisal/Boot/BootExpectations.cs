using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Appraisal.Boot;

/// <summary>What the relying party expects of a boot log.</summary>
internal sealed record BootExpectations
{
    /// <summary>Refuses a machine whose firmware does not verify what it boots, or does not say so.</summary>
    public required bool RequireSecureBoot { get; init; }

    /// <summary>Refuses a machine that shows no log at all: leaving it out answers no question about it. <see cref="RequireSecureBoot"/> and <see cref="Gate"/> do too.</summary>
    public bool RequireLog { get; init; }

    /// <summary>What our gate must have written; null when none is asked for, and then nothing binds a GPU to this boot.</summary>
    public required GateRequirement? Gate { get; init; }

    /// <summary>Whether anything is demanded of the boot: then its log must be shown, and a processor's evidence with it (S-10a).</summary>
    internal bool IsStated => RequireLog || RequireSecureBoot || Gate is not null;
}

/// <summary>Which outcome of the gate satisfies. The default does not.</summary>
public enum GateOutcome
{
    /// <summary>Not chosen: refused.</summary>
    None,

    /// <summary>Devices were verified and named.</summary>
    Attested,

    /// <summary>No GPU was expected.</summary>
    NoGpu,
}

/// <summary>What our gate must have written before the boundary (S-4 to S-7).</summary>
public sealed record GateRequirement
{
    /// <summary>The RTMR that the gate writes.</summary>
    public const int Rtmr = 3;

    /// <summary>A gate that ran to its end, with these policies, on a machine of so many devices.</summary>
    /// <param name="policies">Accepted digests of <c>gpu-policy</c>; at least one.</param>
    /// <param name="gpus">How many GPUs are expected; null: not stated.</param>
    /// <param name="switches">How many switches; null: any number.</param>
    public static GateRequirement Of(ImmutableArray<Digest> policies, int? gpus, int? switches) => new()
    {
        Phase = BootPhase.Run,
        Register = Rtmr,
        Policies = policies,
        Outcome = gpus is 0 && switches is 0 or null ? GateOutcome.NoGpu : GateOutcome.Attested,
        Devices = null,
    };

    /// <summary>Boot phase or run phase.</summary>
    public required BootPhase Phase { get; init; }

    /// <summary>3 for RTMRs; of a TPM in the confidential VM the PCR that the image is configured for, 8 to 15.</summary>
    public required int Register { get; init; }

    /// <summary>Accepted digests of <c>gpu-policy</c>; at least one.</summary>
    public required ImmutableArray<Digest> Policies { get; init; }

    /// <summary>Verified devices, or none expected.</summary>
    public required GateOutcome Outcome { get; init; }

    /// <summary>The identities in fresh evidence, which must be those of the event (S-2). Null: no fresh evidence is at hand.</summary>
    public required ImmutableArray<Digest>? Devices { get; init; }

    /// <summary>The model that must have been opened; null when none is asked for.</summary>
    public Digest? Model { get; init; }

    /// <summary>The workload that must be named; null when none is asked for.</summary>
    public Digest? Workload { get; init; }

    /// <summary>
    /// Why a register cannot hold the gate's events; null when it can. PCRs 16 and 23 are reset by anybody, 17 to 22 by a dynamic launch,
    /// and 0 to 7 belong to firmware.
    /// </summary>
    internal static string? WhyNotRegister(RegisterKind kind, int register) => kind switch
    {
        RegisterKind.Rtmr => register == Rtmr ? null : "the gate writes RTMR 3",
        RegisterKind.Pcr => register is >= 8 and <= 15 ? null : $"PCR {register} is reset by software or belongs to firmware; 8 to 15 are expected",
        _ => "no registers were quoted",
    };
}

/// <summary>The answers about a boot log.</summary>
public sealed record BootResult
{
    /// <summary>In the order of the checks.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>The replayed log; null when it could not be read or compared.</summary>
    internal AuthenticEventLog? Log { get; init; }

    /// <summary>What the log says about the boot.</summary>
    internal BootFacts? Facts { get; init; }

    /// <summary>What our gate wrote; null when none was asked for.</summary>
    internal BootRecord? Record { get; init; }

    /// <summary>
    /// The register's events for people: the gate's where one is asked about, else those of RTMR 3 where it is explained. Nothing is
    /// concluded from what <see cref="Record"/> does not hold.
    /// </summary>
    internal BootRecord? Shown => Record ?? (Log is { Quoted.Kind: RegisterKind.Rtmr } log && log.Replayed.Contains(GuestRtmr) ? BootRecord.Read(log, GuestRtmr, BootPhase.Run) : null);

    /// <summary>What was measured, as the log has it: digests are proven, what each is of is the log's own word. Empty where no log could be compared.</summary>
    public ImmutableArray<BootMeasurement> Measurements => Facts?.Measurements ?? [];

    /// <summary>The register's events for people, in their order; empty where none is explained.</summary>
    public ImmutableArray<MeasuredEvent> Events => Shown is { } record
        ? [.. record.Events.Select(item => new MeasuredEvent(item.Event.Number, item.Event.Register, item.IsUnproven ? null : item.Event.Name, item.IsLate))] : [];

    /// <summary>How registers of this log are called: <c>RTMR</c> or <c>PCR</c>.</summary>
    public string RegisterWord => Log?.Quoted.Kind is RegisterKind.Rtmr ? "RTMR" : "PCR";

    /// <summary>
    /// The numbers of the events of that register whose digest is not that of a name and payload. Where there is one, nothing says what the
    /// guest wrote into the register: no name, no payload, no boundary (S-10b).
    /// </summary>
    public ImmutableArray<int> UnprovenEvents => Shown?.UnprovenEvents ?? [];

    /// <summary>What was accepted and makes the answer weaker, by permanent name.</summary>
    public ImmutableArray<string> Weakened =>
        Findings.Any(finding => finding is { Id: CheckIds.BootEventsExplained, Cause: NotCheckedCause.Waived }) ? [Weakening.BootEventsUnproven.Name] : [];

    /// <summary>The RTMR that the guest extends; firmware and boot loader have the others.</summary>
    internal const int GuestRtmr = 3;

    /// <summary>
    /// Whether this boot binds its devices to the confidential VM: every question about the gate held, in a register of the VM itself, and
    /// the event names devices (S-1). That these are the devices of fresh evidence is <c>binding.boot.devices</c>, which needs some (S-2).
    /// </summary>
    public required bool CarriesBootEvent { get; init; }

    /// <summary>The nonce that the gate of this boot chose, in its measured event (S-5): another one in each boot. Null where no event of a gate names devices.</summary>
    public string? GateNonce => CarriesBootEvent ? Record?.Attestation?.Nonce.ToString() : null;
}

/// <summary>An event of a boot log.</summary>
/// <param name="Number">Its place in the log, from 1.</param>
/// <param name="Register">The register that it extended.</param>
/// <param name="Name">Its name; null where its digest is not that of a name and payload, so that nothing says what it is.</param>
/// <param name="IsLate">Whether it came after the boundary, and is believed in nothing; null where an unproven event hides the boundary.</param>
public sealed record MeasuredEvent(int Number, int Register, string? Name, bool? IsLate);

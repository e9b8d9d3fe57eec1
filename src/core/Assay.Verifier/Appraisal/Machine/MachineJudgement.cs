using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Tpm;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Machine;

/// <summary>
/// The questions that no part can answer alone: are CPU, boot, devices and key of one machine, and of this session? A GPU-less VM can have
/// another machine's GPU answer a nonce over its own key (the copy attack); only the boot event of a measured gate tells the two apart (S-1).
/// </summary>
internal static partial class MachineJudgement
{
    internal const string PartsPassedId = Checks.CheckIds.CompositePartsPassed;

    // Ids appear in results, logs and docs/reference/checks.md: add freely, never rename or reuse.
    private static readonly ImmutableArray<Check<Candidate>> s_checks =
    [
        new(Checks.CheckIds.CompositeCpuPresent, CpuIsPresent),
        new(PartsPassedId, candidate => PartsPassed(candidate.Parts, devicesAreAllowed: false)),
        new(Checks.CheckIds.CompositeAnchorsSame, AnchorsAreChosen),
        new(Checks.CheckIds.CompositeTimeSame, TimeIsChosen),
        new(Checks.CheckIds.CompositeGpusCount, candidate => Count(candidate, DeviceKind.Gpu, candidate.Expected.Gpus)),
        new(Checks.CheckIds.CompositeSwitchesCount, candidate => Count(candidate, DeviceKind.Switch, candidate.Expected.Switches)),
        new(Checks.CheckIds.PlatformProcessorKnown, ProcessorIsKnown),
        new(Checks.CheckIds.PlatformDevicesKnown, DevicesAreKnown),
        new(Checks.CheckIds.BindingKeyDevices, KeyIsTheDevices),
        new(Checks.CheckIds.BindingCpuDevices, CpuNamesTheDevices),
        new(Checks.CheckIds.BindingBootEvent, BootEventIsCarried),
        new(Checks.CheckIds.BindingBootFresh, BootEventNamesFreshDevices),
        new(Checks.CheckIds.BindingBootMode, ModesAgree),
        new(Checks.CheckIds.BindingLevelMet, LevelIsMet),
    ];

    private static readonly int s_partsPassed = s_checks.Select(check => check.Id).ToList().IndexOf(PartsPassedId);

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static IEnumerable<string> CheckIds => s_checks.Select(check => check.Id);

    /// <summary>The same answers where the relying party's policy allows what devices failed in: the one question that this changes is put again.</summary>
    public static MachineResult Allowing(MachineResult result)
    {
        var findings = result.Findings.SetItem(s_partsPassed, PartsPassed(result.Parts, devicesAreAllowed: true).Named(PartsPassedId));
        return result with { Findings = findings, Passed = findings.IsPassed() };
    }

    /// <summary>Judges the whole.</summary>
    public static MachineResult Appraise(MachineParts parts, MachineDemands expected)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(expected);
        var candidate = new Candidate(parts, expected);
        ImmutableArray<Finding> findings = [.. s_checks.Select(check => check.Ask(candidate))];
        return new MachineResult
        {
            Parts = parts,
            Findings = findings,
            Binding = candidate.Binding,
            Platform = PlatformOf(expected, findings),
            FreshnessProven = expected.Challenged && (parts.Devices is null || parts.Devices.FreshnessProven) && IsBound(parts),
            Weakened = Weakenings(candidate),
            Passed = findings.IsPassed(),
        };
    }

    // What a report was made for is asked about its own bytes; on Azure the challenge stands in the vTPM's quote instead. Where nothing is
    // shown nothing answers, and what could not be read has not answered either.
    private static bool IsBound(MachineParts parts)
    {
        var processor = parts.Cpu?.Tee is { } tee ? tee.IsAuthentic && tee.Findings.Holds(tee.Technology.ReportDataCheck) : parts.Cpu is null && parts.Devices is not null;
        return processor && (parts.Cpu?.Tpm is not { } tpm || (tpm.Quote is not null && tpm.Findings.Holds(Checks.CheckIds.TpmQuoteNonceMatch)));
    }

    private static Outcome CpuIsPresent(Candidate candidate) =>
        candidate.Tee is { } tee ? Outcome.Held(tee.Technology.Name)
        : candidate.Parts.Cpu is not null ? Outcome.Failed("the processor evidence could not be read")
        : candidate.StatesProcessor ? Outcome.Failed("you expect something of a processor or of the boot, and no processor evidence was given", "none", "a TDX quote or an SNP report")
        : candidate.Expected.DangerouslyAcceptNoCpuTee ? Outcome.Waived("there is no CPU TEE evidence, and you did not ask for any: the host may be able to read what the VM reads")
        : Outcome.Failed("there is no CPU TEE evidence: the host may be able to read what the VM reads", "none", "a TDX quote or an SNP report");

    private static Outcome PartsPassed(MachineParts parts, bool devicesAreAllowed)
    {
        var (tee, tpm) = (parts.Cpu?.Tee, parts.Cpu?.Tpm);
        (string Name, IEnumerable<Finding>? Findings, bool Passed)[] all =
        [
            (tee?.Technology.EvidenceName ?? "", tee?.Findings, tee is { Passed: true }),
            ("the TPM's quote", tpm?.Findings, tpm is not null && tpm.Findings.IsPassed()),
            ("the boot log", parts.Boot?.Findings, parts.Boot is not null && parts.Boot.Findings.IsPassed()),
            ("the devices", parts.Devices?.AllFindings, parts.Devices is not null && (devicesAreAllowed || Holds(parts.Devices))),
        ];
        var given = all.Where(part => part.Findings is not null).ToArray();
        var open = given.Where(part => !part.Passed).ToArray();
        // What only lacks collateral, or waits for a part that does, has not failed: the verdict is then incomplete, and no pass either.
        var missing = given.Any(part => part.Findings!.Any(finding => finding.Cause is NotCheckedCause.Missing));
        var failed = open.Where(part => !missing || !part.Findings!.Any() || part.Findings!.Any(finding => finding.State is CheckState.Failed)).ToArray();
        return given.Length == 0 ? Outcome.Failed("there is no evidence at all")
            : failed.Length > 0 ? Outcome.Failed($"{Names(failed)} did not pass, so the machine as a whole cannot pass")
            : open.Length > 0 ? Outcome.Stopped($"{Names(open)} could not be judged: collateral is missing")
            : Outcome.Held(Names(given));

        static string Names((string Name, IEnumerable<Finding>? Findings, bool Passed)[] parts) => string.Join(", ", parts.Select(part => part.Name));
    }

    private static bool Holds(DevicesResult devices) =>
        !devices.Devices.IsDefaultOrEmpty && devices.Findings.IsPassed() && devices.Devices.All(device => device.Findings.IsPassed());

    // A trust set is wholly real or wholly simulated (S-12), and all parts are judged under this one: a real CPU cannot lend a simulated GPU
    // its word. What is left to ask is whether one was chosen.
    private static Outcome AnchorsAreChosen(Candidate candidate) => candidate.Parts.Basis.Trust.Kind switch
    {
        TrustSetKind.None => Outcome.Failed("no trust anchors were chosen: state whose anchors to judge under"),
        TrustSetKind.BuiltIn => Outcome.Held("built-in"),
        TrustSetKind.Simulated => Outcome.Held("simulated"),
        _ => Outcome.Held("custom"),
    };

    private static Outcome TimeIsChosen(Candidate candidate) => candidate.Parts.Basis.Time is { Source: not TimeSource.None } time ? Outcome.Held(Utc.Text(time.Instant))
        : Outcome.Failed("no time was chosen: state by which clock to judge");

    private static Outcome Count(Candidate candidate, DeviceKind kind, int? expected)
    {
        var found = candidate.Devices.Count(device => device.Kind == kind);
        candidate.CountDiffers |= expected is not null && expected != found;
        return expected is not { } wanted
            // A gate names exactly these devices; whose number nobody stated could all have been left out.
            ? kind is DeviceKind.Gpu && candidate.Stated.HasFlag(Statements.Gate)
                ? Outcome.Failed("a boot gate is required, but the number of GPUs is not stated: state how many must answer (0 for a machine without GPUs)", $"{found}", "a number")
                : Outcome.NotApplicable($"{found}; no number is required")
            : found == wanted ? Outcome.Held($"{found}")
            : Outcome.Failed($"a different number of {DeviceKindWords.Of(kind).Plural} answered than you expect", $"{found}", $"{wanted}");
    }

    // Ids are those of the certificates that verified the evidence: nothing that it says of itself counts, and no second certificate beside them.
    private static Outcome ProcessorIsKnown(Candidate candidate) => (candidate.Expected.Platforms, candidate.Tee) switch
    {
        (null, _) => Outcome.NotApplicable("no list of known platforms is given"),
        (_, null) => Outcome.Failed("a list of known platforms is given, but no processor evidence", "none", "a listed platform"),
        (_, { IsAuthentic: false } tee) => Outcome.Stopped($"{tee.Technology.EvidenceName} is not authentic, so it does not identify a machine"),
        ({ } known, { } tee) => tee.PlatformAmong(known),
    };

    private static Outcome DevicesAreKnown(Candidate candidate)
    {
        if (candidate.Expected.Platforms is not { } known)
        {
            return Outcome.NotApplicable("no list of known platforms is given");
        }

        // Leaving out the device that is not listed must not make the machine a known one (S-10a).
        if (candidate.Devices.IsEmpty)
        {
            return known.Devices.IsEmpty || candidate.Expected.StatesNoDevice ? Outcome.NotApplicable("no device is shown")
                : Outcome.Failed("known devices are listed, but no device evidence was given: state that you expect no device if the machine has none", "none", $"some of {known.Devices.Length} listed");
        }

        var unknown = candidate.Devices.Where(device => device.Device is not { } authentic || !known.Devices.Contains(authentic.Identity.Id)).ToArray();
        return unknown.Length == 0 ? Outcome.Held($"{candidate.Devices.Length} of {candidate.Devices.Length} listed")
            : known.Devices.IsEmpty ? Outcome.Failed("the list of known platforms has no devices, so no device can be known", $"{unknown.Length} devices", "platforms.devices")
            : Outcome.Failed(
                $"device {string.Join(", ", unknown.Select(device => device.Index))}: not among the known platforms",
                Brief(unknown.Select(device => device.Device?.Identity.Id.ToString() ?? "not authentic")), $"one of {known.Devices.Length} listed");
    }

    private static PlatformAnswer PlatformOf(MachineDemands expected, ImmutableArray<Finding> findings) =>
        expected.Platforms is null ? PlatformAnswer.NotAsked
        : findings.Holds(Checks.CheckIds.PlatformProcessorKnown)
            && findings.Any(finding => finding is { Id: Checks.CheckIds.PlatformDevicesKnown, State: CheckState.Held or CheckState.NotApplicable }) ? PlatformAnswer.Known
        : PlatformAnswer.Unknown;

    internal static string Word(PlatformAnswer platform) => platform switch
    {
        PlatformAnswer.Known => "known",
        PlatformAnswer.NotAsked => "not-asked",
        _ => "unknown",
    };

    private static ImmutableArray<string> Weakenings(Candidate candidate)
    {
        var parts = candidate.Parts;
        (string Name, bool Applies)[] own =
        [
            (Weakening.NoCpuTee.Name, parts.Cpu?.Tee is null),
            (Weakening.NonceNotGiven.Name, parts.Key is not null && !candidate.Expected.Challenged),
            // Of the basis, whether or not a part was authentic enough to be asked.
            (Weakening.TimeStated.Name, parts.Cpu?.Tee is { Basis.Time.Source: TimeSource.Stated }),
            (parts.Cpu?.Tee?.Technology.WithoutRevocation.Name ?? "", parts.Cpu?.Tee is { Basis.Revocation: RevocationChecking.DangerouslySkipped }),
        ];
        return
        [
            .. own.Where(item => item.Applies).Select(item => item.Name).Concat(Unstated.Names(candidate.Stated, candidate.StatesProcessor, candidate.Expected, candidate.Binding, candidate.Devices.Length > 0))
                .Concat(candidate.Expected.Weakened).Concat(parts.Devices?.Weakened ?? []).Concat(parts.Cpu?.Tee?.Weakened ?? []).Concat(parts.Cpu?.Tpm?.Weakened ?? []).Concat(parts.Boot?.Weakened ?? [])
                .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
        ];
    }

    internal static string Word(GpuBinding binding) => binding switch
    {
        GpuBinding.BootEvent => "boot-event",
        GpuBinding.EvidenceHash => "evidence-hash",
        _ => "none",
    };

    private static string Brief(IEnumerable<string> ids) => string.Join(", ", ids.Select(id => id.Length > 16 ? id[..16] + "…" : id));

    private sealed class Candidate(MachineParts parts, MachineDemands expected)
    {
        public MachineParts Parts => parts;
        public MachineDemands Expected => expected;

        // A boot result that was judged with a gate says that one was demanded, whoever joined the parts.
        public Statements Stated { get; } = parts.Stated | (parts.Boot?.Record is not null ? Statements.Gate | Statements.Boot | Statements.Processor : 0);

        public bool StatesProcessor => expected.RequireProcessor || expected.RequiredBinding is not null || Stated.HasFlag(Statements.Processor);

        /// <summary>The weakest tier: nothing was said of a processor, and none is shown.</summary>
        public bool IsGpuOnly => parts.Cpu is null && !StatesProcessor && expected.DangerouslyAcceptNoCpuTee;

        public ImmutableArray<DeviceResult> Devices { get; } = parts.Devices is { Devices.IsDefault: false } ? parts.Devices.Devices : [];
        public TeeResult? Tee => parts.Cpu?.Tee;
        public TpmResult? Tpm => parts.Cpu?.Tpm;
        public byte[]? ReportData { get; } = parts.Cpu?.Tee?.ReportData?.Bytes.ToArray();

        public bool KeyBindsDevices { get; set; }
        public bool CpuBindsDevices { get; set; }
        public bool HasBootEvent { get; set; }
        public bool CountDiffers { get; set; }
        public bool DevicesAreTheBoots { get; set; }
        public GpuBinding Binding { get; set; }
    }
}

using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Tpm;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Appraisal.Machine;

/// <summary>
/// The questions that no part can answer alone: are CPU, boot, devices and key of one machine, and of this session? A GPU-less VM can have
/// another machine's GPU answer a nonce over its own key (the copy attack); only the boot event of a measured gate tells the two apart (S-1).
/// </summary>
internal static class MachineJudgement
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

    private static Outcome KeyIsTheDevices(Candidate candidate)
    {
        if (candidate.Parts.Key is not { } key)
        {
            return Outcome.NotApplicable("no key is given");
        }

        if (candidate.Devices.Length == 0)
        {
            return Outcome.NotApplicable("no device answered");
        }

        var nonce = key.DeviceNonce();
        var other = candidate.Devices.FirstOrDefault(device => device.Device is not { } authentic || !authentic.Report.Nonce.Equals(nonce));
        candidate.KeyBindsDevices = other is null;
        return other is null ? Outcome.Held($"{candidate.Devices.Length} of {candidate.Devices.Length} answer for the key {key.Thumbprint}")
            : Outcome.Failed($"device {other.Index} did not answer the nonce of this challenge and key: it answered another", other.Device?.Report.Nonce.ToString() ?? "not authentic", nonce.ToString());
    }

    private static Outcome CpuNamesTheDevices(Candidate candidate)
    {
        if (candidate.Parts.Key is not { } key || candidate.ReportData is not { } found)
        {
            return Outcome.NotApplicable(candidate.ReportData is null ? "no report of a CPU is authentic" : "no key is given");
        }

        // On Azure the hardware report is the paravisor's, and names the vTPM's key; what the guest binds, that vTPM signs.
        var byTpm = candidate.Tpm?.Hcl is not null;
        if (byTpm && (candidate.Tpm!.Quote is not { Key.Root: TpmRoot.InTee } || !IsOfTheCpu(candidate)))
        {
            return Outcome.Failed(candidate.Tpm!.Findings.IsPassed() && candidate.Tpm.Quote is null
                ? "no reference value names the paravisor whose vTPM should certify the key: any root process in the guest could have forged it"
                : "the vTPM that should certify the key is not in the TEE of this CPU's report");
        }

        found = byTpm ? candidate.Tpm!.Quote!.Quote.ExtraData.ToArray() : found;
        var expected = byTpm ? key.QualifyingData(candidate.Parts.AdditionalEvidence) : key.ReportData(candidate.Parts.AdditionalEvidence);
        candidate.CpuBindsDevices = CryptographicOperations.FixedTimeEquals(found, expected);
        return candidate.CpuBindsDevices ? Outcome.Held("challenge, key and device evidence")
            : Outcome.Failed(
                "the CPU's report was made for a different challenge, key or set of devices: parts of two machines or sessions were combined",
                Convert.ToHexStringLower(found), Convert.ToHexStringLower(expected));
    }

    // The registers must be those of this very quote: another VM's honest log explains another VM's registers.
    private static Outcome BootEventIsCarried(Candidate candidate)
    {
        if (candidate.Parts.Boot is not { } boot)
        {
            return Outcome.NotApplicable("no boot log is given: only a measured gate's boot event binds a GPU to a VM");
        }

        if (!boot.CarriesBootEvent || boot.Log is not { } log)
        {
            var failed = boot.Findings.FirstOrDefault(finding => finding.State is CheckState.Failed);
            return failed is not null ? Outcome.Failed($"the boot log has no valid boot event: {failed.Id}: {failed.Reason}") : Outcome.NotApplicable("no boot gate is expected, or its register does not belong to the VM");
        }

        var whyNot = log.Quoted.Kind switch
        {
            RegisterKind.Rtmr => candidate.Tee?.Registers is not { } signed ? "no TDX quote is authentic"
                : log.Quoted.Values.All(item => signed.Values.TryGetValue(item.Key, out var value) && value == item.Value) ? null
                : "the log was compared with another quote's registers",
            RegisterKind.Pcr => candidate.Tpm?.Quote is not { } quote ? "no TPM quote is authentic"
                : !log.Quoted.IsInTee || !quote.Registers.IsInTee || !AreTheSame(log.Quoted, quote.Registers) ? "the log was compared with the registers of another TPM, or of a TPM outside the TEE"
                : IsOfTheCpu(candidate) ? null
                : "the TPM is in another VM's TEE: its key is certified by a different hardware report than this CPU's",
            _ => "the log is about no registers",
        } ?? WhyNoKnownGate(candidate.Parts, log.Quoted.Kind);
        candidate.HasBootEvent = whyNot is null;
        return whyNot is null ? Outcome.Held($"register {boot.Record!.Register}, {boot.Record.Attestation!.Devices.Length} devices") : Outcome.Failed(whyNot);
    }

    // The register shows what some guest wrote; only a known image shows that it was our gate. An image of the attacker's own writes what it
    // likes, and a TPM's registers are worth no more than the paravisor that keeps them (S-1, S-6).
    private static string? WhyNoKnownGate(MachineParts parts, RegisterKind kind)
    {
        var (tee, tpm) = (parts.Cpu?.Tee, parts.Cpu?.Tpm);
        var image = tee is not null && tee.Findings.Holds(tee.Technology.MeasurementCheck);
        var boot = kind is not RegisterKind.Pcr || (tpm is not null && tpm.Findings.Holds(Checks.CheckIds.TpmMeasurementsMatch));
        var isWhole = kind is RegisterKind.Pcr ? NamesTheKernel(tpm?.Boot) : kind is not RegisterKind.Rtmr || tee?.Known is { NamesKernel: true };
        var failed = parts.ProcessorFindings.FirstOrDefault(finding => finding.State is CheckState.Failed);
        return kind is RegisterKind.Rtmr && tpm is not null ? "next to a vTPM the RTMRs belong to the paravisor: a gate in the guest writes a PCR"
            : failed is not null ? $"the processor's evidence did not pass ({failed.Id}), so its registers prove nothing"
            : image && boot && !isWhole ? kind is RegisterKind.Pcr
                ? "the reference values do not cover the boot loader, the kernel and its arguments (PCR 4, and 9, or 11 with 12), so any other kernel could have written the event"
                : "the reference values cover the VM's firmware but not its kernel (RTMR1 and RTMR2), so any other kernel could have written the event"
            : !image ? "the VM's image is not one of your known images, so any other image could have written the event: give reference values"
            : !boot ? "the TPM's measurements are not one of your known boots, so any other boot could have written the event: give reference values with PCRs"
            : null;
    }

    // What firmware loads, the gate included, is in PCR 4 with 9 (GRUB's files, the EFI stub's command line and initrd), or with 11 and 12 (systemd-stub's sections, and what overrides its command line: nothing, mostly). A register of zeros names
    // nothing: it was never extended.
    private static bool NamesTheKernel(TpmReference? boot) =>
        Names(At(boot, 4)) && (Names(At(boot, 9)) || (Names(At(boot, 11)) && At(boot, 12) is not null));

    private static Digest? At(TpmReference? boot, int register) => boot is not null && boot.Values.TryGetValue(register, out var value) ? value : null;

    private static bool Names(Digest? value) => value is { } digest && digest.Bytes.ContainsAnyExcept((byte)0);

    private static bool AreTheSame(QuotedRegisters one, QuotedRegisters other) =>
        one.Bank == other.Bank && one.Values.Count == other.Values.Count && one.Values.All(item => other.Values.TryGetValue(item.Key, out var value) && value == item.Value);

    // Another VM's vTPM is in a TEE too. What names its key must be the very report that this CPU signed (S-9).
    private static bool IsOfTheCpu(Candidate candidate) =>
        candidate is { Parts.Cpu.Tpm.Hcl: { } hcl, ReportData: { } found } && CryptographicOperations.FixedTimeEquals(hcl.ReportData.Span, found);

    private static Outcome BootEventNamesFreshDevices(Candidate candidate)
    {
        if (!candidate.HasBootEvent)
        {
            return Outcome.NotApplicable("no boot event binds");
        }

        if (candidate.Devices.Length == 0)
        {
            return Outcome.NotApplicable("no device answers now: the boot event is believed on its own");
        }

        string[] named = [.. candidate.Parts.Boot!.Record!.Attestation!.Devices.Select(device => device.Id.ToString()).Order(StringComparer.Ordinal)];
        string[] fresh = [.. candidate.Devices.Select(device => device.Device?.Identity.Id.ToString() ?? "not authentic").Order(StringComparer.Ordinal)];
        candidate.DevicesAreTheBoots = named.AsSpan().SequenceEqual(fresh);
        return candidate.DevicesAreTheBoots ? Outcome.Held($"{named.Length} of {named.Length}")
            : Outcome.Failed("the devices that answer now are not those that were verified at boot (S-2)", Brief(fresh), Brief(named));
    }

    // S-8: the guest's word about CC and what the GPUs sign about their mode must agree.
    private static Outcome ModesAgree(Candidate candidate)
    {
        if (!candidate.HasBootEvent)
        {
            return Outcome.NotApplicable("no boot event states the mode");
        }

        var cc = candidate.Parts.Boot!.Record!.Attestation!.Cc;
        var gpus = candidate.Devices.Where(device => device.Kind is DeviceKind.Gpu).Select(device => device.Device?.Fields).OfType<DeviceFields>();
        var signed = gpus.Select(fields => fields switch
        {
            { Mode: GpuMode.Ppcie } or { Mode: GpuMode.NotReported, ProtectedPcie: true } => (BootCcMode?)BootCcMode.Ppcie,
            { Mode: GpuMode.Spt or GpuMode.Mpt } => BootCcMode.On,
            _ => null,
        }).OfType<BootCcMode>().Distinct().ToArray();
        return signed.Length == 0 ? Outcome.NotApplicable($"the GPUs do not report their mode; the measured guest says {cc}")
            : signed.All(mode => mode == cc) ? Outcome.Held($"{cc.ToString().ToLowerInvariant()}, stated by the measured guest and confirmed by the GPUs' signed mode")
            : Outcome.Failed("the guest and the GPUs' signed reports disagree about the GPUs' mode", string.Join(", ", signed), $"{cc}");
    }

    private static Outcome LevelIsMet(Candidate candidate)
    {
        // Device evidence without a key or a CPU binds nothing, however genuine it is; a boot event without devices binds none; and where
        // another number answers than was stated, leaving out the one that would not fit must not raise the level (S-10a).
        candidate.Binding = candidate.CountDiffers ? GpuBinding.None
            : candidate is { HasBootEvent: true, DevicesAreTheBoots: true } ? GpuBinding.BootEvent
            : candidate is { KeyBindsDevices: true, CpuBindsDevices: true } ? GpuBinding.EvidenceHash
            : GpuBinding.None;
        var (expected, hasDevices) = (candidate.Expected, candidate.Devices.Length > 0);
        var wanted = candidate.IsGpuOnly && expected.RequiredBinding is null ? GpuBinding.None : expected.RequiredBinding ?? expected.DangerouslyAcceptedBinding;
        // Only who says that no device is expected is asked for no binding. Where nothing was said of devices and none is shown, the verdict
        // says so in its weakenings; what was demanded of them all the same is not met by leaving them out.
        return !hasDevices && expected.RequiredBinding is null && expected.StatesNoDevice ? Outcome.NotApplicable("no device is expected")
            : !hasDevices && expected is { RequiredBinding: null, Gpus: null, Switches: null } && !candidate.Stated.HasFlag(Statements.Gate) ? Outcome.NotApplicable("no device evidence was given, and none was required")
            : candidate.Tee is { LacksCertificates: true } && candidate.Binding < wanted ? Outcome.Stopped("the CPU's report could not be judged: collateral is missing")
            : hasDevices && candidate.Binding >= wanted ? (candidate.Binding is GpuBinding.BootEvent ? Outcome.Held(Word(candidate.Binding)) : Outcome.Waived(candidate.IsGpuOnly ? "none: no processor evidence was given, and no binding was required" : $"{Word(candidate.Binding)}; you accept {Word(wanted)}: a VM without a GPU can borrow another's answer"))
            : !hasDevices ? Outcome.Failed("devices are required, but no device evidence was given", "no device", Word(wanted))
            : Outcome.Failed(expected.BindingIsDefault ? "the devices are bound to the VM by less than a boot event, which is expected unless you say otherwise" : "the devices are bound to the VM less strongly than you require", Word(candidate.Binding), Word(wanted));
    }

    private static ImmutableArray<string> Weakenings(Candidate candidate)
    {
        var parts = candidate.Parts;
        (string Name, bool Applies)[] own =
        [
            (Weakening.NoCpuTee.Name, parts.Cpu?.Tee is null),
            (Weakening.NonceNotGiven.Name, parts.Key is not null && !candidate.Expected.Challenged),
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

using System.Security.Cryptography;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Reference.Manifest;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Appraisal.Machine;

/// <summary>How far the devices are bound to the VM: key, report data, boot event, and the level that follows.</summary>
internal static partial class MachineJudgement
{
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
}

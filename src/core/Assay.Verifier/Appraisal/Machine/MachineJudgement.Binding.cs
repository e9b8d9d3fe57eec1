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
        return other is null ? Outcome.Held($"{candidate.Devices.Length} of {candidate.Devices.Length} vouch for {key.Thumbprint}")
            : Outcome.Failed($"device {other.Index} did not answer the nonce of this challenge and key: it vouches for another", other.Device?.Report.Nonce.ToString() ?? "not authentic", nonce.ToString());
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
                ? "no reference value names the paravisor whose vTPM should vouch for the key: any root process of the guest could have made it up"
                : "the vTPM that should vouch for the key is not in the TEE of this CPU's report");
        }

        found = byTpm ? candidate.Tpm!.Quote!.Quote.ExtraData.ToArray() : found;
        var expected = byTpm ? key.QualifyingData(candidate.Parts.AdditionalEvidence) : key.ReportData(candidate.Parts.AdditionalEvidence);
        candidate.CpuBindsDevices = CryptographicOperations.FixedTimeEquals(found, expected);
        return candidate.CpuBindsDevices ? Outcome.Held("challenge, key and device evidence")
            : Outcome.Failed(
                "the CPU's report was made for another challenge, another key or other devices: parts of two machines or sessions are shown together",
                Convert.ToHexStringLower(found), Convert.ToHexStringLower(expected));
    }

    // The registers must be those of this very quote: another VM's honest log explains another VM's registers.
    private static Outcome BootEventIsCarried(Candidate candidate)
    {
        if (candidate.Parts.Boot is not { } boot)
        {
            return Outcome.NotApplicable("no boot log is given: nothing but the boot event of a measured gate binds a GPU to a VM");
        }

        if (!boot.CarriesBootEvent || boot.Log is not { } log)
        {
            var failed = boot.Findings.FirstOrDefault(finding => finding.State is CheckState.Failed);
            return failed is not null ? Outcome.Failed($"the boot log carries no event that counts: {failed.Id}: {failed.Reason}") : Outcome.NotApplicable("no gate of ours is asked about, or its register is not the VM's own");
        }

        var whyNot = log.Quoted.Kind switch
        {
            RegisterKind.Rtmr => candidate.Tee?.Registers is not { } signed ? "no TDX quote is authentic"
                : log.Quoted.Values.All(item => signed.Values.TryGetValue(item.Key, out var value) && value == item.Value) ? null
                : "the log was compared with the registers of another quote",
            RegisterKind.Pcr => candidate.Tpm?.Quote is not { } quote ? "no TPM quote is authentic"
                : !log.Quoted.IsInTee || !quote.Registers.IsInTee || !AreTheSame(log.Quoted, quote.Registers) ? "the log was compared with the registers of another TPM, or of one outside the TEE"
                : IsOfTheCpu(candidate) ? null
                : "the TPM is in another VM's TEE: the hardware report that vouches for its key is not the one of this CPU",
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
        return kind is RegisterKind.Rtmr && tpm is not null ? "the RTMRs beside a vTPM are the paravisor's own: a gate of the guest writes a PCR"
            : failed is not null ? $"the processor's evidence did not pass ({failed.Id}), and its registers are worth no more than it"
            : image && boot && !isWhole ? kind is RegisterKind.Pcr
                ? "the reference values do not name what firmware loaded, its kernel and what that was given (PCR 4, and 9, or 11 with 12), and any other could have written the event"
                : "the reference values name the VM's firmware and not its kernel (RTMR1 and RTMR2), and any other could have written the event"
            : !image ? "the VM's image is not known to be one of yours, and any other could have written the event: give reference values"
            : !boot ? "what the TPM measured is not known to be a boot of yours, and any other could have written the event: give reference values with PCRs"
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
            return Outcome.NotApplicable("no device answers now: the boot event alone is believed");
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
            return Outcome.NotApplicable("no boot event vouches for the mode");
        }

        var cc = candidate.Parts.Boot!.Record!.Attestation!.Cc;
        var gpus = candidate.Devices.Where(device => device.Kind is DeviceKind.Gpu).Select(device => device.Device?.Fields).OfType<DeviceFields>();
        var signed = gpus.Select(fields => fields switch
        {
            { Mode: GpuMode.Ppcie } or { Mode: GpuMode.NotReported, ProtectedPcie: true } => (BootCcMode?)BootCcMode.Ppcie,
            { Mode: GpuMode.Spt or GpuMode.Mpt } => BootCcMode.On,
            _ => null,
        }).OfType<BootCcMode>().Distinct().ToArray();
        return signed.Length == 0 ? Outcome.NotApplicable($"the GPUs do not tell their mode; the measured guest says {cc}")
            : signed.All(mode => mode == cc) ? Outcome.Held($"{cc.ToString().ToLowerInvariant()}, vouched by the measured guest and signed by the GPUs' mode")
            : Outcome.Failed("the guest's word about the GPUs' mode and what they sign about it disagree", string.Join(", ", signed), $"{cc}");
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
            : !hasDevices && expected is { RequiredBinding: null, Gpus: null, Switches: null } && !candidate.Stated.HasFlag(Statements.Gate) ? Outcome.NotApplicable("no device is shown, and none was asked about")
            : candidate.Tee is { LacksCertificates: true } && candidate.Binding < wanted ? Outcome.Stopped("the CPU's report could not be judged: collateral is missing")
            : hasDevices && candidate.Binding >= wanted ? (candidate.Binding is GpuBinding.BootEvent ? Outcome.Held(Word(candidate.Binding)) : Outcome.Waived(candidate.IsGpuOnly ? "none: no processor's evidence is shown, and no binding was demanded" : $"{Word(candidate.Binding)}; you accept {Word(wanted)}: a VM without a GPU can borrow another's answer"))
            : Outcome.Failed(hasDevices ? "the devices are bound to the VM less than you demand" : "devices are demanded, and none is shown: what is left out is missing", hasDevices ? Word(candidate.Binding) : "no device", Word(wanted));
    }
}

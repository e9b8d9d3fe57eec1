using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Reference;
using Assay.Trust;

namespace Assay.Appraisal.Devices;

/// <summary>The questions put to an authentic device: its state, its reference values, its measurements.</summary>
internal static class DeviceAppraisal
{
    private static readonly ImmutableArray<Check<Candidate>> s_state =
    [
        new(CheckIds.DeviceChainCurrent, candidate => candidate.Judge.Current(candidate.Device.Path, isRim: false)),
        new(CheckIds.DeviceChainNotRevoked, NotRevoked),
        new(CheckIds.DeviceChainStatusCurrent, candidate => candidate.Revocation!.StatusCurrent),
        new(CheckIds.DeviceModeConsistent, ModeIsConsistent),
        new(CheckIds.SwitchPdiMatch, SwitchPdiMatches),
        new(CheckIds.DeviceVbiosKnown, VbiosIsKnown),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_gpuMeasurements =
    [
        new(CheckIds.ReportNvdec0Reported, NvDec0IsReported),
        new(CheckIds.MeasurementsNoConflict, candidate => NoConflict(candidate)),
        new(CheckIds.MeasurementsDriverMatch, candidate => Match(candidate, RimRole.Driver)),
        new(CheckIds.MeasurementsVbiosMatch, candidate => Match(candidate, RimRole.Vbios)),
        new(CheckIds.MeasurementsMinSvnMet, MinimumSvnIsMet),
    ];

    private static readonly ImmutableArray<Check<Candidate>> s_switchMeasurements =
    [
        new(CheckIds.MeasurementsSwitchMatch, candidate => Match(candidate, RimRole.SwitchBios)),
    ];

    /// <summary>The ids of the questions about the device itself.</summary>
    public static IEnumerable<string> StateCheckIds => s_state.Select(check => check.Id);

    /// <summary>The ids of the questions that follow those about RIMs.</summary>
    public static IEnumerable<string> MeasurementCheckIds => s_gpuMeasurements.Concat(s_switchMeasurements).Select(check => check.Id);

    public static DeviceResult Appraise(DeviceResult authenticated, MachineCollateral collateral, DeviceExpectations expected, VerifierCache cache)
    {
        if (authenticated.Device is not { } device)
        {
            // Nothing is asked about evidence that is not authentic, and the questions stay visible.
            var stopped = s_state.Select(check => Outcome.Stopped("the evidence is not authentic").Named(check.Id));
            return authenticated with { Findings = [.. authenticated.Findings, .. stopped] };
        }

        var candidate = new Candidate(device, collateral, new ChainJudge(expected, collateral, cache))
        {
            Rims = [.. ReferencePlan.For(device).Select(requirement => RimAppraisal.Appraise(requirement, device.Identity, collateral, expected, cache))],
        };
        candidate.Compare();
        var measurements = DeviceKindWords.Choose(device.Identity.Kind, gpu: s_gpuMeasurements, nvSwitch: s_switchMeasurements);
        return authenticated with
        {
            Findings =
            [
                .. authenticated.Findings,
                .. s_state.Select(check => check.Ask(candidate)),
                .. candidate.Rims.SelectMany(rim => rim.Findings),
                .. measurements.Select(check => check.Ask(candidate)),
            ],
            Chain = candidate.Revocation?.Status,
            Rims = candidate.Rims,
            Measurements = candidate.Measurements,
            MinimumSvns = candidate.MinimumSvns,
        };
    }

    private static Outcome NotRevoked(Candidate candidate)
    {
        candidate.Revocation = candidate.Judge.Revocation(candidate.Device.Path, candidate.Device.Identity.Model);
        return candidate.Revocation.NotRevoked;
    }

    // Two fields say the same of protected PCIe; a report that contradicts itself is of no known firmware (S-8).
    private static Outcome ModeIsConsistent(Candidate candidate)
    {
        var fields = candidate.Device.Fields;
        return fields is { Mode: not GpuMode.NotReported, ProtectedPcie: { } protectedPcie }
            ? protectedPcie == (fields.Mode is GpuMode.Ppcie)
                ? Outcome.Held(fields.Mode.ToString().ToUpperInvariant())
                : Outcome.Failed("PROTECTED_PCIE_STATUS and FEATURE_FLAG contradict each other", $"{fields.Mode}, protected PCIe {(protectedPcie ? "on" : "off")}")
            : Outcome.NotApplicable("the report does not state the mode twice");
    }

    private static Outcome SwitchPdiMatches(Candidate candidate) => candidate.Device switch
    {
        { Identity.Kind: not DeviceKind.Switch } => Outcome.NotApplicable("not a switch"),
        { Fields.OwnPdi: null } => Outcome.NotApplicable("the report names no PDI"),
        { Identity.Pdi: null } => Outcome.NotApplicable("the certificate names no PDI"),
        var device when device.Fields.OwnPdi == device.Identity.Pdi => Outcome.Held($"{device.Identity.Pdi}"),
        var device => Outcome.Failed("the report belongs to another switch than its certificate", $"{device.Fields.OwnPdi}", $"{device.Identity.Pdi}"),
    };

    // Asked apart from the missing RIM: that the source knows other versions for this very board tells what to do about it.
    private static Outcome VbiosIsKnown(Candidate candidate)
    {
        var need = candidate.Rims.Select(rim => rim.Requirement).FirstOrDefault(requirement => requirement.Role is RimRole.Vbios or RimRole.SwitchBios);
        if (need?.Id is not { } id || !RimIds.TryParse(id, out var needed))
        {
            return Outcome.NotApplicable("the report does not yield a RIM id");
        }

        if (candidate.Collateral.Rims.ContainsKey(id))
        {
            return Outcome.Held(need.Version);
        }

        var newer = candidate.Collateral.KnownRimIds
            .Where(known => RimIds.TryParse(known, out var parts) && parts.IsNewerThan(needed))
            .Order(StringComparer.Ordinal).ToArray();
        return newer.Length > 0
            ? Outcome.Missing($"VBIOS {need.Version} is outdated: the RIM source has no RIM for it, and lists {string.Join(", ", newer.Take(3))} for the same board; update the VBIOS")
            : Outcome.Missing($"no RIM for VBIOS {need.Version} could be fetched: {candidate.Collateral.RimFaults.GetValueOrDefault(id) ?? "no RIM source was asked"}");
    }

    private static Outcome NvDec0IsReported(Candidate candidate) => candidate.Device switch
    {
        { Fields.NvDec0Enabled: { } enabled } => Outcome.Held(enabled ? "enabled" : "disabled: a difference at index 35 does not count"),
        { Report.Opaque.Form: OpaqueForm.Absent } => Outcome.NotApplicable("the report has no opaque data"),
        _ => Outcome.Failed("NVDEC0_STATUS is absent: it is not known whether index 35 counts", "absent", "0xAA or 0x55"),
    };

    private static Outcome NoConflict(Candidate candidate) =>
        candidate.Rims.Count(rim => rim.IsUsable) < 2 ? Outcome.Stopped("both RIMs are needed")
        : candidate.Measurements is { Conflicts: { IsEmpty: false } conflicts } ? Outcome.Failed($"driver and VBIOS RIM both give values for index {string.Join(", ", conflicts)}")
        : candidate.MinimumSvns?.Fault is { } fault ? Outcome.Failed(fault)
        : Outcome.Held();

    private static Outcome Match(Candidate candidate, RimRole role)
    {
        if (candidate.Rims.FirstOrDefault(rim => rim.Requirement.Role == role) is not { IsUsable: true, Rim: { } rim } || candidate.Measurements is not { } match)
        {
            return Outcome.Stopped("its RIM is not usable");
        }

        if (match.Fault is { } fault)
        {
            return Outcome.Failed(fault);
        }

        var source = role is RimRole.Driver ? MeasurementMatching.Driver : MeasurementMatching.Firmware;
        var mismatches = match.Mismatches.Where(mismatch => mismatch.Source == source).ToArray();
        var compared = rim.Document.Measurements.Count(golden => golden.Active && !match.Skipped.Contains(golden.Index));
        return mismatches.Length == 0
            ? Outcome.Held($"{compared} of {compared}")
            : Outcome.Failed(
                $"{mismatches.Length} of {compared} measurements differ: " + string.Join(", ", mismatches.Select(mismatch => $"index {mismatch.Index} ({mismatch.Name})")),
                string.Join(" ", mismatches.Select(mismatch => mismatch.RuntimeValue)),
                string.Join(" ", mismatches.Select(mismatch => mismatch.GoldenValue)));
    }

    private static Outcome MinimumSvnIsMet(Candidate candidate) => candidate.MinimumSvns switch
    {
        null => Outcome.Stopped("no RIM is usable"),
        { Fault: { } fault } => Outcome.Failed(fault),
        { Holds: false } match => Outcome.Failed(
            "firmware is below its security version floor: update it",
            string.Join(", ", match.Mismatches.Select(mismatch => $"{mismatch.Name} {mismatch.RuntimeValue?.ToString(System.Globalization.CultureInfo.InvariantCulture) ?? "not reported"}")),
            string.Join(", ", match.Mismatches.Select(mismatch => $"at least {mismatch.GoldenValue}"))),
        _ when !candidate.Rims.All(rim => rim.IsUsable) => Outcome.Stopped("both RIMs are needed"),
        { Compared: 0 } => Outcome.NotApplicable("the RIMs set no floor"),
        var match => Outcome.Held($"{match.Compared} of {match.Compared}"),
    };

    private sealed class Candidate(AuthenticDevice device, MachineCollateral collateral, ChainJudge judge)
    {
        public AuthenticDevice Device => device;
        public MachineCollateral Collateral => collateral;
        public ChainJudge Judge => judge;
        public required ImmutableArray<RimResult> Rims { get; init; }
        public RevocationOutcomes? Revocation { get; set; }
        public MeasurementMatch? Measurements { get; private set; }
        public MinimumSvnMatch? MinimumSvns { get; private set; }

        /// <summary>Compares with whatever RIMs are usable: a mismatch counts although the other RIM is missing.</summary>
        public void Compare()
        {
            var usable = Rims.Where(rim => rim.IsUsable).ToArray();
            if (usable.Length == 0)
            {
                return;
            }

            var driver = usable.FirstOrDefault(rim => rim.Requirement.Role is RimRole.Driver)?.Rim;
            var firmware = usable.FirstOrDefault(rim => rim.Requirement.Role is RimRole.Vbios or RimRole.SwitchBios)?.Rim;
            // Reference manifests count from 0, SPDM from 1.
            var runtime = device.Report.Blocks.ToDictionary(block => block.Index - 1, block => block.Value);
            byte? nvdec0 = device.Fields.NvDec0Enabled switch
            {
                true => MeasurementMatching.Nvdec0Enabled,
                false => MeasurementMatching.Nvdec0Disabled,
                null => null,
            };
            Measurements = MeasurementMatching.Match(driver, firmware, runtime, nvdec0);
            MinimumSvns = MinimumSvnMatching.Match(driver, firmware, type =>
                device.Report.Opaque.Find((ushort)type) is { } field ? new OpaqueValue(field.ValueType, field.Data) : null);
        }
    }
}

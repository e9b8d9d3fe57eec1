using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Checks;

namespace Assay.Policy;

/// <summary>
/// What comes before any policy. A policy sees claims, and can knowingly allow only what claims show: expiry, revocation and measurements.
/// Whatever else failed is not its to excuse, and checks of later versions are not until they are named here. Where collateral is missing
/// there is nothing to decide about yet.
/// </summary>
internal static class PolicyGate
{
    private static readonly HashSet<string> s_shownByClaims = new(StringComparer.Ordinal)
    {
        CheckIds.DeviceChainCurrent, CheckIds.DeviceChainNotRevoked,
        CheckIds.RimDriverChainCurrent, CheckIds.RimDriverChainNotRevoked, CheckIds.RimDriverChainNotHeld,
        CheckIds.RimVbiosChainCurrent, CheckIds.RimVbiosChainNotRevoked, CheckIds.RimVbiosChainNotHeld,
        CheckIds.RimSwitchChainCurrent, CheckIds.RimSwitchChainNotRevoked, CheckIds.RimSwitchChainNotHeld,
        CheckIds.MeasurementsDriverMatch, CheckIds.MeasurementsVbiosMatch, CheckIds.MeasurementsSwitchMatch, CheckIds.MeasurementsMinSvnMet,
    };

    /// <summary>Why no policy is asked about this; null when one is.</summary>
    public static string? WhyNotAsked(DevicesResult appraisal)
    {
        if (appraisal.Devices.IsDefaultOrEmpty || appraisal.Findings.IsDefaultOrEmpty || appraisal.Devices.Any(device => device.Findings.IsDefaultOrEmpty || device.Device is null))
        {
            return "a policy is asked about authentic devices only";
        }

        if (appraisal.AllFindings.FirstOrDefault(finding => finding.State is CheckState.Failed && !s_shownByClaims.Contains(finding.Id)) is { } failed)
        {
            return $"{failed.Id} failed, which no policy can allow";
        }

        // Claims have one status for a whole chain: who tolerates the one that they show would tolerate the other unseen.
        if (appraisal.Devices.Any(device => device.Rims.Select(rim => rim.Chain).Append(device.Chain).Any(chain => chain is { HidesAnother: true })))
        {
            return "certificates of one chain are bad in different ways, of which claims show one";
        }

        return appraisal.AllFindings.FirstOrDefault(finding => finding is { State: CheckState.NotChecked, Cause: not NotCheckedCause.Waived }) is { } open
            ? $"{open.Id} could not be checked: what is missing comes first"
            : null;
    }

    /// <summary>
    /// Why no policy is asked about a whole machine; null when one is, or there is no more than devices. Processor, boot and what binds them
    /// are nothing that a policy could excuse: what devices failed in is the one thing left to it.
    /// </summary>
    public static string? WhyNotAsked(MachineResult? machine)
    {
        if (machine is null)
        {
            return null;
        }

        var parts = machine.Parts;
        var all = parts.ProcessorFindings.Concat(parts.Boot?.Findings ?? [])
            .Concat(machine.Findings.Where(finding => finding.Id != MachineJudgement.PartsPassedId)).ToArray();
        return all.FirstOrDefault(finding => finding.State is CheckState.Failed) is { } failed ? $"{failed.Id} failed, which no policy can allow"
            : all.FirstOrDefault(finding => finding is { State: CheckState.NotChecked, Cause: not NotCheckedCause.Waived }) is { } open ? $"{open.Id} could not be checked: what is missing comes first"
            : null;
    }
}

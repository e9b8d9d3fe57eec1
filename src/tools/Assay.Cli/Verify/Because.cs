using Assay.Checks;
using Assay.Policy;

namespace Assay.Cli.Verify;

/// <summary>Why a verdict fails, in a line: the first finding that decided, and its cure. Most of what else failed follows from it.</summary>
internal static class Because
{
    private const int LongestSide = 24;

    /// <summary>Null where nothing failed.</summary>
    public static string? Of(Verdict verdict)
    {
        var (where, finding) = First(verdict);
        return finding is null ? null
            : $"{finding.Id}{where}: {finding.Reason}{Sides(finding)}{Cure(finding, verdict)}";
    }

    private static (string Where, Finding? Finding) First(Verdict verdict)
    {
        // Without a time nothing can be said of certificates, and a policy is asked where no check decided before it.
        if (Failed(verdict.Appraisal.Findings.Where(finding => finding.Id.StartsWith("time.", StringComparison.Ordinal))) is { } time)
        {
            return ("", time);
        }

        if (Failed(verdict.PolicyFindings) is { } refusal)
        {
            return ("", verdict.PolicyFindings.Skip(1).FirstOrDefault(finding => finding.State is CheckState.Failed) ?? refusal);
        }

        var devices = verdict.Appraisal.Devices;
        if (Failed(devices.SelectMany(device => device.Findings)) is { } first)
        {
            int[] alike = [.. devices.Where(device => device.Findings.Any(finding => finding.Id == first.Id && finding.State is CheckState.Failed)).Select(device => device.Index)];
            return (devices.Length == 1 ? "" : $" (device{(alike.Length == 1 ? "" : "s")} {DeviceRanges.Of(alike)})", first);
        }

        var parts = verdict.Machine?.Parts;
        return ("", Failed(verdict.Appraisal.Findings) ?? Failed(parts?.ProcessorFindings ?? []) ?? Failed(parts?.Boot?.Findings ?? [])
            ?? Failed((verdict.Machine?.Findings ?? []).Where(finding => finding.Id != Advice.OfParts)));
    }

    private static Finding? Failed(IEnumerable<Finding> findings) => findings.FirstOrDefault(finding => finding.State is CheckState.Failed);

    // A reason that names an option says itself what to do.
    private static string Cure(Finding finding, Verdict verdict) =>
        finding.Reason?.Contains(" --", StringComparison.Ordinal) is true ? "" : Advice.CureOf(finding.Id, verdict) is { } cure ? $". Cure: {cure}" : "";

    // Digests stand with the finding below: here they would hide the cure.
    private static string Sides(Finding finding) =>
        (finding.Found, finding.Expected) is ({ Length: <= LongestSide } found, { Length: <= LongestSide } expected) ? $" (found {found}, expected {expected})" : "";
}

using Assay.Checks;
using Assay.Evidence.Devices;

namespace Assay.Appraisal.Devices;

/// <summary>
/// What the older claims are derived from: the findings about one device, by id. A claim holds only where its checks held; a check that
/// was waived, stopped or does not apply makes it false. Which claim rests on which check stands in docs/reference/claims.md.
/// </summary>
internal sealed class ClaimsBasis(DeviceResult result)
{
    private readonly HashSet<string> _held =
        [.. result.Findings.Where(finding => finding.State is CheckState.Held).Select(finding => finding.Id)];

    public DeviceResult Result => result;

    /// <summary>Whether the check held.</summary>
    public bool Held(string id) => _held.Contains(id);

    /// <summary>Whether every one of them held.</summary>
    public bool AllHeld(params ReadOnlySpan<string> ids)
    {
        foreach (var id in ids)
        {
            if (!_held.Contains(id))
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Device certificates: to a trusted root, within their time, not revoked.</summary>
    public bool DeviceChainValidated => AllHeld(CheckIds.DeviceChainTrusted, CheckIds.DeviceChainCurrent, CheckIds.DeviceChainNotRevoked);

    /// <summary>A RIM's signers: to a trusted root, within their time, neither revoked nor on hold.</summary>
    /// <param name="rim"><c>rim.driver</c>, <c>rim.vbios</c> or <c>rim.switch</c>.</param>
    public bool RimChainValidated(string rim) =>
        AllHeld(rim + ".chain.trusted", rim + ".chain.current", rim + ".chain.not-revoked", rim + ".chain.not-held");

    /// <summary>Whether the RIM may be compared with the report and has golden values to compare.</summary>
    public bool GoldenValuesAvailable(RimRole role) =>
        result.Rim(role) is { IsUsable: true, Rim.Document.Measurements: var measurements } && measurements.Any(golden => golden.Active);
}

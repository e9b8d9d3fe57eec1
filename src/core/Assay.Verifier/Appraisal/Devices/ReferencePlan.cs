using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Evidence.Devices;
using Assay.Evidence.Spdm;
using Assay.Reference;

namespace Assay.Appraisal.Devices;

/// <summary>A RIM that a device needs.</summary>
/// <param name="Role">What it describes.</param>
/// <param name="Id">Its id; null when the report does not yield one.</param>
/// <param name="Version">The version that it must be of, as the report says; null with the id.</param>
/// <param name="WhyNoId">Why there is no id.</param>
/// <param name="CorimOnly">Whether the reference values exist only in a form that this version does not read.</param>
internal sealed record RimRequirement(RimRole Role, string? Id, string? Version, string? WhyNoId = null, bool CorimOnly = false)
{
    internal const string Available = ".available";
    internal const string NotHeld = ".chain.not-held";

    /// <summary>How the checks of this RIM are called: <c>rim.driver</c>, <c>rim.vbios</c> or <c>rim.switch</c>.</summary>
    public string Prefix => Role switch
    {
        RimRole.Driver => "rim.driver",
        RimRole.Vbios => "rim.vbios",
        RimRole.SwitchBios => "rim.switch",
        _ => throw new InvalidOperationException("a requirement without a role"),
    };

    /// <summary>The id of one of its checks.</summary>
    internal string IdOf(string suffix) => Prefix + suffix;
}

/// <summary>Which RIMs a device needs, from its authentic report alone.</summary>
internal static class ReferencePlan
{
    public static ImmutableArray<RimRequirement> For(AuthenticDevice device) =>
        [.. device.Identity.Model.Rims.Select(need => For(need, device.Fields))];

    private static RimRequirement For(RimNeed need, DeviceFields fields)
    {
        var version = need.Role is RimRole.Driver ? fields.DriverVersion : fields.VbiosVersion;
        if (need.Id is not { } pattern)
        {
            var why = need.WhyCorimOnly?.Replace("{version}", version ?? "not reported", StringComparison.Ordinal);
            return new(need.Role, null, null, why, CorimOnly: true);
        }

        return LacksBoard(pattern, fields) ? new(need.Role, null, null, "the report does not name its board: PROJECT, PROJECT_SKU and CHIP_SKU are needed")
            : version is null ? new(need.Role, null, null, $"the report names no {(need.Role is RimRole.Driver ? "driver version" : "VBIOS version")}")
            : RimIds.TryMake(pattern, fields, out var id, out var fault) ? new(need.Role, id.ToString(), version)
            : new(need.Role, null, null, $"the report's fields yield no RIM id: {fault}");
    }

    private static bool LacksBoard(RimIdPattern pattern, DeviceFields fields) => pattern.Parts.Any(part =>
        part.Field is RimIdField.Project or RimIdField.ProjectSku or RimIdField.ChipSku && part.Word is null && RimIds.Reported(part.Field, fields) is null);
}

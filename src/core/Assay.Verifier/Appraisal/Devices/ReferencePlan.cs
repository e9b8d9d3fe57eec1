using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Reference;
using Assay.Wire;

namespace Assay.Appraisal.Devices;

/// <summary>What a RIM describes.</summary>
public enum RimRole
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>A GPU's driver.</summary>
    Driver,

    /// <summary>A GPU's VBIOS.</summary>
    Vbios,

    /// <summary>A switch's BIOS.</summary>
    SwitchBios,
}

/// <summary>A RIM that a device needs.</summary>
/// <param name="Role">What it describes.</param>
/// <param name="Id">Its id; null when the report does not yield one.</param>
/// <param name="Version">The version that it must be of, as the report says; null with the id.</param>
/// <param name="WhyNoId">Why there is no id.</param>
/// <param name="CorimOnly">Whether the reference values exist only in a form that this version does not read.</param>
public sealed record RimRequirement(RimRole Role, string? Id, string? Version, string? WhyNoId = null, bool CorimOnly = false)
{
    /// <summary>How the checks of this RIM are called: <c>rim.driver</c>, <c>rim.vbios</c> or <c>rim.switch</c>.</summary>
    public string Prefix => Role switch
    {
        RimRole.Driver => "rim.driver",
        RimRole.Vbios => "rim.vbios",
        RimRole.SwitchBios => "rim.switch",
        _ => throw new InvalidOperationException("a requirement without a role"),
    };
}

/// <summary>Which RIMs a device needs, from its authentic report alone.</summary>
internal static class ReferencePlan
{
    public static ImmutableArray<RimRequirement> For(AuthenticDevice device)
    {
        var (identity, fields) = (device.Identity, device.Fields);
        return (identity.Architecture, identity.Responder) switch
        {
            (DeviceArchitecture.Ls10, _) => [Need(RimRole.SwitchBios, fields.VbiosVersion, RimIds.TrySwitch)],
            (DeviceArchitecture.Hopper, _) => [Need(RimRole.Driver, fields.DriverVersion, RimIds.TryHopperDriver), Vbios(fields)],
            (DeviceArchitecture.Blackwell, Responder.Gsp) =>
            [
                Need(RimRole.Driver, fields.DriverVersion, (string version, out string? id, out ParseFault? fault) => RimIds.TryBlackwellDriver(fields.ChipInfo, version, out id, out fault)),
                Vbios(fields),
            ],
            (DeviceArchitecture.Blackwell, _) =>
            [
                Corim(RimRole.Driver, "the FSP responder reports no driver: its reference values are published as CoRIM only, which this version does not read"),
                Corim(RimRole.Vbios, "the FSP responder reports no VBIOS version: its reference values are published as CoRIM only, which this version does not read"),
            ],
            (DeviceArchitecture.Rubin, _) =>
            [
                Corim(RimRole.Driver, $"Rubin's reference values are published as CoRIM only, which this version does not read (driver {fields.DriverVersion ?? "not reported"})"),
                Corim(RimRole.Vbios, $"Rubin's reference values are published as CoRIM only, which this version does not read (VBIOS {fields.VbiosVersion ?? "not reported"})"),
            ],
            _ => [],
        };
    }

    /// <summary>The part of a VBIOS RIM's id that names the board: ids that differ only behind it are versions for the same board.</summary>
    public static string? BoardOf(string vbiosRimId) => vbiosRimId.LastIndexOf('_') is > 0 and var end ? vbiosRimId[..(end + 1)] : null;

    private delegate bool IdMaker(string version, out string? id, out ParseFault? fault);

    private static RimRequirement Need(RimRole role, string? version, IdMaker make) =>
        version is null ? new(role, null, null, $"the report names no {(role is RimRole.Driver ? "driver version" : "VBIOS version")}")
        : make(version, out var id, out var fault) ? new(role, id, version)
        : new(role, null, null, $"the report's fields yield no RIM id: {fault}");

    private static RimRequirement Vbios(DeviceFields fields) =>
        fields is { Project: { } project, ProjectSku: { } sku, ChipSku: { } chip }
            ? Need(RimRole.Vbios, fields.VbiosVersion, (string version, out string? id, out ParseFault? fault) => RimIds.TryVbios(project, sku, chip, version, out id, out fault))
            : new(RimRole.Vbios, null, null, "the report names no board: PROJECT, PROJECT_SKU and CHIP_SKU are needed");

    private static RimRequirement Corim(RimRole role, string why) => new(role, null, null, why, CorimOnly: true);
}

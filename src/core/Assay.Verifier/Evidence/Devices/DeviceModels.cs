using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Files;

namespace Assay.Evidence.Devices;

/// <summary>
/// The models of device that are understood, one row each. A device that no row matches is refused: it is never taken for one that
/// is similar, for its reference values and the layout of its report would be guessed.
/// </summary>
internal static class DeviceModels
{
    /// <summary>The recipe for a new row.</summary>
    public const string Recipe = "docs/development/adding-a-device.md";

    private const string OfFsp = "its reference values are published as CoRIM only, which this version does not support";
    private const string OfRubin = "Rubin's reference values are published as CoRIM only, which this version does not support";

    // Opaque data has the same versions on all that were seen, recorded headers with major version 1 and 2.
    private static readonly OpaqueVersions s_opaque = new(Plain: 1, Header: 2);

    private static readonly RimIdPart s_driverVersion = new(RimIdField.DriverVersion, null);
    private static readonly RimIdPart s_firmwareVersion = new(RimIdField.FirmwareVersion, null);

    // For example NV_GPU_DRIVER_GH100_550.144.03.
    private static readonly RimIdPattern s_hopperDriver = RimIdPattern.Make(RimRole.Driver, "GH100", "NV_GPU_DRIVER_GH100", s_driverVersion);

    // For example NV_GPU_CC_DRIVER_GB110_580.10. What Blackwell's manifests call the product was never seen.
    private static readonly RimIdPattern s_blackwellDriver =
        RimIdPattern.Make(RimRole.Driver, null, "NV_GPU_CC_DRIVER", new RimIdPart(RimIdField.ChipInfo, "GB100"), s_driverVersion);

    // For example NV_GPU_VBIOS_G520_0200_885_9600A50001, of version 96.00.A5.00.01. The board is of any chip.
    private static readonly RimIdPattern s_vbios = RimIdPattern.Make(
        RimRole.Vbios, null, "NV_GPU_VBIOS", new(RimIdField.Project, null), new(RimIdField.ProjectSku, null), new(RimIdField.ChipSku, null), s_firmwareVersion);

    // For example NV_SWITCH_BIOS_5612_0002_890_9610550001: reports of LS10 name no board, and NVIDIA's verifiers write the one board there is.
    private static readonly RimIdPattern s_switchBios = RimIdPattern.Make(RimRole.SwitchBios, null, "NV_SWITCH_BIOS_5612_0002_890", s_firmwareVersion);

    /// <summary>Every row.</summary>
    public static ImmutableArray<DeviceModel> All { get; } =
    [
        new()
        {
            Name = "Hopper",
            Architecture = DeviceArchitecture.Hopper,
            Kind = DeviceKind.Gpu,
            Responder = Responder.Gsp,
            Certificates = new("GH???", "GSP"),
            SerialPrefix = 0x41,
            FirstAskedOfOcsp = 1,
            ArchitectureWord = "HOPPER",
            Opaque = s_opaque,
            RimsNameTheChip = true,
            Rims = [RimNeed.Of(s_hopperDriver), RimNeed.Of(s_vbios)],
        },
        new()
        {
            Name = "Blackwell GSP",
            Architecture = DeviceArchitecture.Blackwell,
            Kind = DeviceKind.Gpu,
            Responder = Responder.Gsp,
            Certificates = new("GB???", "GSP"),
            SerialPrefix = 0x41,
            FirstAskedOfOcsp = 1,
            ArchitectureWord = "BLACKWELL",
            Opaque = s_opaque,
            RimsNameTheChip = false,
            Rims = [RimNeed.Of(s_blackwellDriver), RimNeed.Of(s_vbios)],
        },
        new()
        {
            Name = "Blackwell FSP",
            Architecture = DeviceArchitecture.Blackwell,
            Kind = DeviceKind.Gpu,
            Responder = Responder.Fsp,
            Certificates = new("GB???", "FSP"),
            SerialPrefix = 0x40,
            FirstAskedOfOcsp = 1,
            ArchitectureWord = "BLACKWELL",
            Opaque = s_opaque,
            RimsNameTheChip = false,
            Rims =
            [
                RimNeed.CorimOnly(RimRole.Driver, $"the FSP responder reports no driver: {OfFsp}"),
                RimNeed.CorimOnly(RimRole.Vbios, $"the FSP responder reports no VBIOS version: {OfFsp}"),
            ],
        },
        new()
        {
            Name = "Rubin",
            Architecture = DeviceArchitecture.Rubin,
            Kind = DeviceKind.Gpu,
            Responder = Responder.Gsp,
            Certificates = new("GR???", "GSP"),
            SerialPrefix = 0x41,
            FirstAskedOfOcsp = 1,
            ArchitectureWord = "RUBIN",
            Opaque = s_opaque,
            RimsNameTheChip = false,
            Rims = [RimNeed.CorimOnly(RimRole.Driver, $"{OfRubin} (driver {{version}})"), RimNeed.CorimOnly(RimRole.Vbios, $"{OfRubin} (VBIOS {{version}})")],
        },
        new()
        {
            Name = "LS10",
            Architecture = DeviceArchitecture.Ls10,
            Kind = DeviceKind.Switch,
            Responder = Responder.Fsp,
            Certificates = new("LS_10", "FSP"),
            SerialPrefix = 0x50,
            FirstAskedOfOcsp = 1,
            ArchitectureWord = "LS10",
            Opaque = s_opaque,
            RimsNameTheChip = true,
            Rims = [RimNeed.Of(s_switchBios)],
        },
    ];

    /// <summary>Each form of RIM id, once.</summary>
    internal static ImmutableArray<RimIdPattern> RimIdPatterns { get; } = [.. All.SelectMany(model => model.Rims).Select(rim => rim.Id).OfType<RimIdPattern>().Distinct()];

    /// <summary>The kind of device that needs RIMs of a role.</summary>
    internal static DeviceKind KindThatNeeds(RimRole role) => All.First(model => model.Rims.Any(rim => rim.Role == role)).Kind;

    /// <summary>The model that two common names tell.</summary>
    /// <param name="leaf">Of chain[0].</param>
    /// <param name="device">Of chain[1].</param>
    /// <param name="model">The row.</param>
    /// <param name="chip">The chip in the certificate's words, for instance <c>GH100</c>.</param>
    /// <param name="whyNot">What was found, which names are understood, and what to do.</param>
    internal static bool TryFind(
        string leaf, string device, [NotNullWhen(true)] out DeviceModel? model, [NotNullWhen(true)] out string? chip, [NotNullWhen(false)] out string? whyNot)
    {
        foreach (var row in All)
        {
            if (row.Certificates.TryMatch(leaf, device, out chip))
            {
                (model, whyNot) = (row, null);
                return true;
            }
        }

        (model, chip) = (null, null);
        var known = string.Join(", ", All.Select(row => $"{row.Certificates.Chip} ({row.Certificates.Processor})"));
        whyNot = $"\"{leaf}\" under \"{device}\" is not a supported device: {known}, with the leaf \"… FMC LF\" under \"… BROM\". "
            + $"Update Assay; if the newest version does not support it either, {Recipe} says how a model is added";
        return false;
    }
}

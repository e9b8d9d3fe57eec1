using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>
/// The ids by which RIMs are asked for (NVIDIA attestation SDK, RIM service). The parts come from reports, and ids become file names and
/// URL segments: a part is letters and digits alone, a version those and single dots.
/// </summary>
public static class RimIds
{
    /// <summary>The constant parts of an LS10 switch: project, project SKU, chip SKU.</summary>
    private const string SwitchParts = "5612_0002_890";

    /// <summary>For example NV_GPU_DRIVER_GH100_550.144.03.</summary>
    public static bool TryHopperDriver(string version, [NotNullWhen(true)] out string? id, [NotNullWhen(false)] out ParseFault? fault) =>
        TryMake("NV_GPU_DRIVER_GH100_" + version, out id, out fault, WhyNotVersion("driverVersion", version));

    /// <summary>For example NV_GPU_CC_DRIVER_GB100_575.32; <paramref name="chip"/> is the report's CHIP_INFO, GB100 where it has none.</summary>
    public static bool TryBlackwellDriver(string? chip, string version, [NotNullWhen(true)] out string? id, [NotNullWhen(false)] out ParseFault? fault) =>
        TryMake($"NV_GPU_CC_DRIVER_{chip ?? "GB100"}_{version}", out id, out fault, WhyNotPart("CHIP_INFO", chip ?? "GB100"), WhyNotVersion("driverVersion", version));

    /// <summary>For example NV_GPU_VBIOS_G520_0200_885_9600A50001, of version 96.00.A5.00.01; the other parts as reported.</summary>
    public static bool TryVbios(
        string project, string projectSku, string chipSku, string version, [NotNullWhen(true)] out string? id, [NotNullWhen(false)] out ParseFault? fault) =>
        TryMake(
            $"NV_GPU_VBIOS_{project}_{projectSku}_{chipSku}_{WithoutDots(version)}",
            out id,
            out fault,
            WhyNotPart("PROJECT", project),
            WhyNotPart("PROJECT_SKU", projectSku),
            WhyNotPart("CHIP_SKU", chipSku),
            WhyNotVersion("VBIOS version", version));

    /// <summary>For example NV_SWITCH_BIOS_5612_0002_890_9610550001, of version 96.10.55.00.01.</summary>
    public static bool TrySwitch(string version, [NotNullWhen(true)] out string? id, [NotNullWhen(false)] out ParseFault? fault) =>
        TryMake($"NV_SWITCH_BIOS_{SwitchParts}_{WithoutDots(version)}", out id, out fault, WhyNotVersion("switch BIOS version", version));

    /// <summary>Whether an id from elsewhere, a file name for example, has the form of those made here.</summary>
    public static bool IsSafe(string id) =>
        id.Length is > 0 and <= Limits.RimIdCharacters && id[0] != '.' && !id.Contains("..", StringComparison.Ordinal)
        && id.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '.' or '-');

    private static bool TryMake(string made, [NotNullWhen(true)] out string? id, [NotNullWhen(false)] out ParseFault? fault, params ReadOnlySpan<ParseFault?> parts)
    {
        fault = null;
        foreach (var part in parts)
        {
            fault ??= part;
        }

        fault ??= IsSafe(made) ? null : new ParseFault("RIM id", 0, $"{made.Length} characters, and 1 to {Limits.RimIdCharacters} are allowed");
        id = fault is null ? made : null;
        return fault is null;
    }

    private static string WithoutDots(string version) => version.Replace(".", "", StringComparison.Ordinal).ToUpperInvariant();

    private static ParseFault? WhyNotPart(string field, string part) =>
        part.Length > 0 && part.All(char.IsAsciiLetterOrDigit) ? null : new ParseFault(field, 0, "one or more ASCII letters and digits are expected");

    // Neither empty nor with an empty element, so that no ".." and no leading or trailing dot can arise.
    private static ParseFault? WhyNotVersion(string field, string version) =>
        version.Split('.').All(element => element.Length > 0 && element.All(character => char.IsAsciiLetterOrDigit(character) || character == '-'))
            ? null
            : new ParseFault(field, 0, "ASCII letters, digits and hyphens between single dots are expected");
}

using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Devices;
using Assay.Evidence.Spdm;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>
/// The ids by which RIMs are asked for (NVIDIA attestation SDK, RIM service), made and read by the patterns of <see cref="DeviceModels"/>.
/// The parts come from reports, and ids become file names and URL segments: a part is letters and digits alone, a version those and
/// single dots.
/// </summary>
public static class RimIds
{
    /// <summary>Makes the id that a pattern and a report give.</summary>
    internal static bool TryMake(RimIdPattern pattern, DeviceFields fields, [NotNullWhen(true)] out RimId? id, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentNullException.ThrowIfNull(pattern);
        ArgumentNullException.ThrowIfNull(fields);
        var parts = new string[pattern.Parts.Length];
        fault = null;
        for (var index = 0; index < parts.Length; index++)
        {
            var (field, word) = pattern.Parts[index];
            var reported = Reported(field, fields) ?? word ?? "";
            fault ??= WhyNot(field, reported, pattern.Role);
            parts[index] = field is RimIdField.FirmwareVersion ? WithoutDots(reported) : reported;
        }

        var made = string.Join('_', parts);
        fault ??= IsSafe(made) ? null : new ParseFault("RIM id", 0, $"{made.Length} characters, and 1 to {Limits.RimIdCharacters} are allowed");
        id = fault is null ? new RimId(pattern, string.Join('_', parts[..^1]), parts[^1]) : null;
        return fault is null;
    }

    /// <summary>Reads an id. It fails for an id of a form that no known model's manifests have.</summary>
    internal static bool TryParse(string text, [NotNullWhen(true)] out RimId? id)
    {
        ArgumentNullException.ThrowIfNull(text);
        id = null;
        if (!IsSafe(text))
        {
            return false;
        }

        var parts = text.Split('_');
        var pattern = DeviceModels.RimIdPatterns.FirstOrDefault(pattern => Matches(pattern, parts));
        id = pattern is null ? null : new RimId(pattern, string.Join('_', parts[..^1]), parts[^1]);
        return id is not null;
    }

    /// <summary>Whether an id from elsewhere, a file name for example, can be a file name and a URL segment.</summary>
    public static bool IsSafe(string id) =>
        id.Length is > 0 and <= Limits.RimIdCharacters && id[0] != '.' && !id.Contains("..", StringComparison.Ordinal)
        && id.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '.' or '-');

    internal static string WithoutDots(string version) => version.Replace(".", "", StringComparison.Ordinal).ToUpperInvariant();

    private static bool Matches(RimIdPattern pattern, string[] parts)
    {
        if (parts.Length != pattern.Parts.Length)
        {
            return false;
        }

        for (var index = 0; index < parts.Length; index++)
        {
            var (field, word) = pattern.Parts[index];
            var fits = field switch
            {
                RimIdField.None => parts[index] == word,
                RimIdField.FirmwareVersion => IsVersion(parts[index]) && !parts[index].Contains('.', StringComparison.Ordinal),
                _ => WhyNot(field, parts[index], pattern.Role) is null,
            };
            if (!fits)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>What a report says in a field; null when it says nothing.</summary>
    internal static string? Reported(RimIdField field, DeviceFields fields) => field switch
    {
        RimIdField.DriverVersion => fields.DriverVersion,
        RimIdField.FirmwareVersion => fields.VbiosVersion,
        RimIdField.ChipInfo => fields.ChipInfo,
        RimIdField.Project => fields.Project,
        RimIdField.ProjectSku => fields.ProjectSku,
        RimIdField.ChipSku => fields.ChipSku,
        _ => null,
    };

    private static ParseFault? WhyNot(RimIdField field, string part, RimRole role) => field switch
    {
        RimIdField.None => null,
        RimIdField.DriverVersion => WhyNotVersion("driverVersion", part),
        RimIdField.FirmwareVersion => WhyNotVersion(role is RimRole.SwitchBios ? "switch BIOS version" : "VBIOS version", part),
        RimIdField.ChipInfo => WhyNotPart("CHIP_INFO", part),
        RimIdField.Project => WhyNotPart("PROJECT", part),
        RimIdField.ProjectSku => WhyNotPart("PROJECT_SKU", part),
        RimIdField.ChipSku => WhyNotPart("CHIP_SKU", part),
        _ => throw new ArgumentOutOfRangeException(nameof(field), field, $"this part of a RIM id is not supported; {DeviceModels.Recipe} says how one is added"),
    };

    private static ParseFault? WhyNotPart(string field, string part) =>
        part.Length > 0 && part.All(char.IsAsciiLetterOrDigit) ? null : new ParseFault(field, 0, "one or more ASCII letters and digits are expected");

    private static ParseFault? WhyNotVersion(string field, string version) =>
        IsVersion(version) ? null : new ParseFault(field, 0, "ASCII letters, digits and hyphens between single dots are expected");

    // Neither empty nor with an empty element, so that no ".." and no leading or trailing dot can arise.
    private static bool IsVersion(string version) =>
        version.Split('.').All(element => element.Length > 0 && element.All(character => char.IsAsciiLetterOrDigit(character) || character == '-'));
}

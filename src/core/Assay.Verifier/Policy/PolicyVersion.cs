using System.Collections.Immutable;
using System.Text.Json;
using Assay.Appraisal.Devices;

namespace Assay.Policy;

/// <summary>For which claims a policy was written. Its own "version" does not tell; the names of its rules do.</summary>
internal static class PolicyVersion
{
    private static readonly string[] s_only4 = ["x-nvidia-attester-claims", "x-nvidia-mismatch-opaque-data-records"];
    private static readonly string[] s_since3 = ["-cert-chain", "-cert-chain-fwid-match", "-rim-version-match"];
    private static readonly string[] s_only2 = ["-cert-chain-validated", "-rim-cert-validated"];

    /// <summary>
    /// By the claims that only one version has, and then by <c>x-nvidia-ver</c>; null when neither tells. Rules of several versions
    /// cannot all be satisfied, whichever is taken.
    /// </summary>
    public static ClaimsVersion? WrittenFor(ImmutableArray<(bool IsOverall, string Name, JsonElement Value)> rules)
    {
        string[] device = [.. rules.Where(rule => !rule.IsOverall).Select(rule => rule.Name)];
        return device.Any(name => name.StartsWith(LegacyClaims.Prefix, StringComparison.Ordinal)) ? ClaimsVersion.Legacy
            : EndsWithOneOf(device, s_only2) ? ClaimsVersion.V2
            : device.Any(s_only4.Contains) || Says("x-nvidia-gpu-claims-version", "4.0") ? ClaimsVersion.V4
            : EndsWithOneOf(device, s_since3) || Says("x-nvidia-ver", "3.0") ? ClaimsVersion.V3
            : Says("x-nvidia-ver", "2.0") ? ClaimsVersion.V2
            : null;

        bool Says(string name, string value) =>
            rules.Any(rule => rule.Name == name && rule.Value.ValueKind is JsonValueKind.String && rule.Value.ValueEquals(value));

        static bool EndsWithOneOf(string[] names, string[] ends) =>
            names.Any(name => name.StartsWith("x-nvidia-", StringComparison.Ordinal) && ends.Any(end => name.EndsWith(end, StringComparison.Ordinal)));
    }

    /// <summary><c>2.0</c>, <c>3.0</c>, <c>4.0</c> or <c>legacy</c>.</summary>
    public static string Word(ClaimsVersion version) => version switch
    {
        ClaimsVersion.V2 => "2.0",
        ClaimsVersion.V3 => "3.0",
        ClaimsVersion.V4 => "4.0",
        ClaimsVersion.Legacy => "legacy",
        _ => "of no version",
    };
}

using System.Text.Json;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;

namespace Assay.Appraisal.Devices;

/// <summary>
/// The claims about a set of devices together: what the overall token of a detached EAT bundle carries, without what a token adds when it
/// is signed (iat, nbf, exp, jti, and the digests of submodules, which stand here as null).
/// </summary>
internal static class OverallClaims
{
    /// <summary>The value of <c>sub</c>.</summary>
    public const string Subject = "NVIDIA-PLATFORM-ATTESTATION";

    /// <summary>Writes one JSON object.</summary>
    /// <param name="writer">Where to.</param>
    /// <param name="result">About what.</param>
    /// <param name="version">Of the device claims beside it.</param>
    /// <param name="issuer">Whose statement it will be; null leaves <c>iss</c> out.</param>
    public static void Write(Utf8JsonWriter writer, DevicesResult result, ClaimsVersion version, string? issuer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(result);
        var authentic = result.Devices.Where(device => device.Device is not null).ToArray();
        var nonces = authentic.Select(device => device.Device!.Report.Nonce).Distinct().ToArray();
        writer.WriteStartObject();
        if (nonces is [var nonce])
        {
            writer.WriteString("eat_nonce", nonce.ToString());
        }

        if (issuer is not null)
        {
            writer.WriteString("iss", issuer);
        }

        writer.WriteString("sub", Subject);
        writer.WriteStartObject("submods");
        foreach (var name in SubmoduleNames(authentic))
        {
            writer.WriteNull(name);
        }

        writer.WriteEndObject();
        writer.WriteBoolean("x-nvidia-overall-att-result", NvidiaClaims.OverallResult(result));
        if (VersionOf(version) is { } word)
        {
            writer.WriteString("x-nvidia-ver", word);
        }

        writer.WriteEndObject();
    }

    /// <summary><c>x-nvidia-ver</c>; the first verifier had no overall claims, and so no version of them. It stays 3.0 beside device claims 4.0.</summary>
    public static string? VersionOf(ClaimsVersion version) => version switch
    {
        ClaimsVersion.V2 => "2.0",
        ClaimsVersion.V3 or ClaimsVersion.V4 => "3.0",
        _ => null,
    };

    private static string[] SubmoduleNames(DeviceResult[] devices)
    {
        var counts = new Dictionary<DeviceKind, int>();
        return [.. devices.Select(device => $"{DeviceKindWords.Of(device.Kind).Submodule}-{Next(device.Kind)}")];

        int Next(DeviceKind kind)
        {
            counts[kind] = counts.GetValueOrDefault(kind) + 1;
            return counts[kind] - 1;
        }
    }
}

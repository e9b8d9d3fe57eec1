using System.Text.Json;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;

namespace Assay.Appraisal.Devices;

/// <summary>
/// NVIDIA's claims 2.0: what its Python verifiers and the remote service's v3 write about a device, without a token's own members (iss,
/// iat, nbf, exp, jti). One boolean stands for a whole chain where 3.0 has an object, and <c>secboot</c> and <c>dbgstat</c> are there
/// only where measurements match. <c>measres</c> knows no third word: what could not be compared is <c>"fail"</c>.
/// </summary>
internal static class NvidiaClaims2
{
    private const string Gpu = "x-nvidia-gpu-";
    private const string Switch = "x-nvidia-switch-";

    /// <summary>Writes one JSON object about an authentic device.</summary>
    public static void Write(Utf8JsonWriter writer, DeviceResult result)
    {
        var basis = new ClaimsBasis(result);
        var claims = new SortedDictionary<string, object>(StringComparer.Ordinal);
        AddCommon(claims, result);
        switch (result.Kind)
        {
            case DeviceKind.Gpu:
                AddGpu(claims, result, basis);
                break;
            case DeviceKind.Switch:
                AddReport(claims, Switch, basis);
                AddRim(claims, Switch + "bios-rim", RimRole.SwitchBios, basis);
                claims.Add(Switch + "bios-version", result.Device!.Fields.VbiosVersion ?? "");
                break;
            default:
                throw DeviceKindWords.Unknown(result.Kind);
        }

        writer.WriteStartObject();
        foreach (var (name, value) in claims)
        {
            if (value is bool truth)
            {
                writer.WriteBoolean(name, truth);
            }
            else
            {
                writer.WriteString(name, (string)value);
            }
        }

        writer.WriteEndObject();
    }

    private static void AddCommon(SortedDictionary<string, object> claims, DeviceResult result)
    {
        var device = result.Device!;
        claims.Add("eat_nonce", device.Report.Nonce.ToString());
        claims.Add("hwmodel", device.Identity.HardwareModel);
        claims.Add("ueid", device.Identity.Ueid);
        claims.Add("measres", result.MeasurementsMatch ? "success" : "fail");
        if (result.MeasurementsMatch)
        {
            claims.Add("secboot", true);
            claims.Add("dbgstat", "disabled");
        }
    }

    private static void AddGpu(SortedDictionary<string, object> claims, DeviceResult result, ClaimsBasis basis)
    {
        AddReport(claims, Gpu, basis);
        AddRim(claims, Gpu + "driver-rim", RimRole.Driver, basis);
        AddRim(claims, Gpu + "vbios-rim", RimRole.Vbios, basis);
        claims.Add(Gpu + "driver-version", result.Device!.Fields.DriverVersion ?? "");
        claims.Add(Gpu + "vbios-version", result.Device.Fields.VbiosVersion ?? "");
        claims.Add(Gpu + "vbios-index-no-conflict", basis.Held(CheckIds.MeasurementsNoConflict));
        claims.Add("oemid", result.Rim(RimRole.Driver)?.Rim?.Document.FirmwareManufacturerId ?? "");
    }

    private static void AddReport(SortedDictionary<string, object> claims, string prefix, ClaimsBasis basis)
    {
        claims.Add(prefix + "arch-check", basis.Held(CheckIds.DeviceIdentityKnown));
        claims.Add(prefix + "attestation-report-cert-chain-validated", basis.DeviceChainValidated);
        claims.Add(prefix + "attestation-report-parsed", basis.AllHeld(CheckIds.ReportWellformed, CheckIds.ReportFieldsWellformed));
        claims.Add(prefix + "attestation-report-nonce-match", basis.Held(CheckIds.ReportNonceMatch));
        claims.Add(prefix + "attestation-report-signature-verified", basis.Held(CheckIds.ReportSignatureValid));
    }

    private static void AddRim(SortedDictionary<string, object> claims, string prefix, RimRole role, ClaimsBasis basis)
    {
        var rim = new RimRequirement(role, null, null).Prefix;
        claims.Add(prefix + "-fetched", basis.Held(rim + ".available"));
        claims.Add(prefix + "-schema-validated", basis.Held(rim + ".wellformed"));
        claims.Add(prefix + "-cert-validated", basis.RimChainValidated(rim));
        claims.Add(prefix + "-signature-verified", basis.AllHeld(rim + ".signature.valid", rim + ".chain.trusted"));
        claims.Add(prefix + "-measurements-available", basis.GoldenValuesAvailable(role));
    }
}

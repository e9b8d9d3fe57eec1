using System.Text.Json;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Wire;

namespace Assay.Appraisal.Devices;

/// <summary>The versions of NVIDIA's device claims that can be written.</summary>
public enum ClaimsVersion
{
    /// <summary>Not chosen.</summary>
    None,

    /// <summary>As attestation-sdk 1.x writes them. Switches have no later version.</summary>
    V3,

    /// <summary>As attestation-sdk 2.x writes and demands them: 3.0 with attester claims and opaque data mismatches.</summary>
    V4,

    /// <summary>As NVIDIA's Python verifiers write them: one boolean for each chain.</summary>
    V2,

    /// <summary>The booleans of 2023, <c>x-nv-gpu-*</c>. GPUs only.</summary>
    Legacy,
}

/// <summary>
/// Writes the claims about one authentic device, with NVIDIA's names, types and values (attestation-sdk, nv_attestation claims; sorted by
/// name as its serializer does). What was not measured is <c>"not-run"</c> and false, never true. NVIDIA's values are kept where ours
/// differ: a FWID that old firmware does not report counts there as a match; our finding says not-applicable.
/// </summary>
internal static class NvidiaClaims
{
    /// <summary>Writes one JSON object.</summary>
    /// <exception cref="ArgumentException">The device is not authentic: nothing may be claimed about it.</exception>
    public static void Write(Utf8JsonWriter writer, DeviceResult result, ClaimsVersion version) =>
        Write(writer, result, version, withSchemaValidated: false);

    /// <summary>
    /// The same, on demand with <c>…-rim-schema-validated</c>, which 3.0 always has: NVIDIA's remote service and Python verifier
    /// write it there and its SDK does not; policies made for the former (Trustee's default among them) demand it. In 4.0 only JSON policies are shown it.
    /// </summary>
    internal static void Write(Utf8JsonWriter writer, DeviceResult result, ClaimsVersion version, bool withSchemaValidated)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(result);
        if (result.Device is null || version is ClaimsVersion.None)
        {
            throw new ArgumentException("claims are written about authentic devices, in a chosen version", nameof(result));
        }

        if (version is ClaimsVersion.V2 or ClaimsVersion.Legacy)
        {
            WriteOlder(writer, result, version);
            return;
        }

        var claims = new SortedDictionary<string, Action<Utf8JsonWriter>>(StringComparer.Ordinal);
        AddCommon(claims, result);
        switch (result.Kind)
        {
            case DeviceKind.Gpu:
                AddGpu(claims, result, version);
                break;
            case DeviceKind.Switch:
                AddSwitch(claims, result);
                break;
            default:
                throw DeviceKindWords.Unknown(result.Kind);
        }

        if (withSchemaValidated || version is ClaimsVersion.V3)
        {
            AddSchemaValidated(claims, result);
        }

        writer.WriteStartObject();
        foreach (var (name, write) in claims)
        {
            writer.WritePropertyName(name);
            write(writer);
        }

        writer.WriteEndObject();
    }

    private static void WriteOlder(Utf8JsonWriter writer, DeviceResult result, ClaimsVersion version)
    {
        if (version is ClaimsVersion.V2)
        {
            NvidiaClaims2.Write(writer, result);
        }
        else
        {
            LegacyClaims.Write(writer, result);
        }
    }

    /// <summary>
    /// <c>x-nvidia-overall-att-result</c>: NVIDIA's formula over these claims and nothing else (S-14). It says nothing about freshness
    /// that the caller did not ask for, and is false wherever revocation was skipped or answered without the nonce.
    /// </summary>
    public static bool OverallResult(DevicesResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        return !result.Devices.IsEmpty && result.Devices.All(device =>
            device.MeasurementsMatch && IsGood(device.Chain) && device.Rims.All(rim => IsGood(rim.Chain)));

        static bool IsGood(ChainStatus? chain) => chain is { IsExpired: false, OcspStatus: "good", NonceMatches: true, ResponseValid: true };
    }

    private static void AddCommon(SortedDictionary<string, Action<Utf8JsonWriter>> claims, DeviceResult result)
    {
        var device = result.Device!;
        var matched = result.MeasurementsMatch;
        Add(claims, "eat_nonce", device.Report.Nonce.ToString());
        Add(claims, "measres", !result.AllRimsUsable ? "not-run" : matched ? "success" : "fail");
        Add(claims, "hwmodel", device.Identity.HardwareModel);
        Add(claims, "ueid", device.Identity.Ueid);
        Add(claims, "x-nvidia-device-type", DeviceKindWords.Of(result.Kind).ClaimType);
        claims.Add("secboot", writer => WriteTrueOrNull(writer, matched));
        claims.Add("dbgstat", writer => WriteTextOrNull(writer, matched ? "disabled" : null));
        claims.Add("x-nvidia-mismatch-measurement-records", writer => WriteMismatches(writer, result));
    }

    private static void AddGpu(SortedDictionary<string, Action<Utf8JsonWriter>> claims, DeviceResult result, ClaimsVersion version)
    {
        var fields = result.Device!.Fields;
        AddReport(claims, "x-nvidia-gpu", result);
        Add(claims, "oemid", result.Rim(RimRole.Driver)?.Rim?.Document.FirmwareManufacturerId ?? "");
        Add(claims, "x-nvidia-gpu-driver-version", fields.DriverVersion ?? "");
        Add(claims, "x-nvidia-gpu-vbios-version", fields.VbiosVersion ?? "");
        AddRim(claims, "x-nvidia-gpu-driver-rim", result.Rim(RimRole.Driver));
        AddRim(claims, "x-nvidia-gpu-vbios-rim", result.Rim(RimRole.Vbios));
        Add(claims, "x-nvidia-gpu-vbios-index-no-conflict", result.AllRimsUsable && result.Measurements is { Conflicts.IsEmpty: true });
        Add(claims, "x-nvidia-gpu-claims-version", version is ClaimsVersion.V4 ? "4.0" : "3.0");
        if (!fields.SwitchPdis.IsEmpty)
        {
            claims.Add("x-nvidia-gpu-switch-pdis", writer => WritePdis(writer, fields.SwitchPdis));
        }

        if (version is ClaimsVersion.V4)
        {
            claims.Add("x-nvidia-attester-claims", writer => WriteAttesterClaims(writer, result));
            claims.Add("x-nvidia-mismatch-opaque-data-records", writer => WriteOpaqueMismatches(writer, result));
        }
    }

    private static void AddSwitch(SortedDictionary<string, Action<Utf8JsonWriter>> claims, DeviceResult result)
    {
        var fields = result.Device!.Fields;
        AddReport(claims, "x-nvidia-switch", result);
        Add(claims, "x-nvidia-switch-bios-version", fields.VbiosVersion ?? "");
        AddRim(claims, "x-nvidia-switch-bios-rim", result.Rim(RimRole.SwitchBios));
        Add(claims, "x-nvidia-version", "3.0");
        claims.Add("x-nvidia-switch-gpu-pdis", writer => WritePdis(writer, fields.GpuPdis));
        if (fields.OwnPdi is { } pdi)
        {
            Add(claims, "x-nvidia-switch-pdi", pdi.ToString());
        }
    }

    // An authentic device has passed all of these, or there would be no claims; the nonce alone may not have been asked about, and what
    // was not asked is not claimed.
    private static void AddReport(SortedDictionary<string, Action<Utf8JsonWriter>> claims, string prefix, DeviceResult result)
    {
        Add(claims, $"{prefix}-arch-check", true);
        Add(claims, $"{prefix}-attestation-report-parsed", true);
        Add(claims, $"{prefix}-attestation-report-nonce-match", result.Findings.Any(finding => finding is { Id: CheckIds.ReportNonceMatch, State: CheckState.Held }));
        Add(claims, $"{prefix}-attestation-report-signature-verified", true);
        Add(claims, $"{prefix}-attestation-report-cert-chain-fwid-match", true);
        claims.Add($"{prefix}-attestation-report-cert-chain", writer => WriteChain(writer, result.Chain));
    }

    private static void AddRim(SortedDictionary<string, Action<Utf8JsonWriter>> claims, string prefix, RimResult? rim)
    {
        var held = rim?.Findings.Where(finding => finding.State is CheckState.Held).Select(finding => finding.Id).ToHashSet() ?? [];
        bool Held(string check) => rim is not null && held.Contains(rim.Requirement.Prefix + check);
        Add(claims, $"{prefix}-fetched", rim?.Fetched ?? false);
        Add(claims, $"{prefix}-signature-verified", Held(".signature.valid") && Held(".chain.trusted"));
        Add(claims, $"{prefix}-version-match", Held(".version.match"));
        Add(claims, $"{prefix}-measurements-available", rim?.IsUsable ?? false);
        claims.Add($"{prefix}-cert-chain", writer => WriteChain(writer, rim?.Chain));
    }

    private static void AddSchemaValidated(SortedDictionary<string, Action<Utf8JsonWriter>> claims, DeviceResult result)
    {
        foreach (var rim in result.Rims)
        {
            var name = rim.Requirement.Role switch { RimRole.Driver => "gpu-driver", RimRole.Vbios => "gpu-vbios", RimRole.SwitchBios => "switch-bios", _ => throw new InvalidOperationException("a requirement without a role") };
            Add(claims, $"x-nvidia-{name}-rim-schema-validated", rim.Findings.Any(finding => finding.State is CheckState.Held && finding.Id == rim.Requirement.Prefix + ".wellformed"));
        }
    }

    private static void WriteChain(Utf8JsonWriter writer, ChainStatus? chain)
    {
        writer.WriteStartObject();
        writer.WriteString("x-nvidia-cert-expiration-date", chain is null ? "" : Utc.Text(chain.ExpiresAt));
        writer.WriteBoolean("x-nvidia-cert-ocsp-nonce-matches", chain?.NonceMatches ?? false);
        writer.WriteBoolean("x-nvidia-cert-ocsp-response-valid", chain?.ResponseValid ?? false);
        writer.WriteString("x-nvidia-cert-ocsp-status", chain?.OcspStatus ?? "");
        writer.WritePropertyName("x-nvidia-cert-revocation-reason");
        WriteTextOrNull(writer, chain?.RevocationReason);
        writer.WriteString("x-nvidia-cert-status", chain is null ? "" : chain.IsExpired ? "expired" : "valid");
        writer.WriteEndObject();
    }

    private static void WriteMismatches(Utf8JsonWriter writer, DeviceResult result)
    {
        if (result.Measurements is not { Mismatches: { IsEmpty: false } mismatches })
        {
            writer.WriteNullValue();
            return;
        }

        writer.WriteStartArray();
        foreach (var mismatch in mismatches)
        {
            writer.WriteStartObject();
            writer.WriteNumber("goldenSize", mismatch.GoldenSize);
            writer.WriteString("goldenValue", mismatch.GoldenValue);
            writer.WriteNumber("index", mismatch.Index);
            writer.WriteString("measurementSource", mismatch.Source);
            writer.WriteNumber("runtimeSize", mismatch.RuntimeSize);
            writer.WriteString("runtimeValue", mismatch.RuntimeValue);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void WriteAttesterClaims(Utf8JsonWriter writer, DeviceResult result)
    {
        writer.WriteStartObject();
        if (result.MinimumSvns is { } match)
        {
            foreach (var (name, value) in match.AttesterClaims)
            {
                writer.WriteNumber(name, value);
            }
        }

        writer.WriteEndObject();
    }

    private static void WriteOpaqueMismatches(Utf8JsonWriter writer, DeviceResult result)
    {
        if (result.MinimumSvns is not { Mismatches: { IsEmpty: false } mismatches })
        {
            writer.WriteNullValue();
            return;
        }

        writer.WriteStartArray();
        foreach (var mismatch in mismatches)
        {
            writer.WriteStartObject();
            writer.WriteString("goldenType", mismatch.GoldenType);
            writer.WriteNumber("goldenValue", mismatch.GoldenValue);
            writer.WriteNumber("id", mismatch.Id);
            writer.WriteString("name", mismatch.Name);
            if (mismatch is { RuntimeType: { } type, RuntimeValue: { } value })
            {
                writer.WriteString("runtimeType", type);
                writer.WriteNumber("runtimeValue", value);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    // Unique and sorted; the zero entries of disabled links included, as NVIDIA writes them.
    private static void WritePdis(Utf8JsonWriter writer, IEnumerable<Pdi> pdis)
    {
        writer.WriteStartArray();
        foreach (var pdi in pdis.Select(pdi => pdi.ToString()).Distinct().Order(StringComparer.Ordinal))
        {
            writer.WriteStringValue(pdi);
        }

        writer.WriteEndArray();
    }

    private static void WriteTrueOrNull(Utf8JsonWriter writer, bool value)
    {
        if (value)
        {
            writer.WriteBooleanValue(true);
        }
        else
        {
            writer.WriteNullValue();
        }
    }

    private static void WriteTextOrNull(Utf8JsonWriter writer, string? value)
    {
        if (value is null)
        {
            writer.WriteNullValue();
        }
        else
        {
            writer.WriteStringValue(value);
        }
    }

    private static void Add(SortedDictionary<string, Action<Utf8JsonWriter>> claims, string name, string value) =>
        claims.Add(name, writer => writer.WriteStringValue(value));

    private static void Add(SortedDictionary<string, Action<Utf8JsonWriter>> claims, string name, bool value) =>
        claims.Add(name, writer => writer.WriteBooleanValue(value));
}

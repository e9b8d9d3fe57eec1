using System.Collections.Immutable;
using System.Text.Json;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Evidence.Files;

namespace Assay.Appraisal.Devices;

/// <summary>
/// The claims of NVIDIA's first local verifier (2023, <c>x-nv-gpu-*</c>), which NVFlare's CC manager compares with 28 rules. All are
/// booleans. <c>x-nv-gpu-vbios-index-conflict</c> has the inverted sense, as there: true says that there is no conflict. Later
/// releases called it <c>x-nv-gpu-vbios-index-no-conflict</c>; both are written. Switches have no claims of this set.
/// </summary>
internal static class LegacyClaims
{
    /// <summary>How every name begins.</summary>
    public const string Prefix = "x-nv-gpu-";

    private sealed record Claim(string Name, Func<ClaimsBasis, bool> Holds);

    // In the order of the verifier's own list. That verifier knew no claim about the revocation or expiry of RIM signers apart from the
    // RIM's signature, so these rest on both: whoever rules on the signature asked about the signer.
    private static readonly ImmutableArray<Claim> s_claims =
    [
        new("available", basis => basis.Held(CheckIds.ReportSignatureValid)),
        new("attestation-report-available", basis => basis.Held(CheckIds.ReportWellformed)),
        new("info-fetched", InfoIsFetched),
        new("arch-check", basis => basis.Held(CheckIds.DeviceIdentityKnown)),
        new("root-cert-available", basis => basis.Held(CheckIds.DeviceChainTrusted)),
        new("cert-chain-verified", basis => basis.AllHeld(CheckIds.DeviceChainTrusted, CheckIds.DeviceChainCurrent)),
        new("ocsp-cert-chain-verified", OcspIsAuthentic),
        new("ocsp-signature-verified", OcspIsAuthentic),
        new("cert-ocsp-nonce-match", basis => OcspIsAuthentic(basis) && basis.Result.Chain is { NonceMatches: true }),
        new("cert-check-complete", basis => basis.DeviceChainValidated),
        new("measurement-available", basis => basis.Held(CheckIds.ReportWellformed) && !basis.Result.Device!.Report.Blocks.IsEmpty),
        new("attestation-report-parsed", basis => basis.AllHeld(CheckIds.ReportWellformed, CheckIds.ReportFieldsWellformed)),
        new("nonce-match", basis => basis.Held(CheckIds.ReportNonceMatch)),
        new("attestation-report-driver-version-match", basis => basis.Held(CheckIds.RimDriverVersionMatch)),
        new("attestation-report-vbios-version-match", basis => basis.Held(CheckIds.RimVbiosVersionMatch)),
        new("attestation-report-verified", basis => basis.AllHeld(CheckIds.ReportSignatureValid, CheckIds.ReportVersionSupported, CheckIds.DeviceChainTrusted)),
        new("driver-rim-schema-fetched", basis => basis.Held(CheckIds.RimDriverAvailable)),
        new("driver-rim-schema-validated", basis => basis.Held(CheckIds.RimDriverWellformed)),
        new("driver-rim-cert-extracted", basis => basis.Held(CheckIds.RimDriverChainTrusted)),
        new("driver-rim-signature-verified", basis => basis.Held(CheckIds.RimDriverSignatureValid) && basis.RimChainValidated("rim.driver")),
        new("driver-rim-driver-measurements-available", basis => basis.GoldenValuesAvailable(RimRole.Driver)),
        new("driver-vbios-rim-fetched", basis => basis.Held(CheckIds.RimVbiosAvailable)),
        new("vbios-rim-schema-validated", basis => basis.Held(CheckIds.RimVbiosWellformed)),
        new("vbios-rim-cert-extracted", basis => basis.Held(CheckIds.RimVbiosChainTrusted)),
        new("vbios-rim-signature-verified", basis => basis.Held(CheckIds.RimVbiosSignatureValid) && basis.RimChainValidated("rim.vbios")),
        new("vbios-rim-driver-measurements-available", basis => basis.GoldenValuesAvailable(RimRole.Vbios)),
        new("vbios-index-conflict", basis => basis.Held(CheckIds.MeasurementsNoConflict)),
        new("vbios-index-no-conflict", basis => basis.Held(CheckIds.MeasurementsNoConflict)),
        new("measurements-match", basis => basis.Result.MeasurementsMatch),
    ];

    /// <summary>Every name, in the order of the verifier's own list.</summary>
    public static ImmutableArray<string> Names { get; } = [.. s_claims.Select(claim => Prefix + claim.Name)];

    /// <summary>Writes one JSON object about an authentic device: empty for a switch.</summary>
    public static void Write(Utf8JsonWriter writer, DeviceResult result)
    {
        writer.WriteStartObject();
        if (result.Kind is DeviceKind.Gpu)
        {
            var basis = new ClaimsBasis(result);
            foreach (var claim in s_claims.OrderBy(claim => claim.Name, StringComparer.Ordinal))
            {
                writer.WriteBoolean(Prefix + claim.Name, claim.Holds(basis));
            }
        }

        writer.WriteEndObject();
    }

    private static bool InfoIsFetched(ClaimsBasis basis) =>
        basis.AllHeld(CheckIds.ReportWellformed, CheckIds.DeviceChainWellformed, CheckIds.ReportFieldsWellformed)
        && basis.Result.Device!.Fields is { DriverVersion: not null, VbiosVersion: not null };

    // No finding is about the answers' signatures alone; this is what the chain's status says of all of them. False where nobody was asked.
    private static bool OcspIsAuthentic(ClaimsBasis basis) => basis.Result.Chain is { ResponseValid: true };
}

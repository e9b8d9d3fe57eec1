using System.Text.Json;
using Assay.Appraisal.Devices;

namespace Assay.Tests.Appraisal;

/// <summary>The names and types that NVIDIA's verifiers write, and that its 2.x client demands.</summary>
public class RecordedClaimsTests
{
    private const string Gpu = "x-nvidia-gpu-";
    private const string Switch = "x-nvidia-switch-";

    // Claims that a 2.x client refuses a device token without.
    private static readonly string[] s_required =
    [
        "eat_nonce", "measres", "hwmodel", "ueid", "oemid",
        Gpu + "arch-check", Gpu + "driver-version", Gpu + "vbios-version", Gpu + "vbios-index-no-conflict",
        Gpu + "attestation-report-cert-chain", Gpu + "attestation-report-cert-chain-fwid-match", Gpu + "attestation-report-parsed",
        Gpu + "attestation-report-nonce-match", Gpu + "attestation-report-signature-verified",
        .. Rim(Gpu + "driver-rim"), .. Rim(Gpu + "vbios-rim"),
    ];

    private static readonly string[] s_optional = ["secboot", "dbgstat", "x-nvidia-mismatch-measurement-records", "x-nvidia-device-type", Gpu + "claims-version"];

    private static readonly string[] s_since4 = ["x-nvidia-attester-claims", "x-nvidia-mismatch-opaque-data-records"];

    private static readonly string[] s_switch =
    [
        "eat_nonce", "measres", "secboot", "dbgstat", "x-nvidia-mismatch-measurement-records", "hwmodel", "ueid", "x-nvidia-device-type",
        Switch + "arch-check", Switch + "bios-version", Switch + "pdi", Switch + "gpu-pdis",
        Switch + "attestation-report-cert-chain", Switch + "attestation-report-cert-chain-fwid-match", Switch + "attestation-report-parsed",
        Switch + "attestation-report-nonce-match", Switch + "attestation-report-signature-verified", .. Rim(Switch + "bios-rim"), "x-nvidia-version",
    ];

    /// <summary>NRAS and nvtrust write them in 3.0 beside the SDK's, and Trustee's default policy demands them.</summary>
    private static readonly string[] s_only3 = [Gpu + "driver-rim-schema-validated", Gpu + "vbios-rim-schema-validated"];

    [Fact]
    public void GPU_claims_3_have_the_names_of_the_SDK_and_what_services_add() =>
        Assert.Equal([.. s_required.Concat(s_optional).Concat(s_only3).Order(StringComparer.Ordinal)], Names(GpuClaims(ClaimsVersion.V3)));

    [Fact]
    public void GPU_claims_4_add_two()
    {
        var claims = GpuClaims(ClaimsVersion.V4);

        Assert.Equal([.. s_required.Concat(s_optional).Concat(s_since4).Order(StringComparer.Ordinal)], Names(claims));
        Assert.Equal("{}", claims.GetProperty("x-nvidia-attester-claims").GetRawText());
        Assert.Equal(JsonValueKind.Null, claims.GetProperty("x-nvidia-mismatch-opaque-data-records").ValueKind);
        Assert.Equal("4.0", claims.GetProperty(Gpu + "claims-version").GetString());
    }

    [Theory]
    [InlineData(ClaimsVersion.V3)]
    [InlineData(ClaimsVersion.V4)]
    public void Switch_claims_are_3_whatever_is_asked_for(ClaimsVersion version)
    {
        var claims = SwitchClaims(version);

        Assert.Equal([.. s_switch.Concat(version is ClaimsVersion.V3 ? [Switch + "bios-rim-schema-validated"] : []).Order(StringComparer.Ordinal)], Names(claims));
        Assert.Equal("3.0", claims.GetProperty("x-nvidia-version").GetString());
        Assert.Equal("nvswitch", claims.GetProperty("x-nvidia-device-type").GetString());
        Assert.Equal("203EB31AD9ED0008", claims.GetProperty(Switch + "pdi").GetString());
        string[] gpus = [.. claims.GetProperty(Switch + "gpu-pdis").EnumerateArray().Select(pdi => pdi.GetString()!)];
        Assert.Equal(["1043C14E83599663", "31649CF11C820858", "40B9C6B3D748FD90", "6B811687A0A7EE7C", "D0F69D028E150AAA", "E2D85B590E713298", "FDB529F1473CB225"], gpus);
    }

    [Fact]
    public void G1s_claims_have_NVIDIAs_types_and_values()
    {
        var claims = GpuClaims(ClaimsVersion.V4);

        foreach (var name in Names(claims).Where(name => name.EndsWith("-match", StringComparison.Ordinal) || name.EndsWith("-check", StringComparison.Ordinal)
            || name.EndsWith("-fetched", StringComparison.Ordinal) || name.EndsWith("-verified", StringComparison.Ordinal) || name.EndsWith("-parsed", StringComparison.Ordinal)
            || name.EndsWith("-available", StringComparison.Ordinal) || name.EndsWith("-no-conflict", StringComparison.Ordinal)))
        {
            Assert.True(claims.GetProperty(name).ValueKind is JsonValueKind.True, name);
        }

        (string Name, string Value)[] texts =
        [
            ("eat_nonce", RecordedVerdictTests.G1Nonce), ("measres", "success"), ("dbgstat", "disabled"), ("hwmodel", "GH100 A01 GSP BROM"),
            ("ueid", "460032006552296075780760406069494258829212062021"), ("oemid", "5703"), ("x-nvidia-device-type", "gpu"),
            (Gpu + "driver-version", "545.00"), (Gpu + "vbios-version", "96.00.5E.00.01"),
        ];
        Assert.All(texts, text => Assert.Equal(text.Value, claims.GetProperty(text.Name).GetString()));
        Assert.True(claims.GetProperty("secboot").GetBoolean());
        Assert.Equal(JsonValueKind.Null, claims.GetProperty("x-nvidia-mismatch-measurement-records").ValueKind);
        AssertChain(claims.GetProperty(Gpu + "attestation-report-cert-chain"), "9999-12-31T23:59:59Z", "valid");
        Assert.Equal("2025-06-22T09:38:54Z", new[] { Gpu + "driver-rim-cert-chain", Gpu + "vbios-rim-cert-chain" }
            .Select(name => claims.GetProperty(name).GetProperty("x-nvidia-cert-expiration-date").GetString()).Min(StringComparer.Ordinal));
    }

    [Fact]
    public void A_mismatch_is_claimed_with_both_values_and_without_secure_boot()
    {
        var verdict = new Judged { At = "2024-12-20T00:00:00Z" }
            .WithRim("NV_GPU_DRIVER_GH100_545.00", "rims/fsstore_545.00/NV_GPU_DRIVER_GH100_545.00.xml")
            .WithRim("NV_GPU_VBIOS_1010_0200_882_96005E0001", "negative/rims/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml")
            .Verdict(RecordedVerdictTests.G1);
        var claims = Judged.Claims(verdict.Appraisal.Devices[0], ClaimsVersion.V3);

        Assert.Equal("fail", claims.GetProperty("measres").GetString());
        Assert.Equal(JsonValueKind.Null, claims.GetProperty("secboot").ValueKind);
        Assert.Equal(JsonValueKind.Null, claims.GetProperty("dbgstat").ValueKind);
        var records = claims.GetProperty("x-nvidia-mismatch-measurement-records").EnumerateArray().ToArray();
        Assert.All(records, record => Assert.Equal(["goldenSize", "goldenValue", "index", "measurementSource", "runtimeSize", "runtimeValue"], Names(record)));
        // G1 runs another VBIOS build than the RIM that ships for its version: three measurements differ besides the doctored one.
        Assert.Equal(
            [(1, "Firmware", 48), (2, "Firmware", 48), (3, "Firmware", 48), (9, "Firmware", 48)],
            records.Select(record => (record.GetProperty("index").GetInt32(), record.GetProperty("measurementSource").GetString(), record.GetProperty("runtimeSize").GetInt32())));
        // The relying party gave no nonce, and what was not asked is not claimed.
        Assert.False(claims.GetProperty(Gpu + "attestation-report-nonce-match").GetBoolean());
    }

    [Fact]
    public void S1s_claims_are_those_of_NVIDIAs_service_where_they_can_be_compared()
    {
        using var theirs = JsonDocument.Parse(Recorded.Bytes("nvidia/claims/switch_decoded.json"));
        var ours = SwitchClaims(ClaimsVersion.V3);
        // A token's own members, what the service adds, and chains that were judged by another clock and another copy of the RIM.
        string[] apart = ["iss", "exp", "iat", "nbf", "jti", "oemid", "x-nvidia-attestation-warning", Switch + "bios-rim-schema-validated"];
        var compared = 0;

        foreach (var theirsClaim in theirs.RootElement.GetProperty("SWITCH-0").EnumerateObject().Where(member => !apart.Contains(member.Name)))
        {
            Assert.True(ours.TryGetProperty(theirsClaim.Name, out var oursClaim), theirsClaim.Name);
            if (theirsClaim.Name.EndsWith("-cert-chain", StringComparison.Ordinal))
            {
                Assert.Equal(theirsClaim.Value.GetProperty("x-nvidia-cert-status").GetString(), oursClaim.GetProperty("x-nvidia-cert-status").GetString());
            }
            else
            {
                Assert.Equal(theirsClaim.Value.GetRawText(), oursClaim.GetRawText());
            }

            compared++;
        }

        Assert.Equal(18, compared);
    }

    private static string[] Rim(string prefix) =>
        [prefix + "-fetched", prefix + "-cert-chain", prefix + "-signature-verified", prefix + "-version-match", prefix + "-measurements-available"];

    private static JsonElement GpuClaims(ClaimsVersion version) =>
        Judged.Claims(RecordedVerdictTests.Gpu.Verdict(RecordedVerdictTests.G1).Appraisal.Devices[0], version);

    private static JsonElement SwitchClaims(ClaimsVersion version) =>
        Judged.Claims(RecordedVerdictTests.Switch.Verdict(RecordedVerdictTests.S1).Appraisal.Devices[0], version);

    private static string[] Names(JsonElement claims) => [.. claims.EnumerateObject().Select(member => member.Name)];

    private static void AssertChain(JsonElement chain, string expires, string status)
    {
        Assert.Equal(
            [
                "x-nvidia-cert-expiration-date", "x-nvidia-cert-ocsp-nonce-matches", "x-nvidia-cert-ocsp-response-valid", "x-nvidia-cert-ocsp-status",
                "x-nvidia-cert-revocation-reason", "x-nvidia-cert-status",
            ],
            Names(chain));
        Assert.Equal((expires, status), (chain.GetProperty("x-nvidia-cert-expiration-date").GetString(), chain.GetProperty("x-nvidia-cert-status").GetString()));
        // Nobody was asked (S-14).
        Assert.Equal("undefined", chain.GetProperty("x-nvidia-cert-ocsp-status").GetString());
        Assert.False(chain.GetProperty("x-nvidia-cert-ocsp-nonce-matches").GetBoolean() || chain.GetProperty("x-nvidia-cert-ocsp-response-valid").GetBoolean());
        Assert.Equal(JsonValueKind.Null, chain.GetProperty("x-nvidia-cert-revocation-reason").ValueKind);
    }
}

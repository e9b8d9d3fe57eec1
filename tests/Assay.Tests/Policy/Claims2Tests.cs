using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Trust.Revocation;

namespace Assay.Tests.Policy;

/// <summary>Claims 2.0, compared with those that NVIDIA's own tests carry.</summary>
public class Claims2Tests(PolicyWorld world) : IClassFixture<PolicyWorld>
{
    private const string Gpu = "x-nvidia-gpu-";
    private const string Switch = "x-nvidia-switch-";

    // A token's own members.
    private static readonly string[] s_token = ["iss", "iat", "nbf", "exp", "jti"];

    private static readonly (string Check, string[] Claims)[] s_resting =
    [
        ("device.identity.known", ["arch-check"]),
        ("report.wellformed", ["attestation-report-parsed"]),
        ("report.fields.wellformed", ["attestation-report-parsed"]),
        ("report.nonce.match", ["attestation-report-nonce-match"]),
        ("report.signature.valid", ["attestation-report-signature-verified"]),
        ("device.chain.trusted", ["attestation-report-cert-chain-validated"]),
        ("device.chain.current", ["attestation-report-cert-chain-validated"]),
        ("device.chain.not-revoked", ["attestation-report-cert-chain-validated"]),
    ];

    private static readonly (string Check, string[] Claims)[] s_restingOnRim =
    [
        (".available", ["-fetched"]), (".wellformed", ["-schema-validated"]), (".chain.trusted", ["-cert-validated", "-signature-verified"]), (".signature.valid", ["-signature-verified"]),
        (".chain.current", ["-cert-validated"]), (".chain.not-revoked", ["-cert-validated"]), (".chain.not-held", ["-cert-validated"]),
    ];

    [Theory]
    [InlineData(true, "pytest_gpu_detached_claims_local.json")]
    [InlineData(false, "pytest_switch_detached_claims_local.json")]
    public void The_claims_of_a_device_that_passes_have_NVIDIAs_names_types_and_truths(bool gpu, string file)
    {
        var ours = Policies.Claims((gpu ? world.GpuScene : world.SwitchScene).Appraise().Devices[0], ClaimsVersion.V2);
        using var theirs = JsonDocument.Parse(Recorded.Bytes("nvidia/claims/" + file));
        var expected = theirs.RootElement.EnumerateObject().Where(claim => !s_token.Contains(claim.Name)).ToArray();

        Assert.Equal(expected.Select(claim => claim.Name).Order(StringComparer.Ordinal), ours.EnumerateObject().Select(claim => claim.Name));
        Assert.All(expected, claim => Assert.Equal(claim.Value.ValueKind, ours.GetProperty(claim.Name).ValueKind));
        Assert.Equal(("success", "disabled", true), (ours.GetProperty("measres").GetString(), ours.GetProperty("dbgstat").GetString(), ours.GetProperty("secboot").GetBoolean()));
    }

    [Fact]
    public void A_check_that_did_not_hold_turns_exactly_the_claims_that_rest_on_it_false()
    {
        foreach (var (device, prefix, rims) in Devices())
        {
            foreach (var (check, claims) in s_resting)
            {
                AssertFalse(device, check, claims.Select(claim => prefix + claim));
            }

            foreach (var (rim, name) in rims)
            {
                foreach (var (check, claims) in s_restingOnRim)
                {
                    AssertFalse(device, rim + check, claims.Select(claim => name + claim));
                }
            }
        }

        AssertFalse(world.HonestGpu.Devices[0], "measurements.no-conflict", [Gpu + "vbios-index-no-conflict"]);
    }

    [Fact]
    public void What_differs_or_was_not_compared_fails_without_secure_boot_and_debug_status()
    {
        foreach (var scene in new[] { LegacyClaimsTests.Deviating(world, 22), LegacyClaimsTests.Deviating(world, 3), world.GpuScene.WithoutRim("VBIOS"), world.SwitchScene.WithoutRim("SWITCH") })
        {
            var claims = Policies.Claims(scene.Appraise().Devices[0], ClaimsVersion.V2);

            Assert.Equal("fail", claims.GetProperty("measres").GetString());
            Assert.False(claims.TryGetProperty("secboot", out _) || claims.TryGetProperty("dbgstat", out _));
        }
    }

    [Fact]
    public void A_RIM_of_another_version_has_no_measurements_to_offer()
    {
        var draft = Assay.Simulator.RimDraft.Driver(Assay.Simulator.DeviceProfile.Hopper580) with { ColloquialVersion = "580.00" };

        var claims = Policies.FalseClaims(world.GpuScene.WithSigned(draft).Appraise().Devices[0], ClaimsVersion.V2);

        Assert.Equal([Gpu + "driver-rim-measurements-available", Gpu + "vbios-index-no-conflict"], claims);
    }

    [Fact]
    public void Skipped_revocation_validates_no_certificate()
    {
        var claims = Policies.FalseClaims((world.GpuScene with { Revocation = RevocationChecking.DangerouslySkipped }).Appraise().Devices[0], ClaimsVersion.V2);

        Assert.Equal([Gpu + "attestation-report-cert-chain-validated", Gpu + "driver-rim-cert-validated", Gpu + "vbios-rim-cert-validated"], claims);
    }

    private (DeviceResult Device, string Prefix, (string Rim, string Name)[] Rims)[] Devices() =>
    [
        (world.HonestGpu.Devices[0], Gpu, [("rim.driver", Gpu + "driver-rim"), ("rim.vbios", Gpu + "vbios-rim")]),
        (world.HonestSwitch.Devices[0], Switch, [("rim.switch", Switch + "bios-rim")]),
    ];

    private static void AssertFalse(DeviceResult device, string check, IEnumerable<string> claims)
    {
        Assert.Contains(device.Findings, finding => finding.Id == check && finding.State is CheckState.Held);
        Assert.Equal(claims.Order(StringComparer.Ordinal), Policies.FalseClaims(LegacyClaimsTests.With(device, check, CheckState.Failed), ClaimsVersion.V2));
        Assert.Equal(claims.Order(StringComparer.Ordinal), Policies.FalseClaims(LegacyClaimsTests.With(device, check, CheckState.NotChecked), ClaimsVersion.V2));
    }
}

using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Simulator;
using Assay.Trust.Revocation;

namespace Assay.Tests.Policy;

/// <summary>The 28 rules of NVFlare's CC manager, turned one by one.</summary>
public class LegacyClaimsTests(PolicyWorld world) : IClassFixture<PolicyWorld>
{
    // In the order of NVFlare's documentation.
    private static readonly string[] s_rules =
    [
        "available", "attestation-report-available", "info-fetched", "arch-check", "root-cert-available", "cert-chain-verified", "ocsp-cert-chain-verified",
        "ocsp-signature-verified", "cert-ocsp-nonce-match", "cert-check-complete", "measurement-available", "attestation-report-parsed", "nonce-match",
        "attestation-report-driver-version-match", "attestation-report-vbios-version-match", "attestation-report-verified", "driver-rim-schema-fetched",
        "driver-rim-schema-validated", "driver-rim-cert-extracted", "driver-rim-signature-verified", "driver-rim-driver-measurements-available",
        "driver-vbios-rim-fetched", "vbios-rim-schema-validated", "vbios-rim-cert-extracted", "vbios-rim-signature-verified",
        "vbios-rim-driver-measurements-available", "vbios-index-conflict", "measurements-match",
    ];

    /// <summary>A check, and the claims that rest on it.</summary>
    private static readonly (string Check, string[] Claims)[] s_resting =
    [
        ("report.wellformed", ["attestation-report-available", "info-fetched", "measurement-available", "attestation-report-parsed"]),
        ("device.chain.wellformed", ["info-fetched"]),
        ("device.chain.trusted", ["root-cert-available", "cert-chain-verified", "cert-check-complete", "attestation-report-verified"]),
        ("device.identity.known", ["arch-check"]),
        ("report.signature.valid", ["available", "attestation-report-verified"]),
        ("report.fields.wellformed", ["info-fetched", "attestation-report-parsed"]),
        ("report.version.supported", ["attestation-report-verified"]),
        ("report.nonce.match", ["nonce-match"]),
        ("device.chain.current", ["cert-chain-verified", "cert-check-complete"]),
        ("device.chain.not-revoked", ["cert-check-complete"]),
        ("measurements.no-conflict", ["vbios-index-conflict", "vbios-index-no-conflict"]),
        .. RimChecks("driver", "driver-rim-schema-fetched", "driver-rim-"), .. RimChecks("vbios", "driver-vbios-rim-fetched", "vbios-rim-"),
    ];

    // What a RIM that cannot be used takes with it.
    private static readonly string[] s_driverUnusable = ["driver-rim-driver-measurements-available", "vbios-index-conflict", "vbios-index-no-conflict", "measurements-match"];
    private static readonly string[] s_vbiosUnusable = ["vbios-rim-driver-measurements-available", "vbios-index-conflict", "vbios-index-no-conflict", "measurements-match"];

    public static TheoryData<string> Checks => [.. s_resting.Select(row => row.Check)];

    public static TheoryData<string> Faults => [.. Scenes.Keys];

    public static TheoryData<string> Rules => [.. s_rules];

    private static Dictionary<string, (Func<PolicyWorld, PolicyScene> Scene, string[] False)> Scenes => new()
    {
        ["nothing"] = (world => world.GpuScene, []),
        ["no nonce asked for"] = (world => world.GpuScene with { Nonce = null }, ["nonce-match"]),
        ["driver RIM missing"] = (world => world.GpuScene.WithoutRim("DRIVER"), ["driver-rim-schema-fetched", "driver-rim-schema-validated", "driver-rim-cert-extracted", "driver-rim-signature-verified", "attestation-report-driver-version-match", .. s_driverUnusable]),
        ["VBIOS RIM missing"] = (world => world.GpuScene.WithoutRim("VBIOS"), ["driver-vbios-rim-fetched", "vbios-rim-schema-validated", "vbios-rim-cert-extracted", "vbios-rim-signature-verified", "attestation-report-vbios-version-match", .. s_vbiosUnusable]),
        ["driver RIM cut"] = (world => world.GpuScene.WithRim("DRIVER", rim => rim[..^40]), ["driver-rim-schema-validated", "driver-rim-cert-extracted", "driver-rim-signature-verified", "attestation-report-driver-version-match", .. s_driverUnusable]),
        ["VBIOS RIM altered"] = (world => world.GpuScene.WithRim("VBIOS", Altered), ["vbios-rim-signature-verified", "attestation-report-vbios-version-match", .. s_vbiosUnusable]),
        ["driver RIM of another authority"] = (world => world.GpuScene.WithSigned(RimDraft.Driver(DeviceProfile.Hopper580), SimulatedAuthority.Create(PolicyWorld.Now)), ["driver-rim-cert-extracted", "driver-rim-signature-verified", "attestation-report-driver-version-match", .. s_driverUnusable]),
        ["driver RIM of another version"] = (world => world.GpuScene.WithSigned(RimDraft.Driver(DeviceProfile.Hopper580) with { ColloquialVersion = "580.00" }), ["attestation-report-driver-version-match", .. s_driverUnusable]),
        ["VBIOS RIM of another version"] = (world => world.GpuScene.WithSigned(RimDraft.Vbios(DeviceProfile.Hopper580) with { ColloquialVersion = "96.00.00.00.00" }), ["attestation-report-vbios-version-match", .. s_vbiosUnusable]),
        ["one index in both RIMs"] = (world => world.GpuScene.WithSigned(Conflicting()), ["vbios-index-conflict", "vbios-index-no-conflict", "measurements-match"]),
        ["driver measurement differs"] = (world => Deviating(world, 22), ["measurements-match"]),
        ["VBIOS measurement differs"] = (world => Deviating(world, 3), ["measurements-match"]),
        ["device revoked"] = (world => world.GpuScene with { Answer = certificate => certificate == world.Gpu.Certificate.Issuer ? PolicyScene.Revoked(certificate) : PolicyScene.Good(certificate) }, ["cert-check-complete"]),
        ["answers about the device unsigned"] = (world => world.GpuScene with { Answer = certificate => PolicyScene.Good(certificate) with { SpoilSignature = certificate == world.Gpu.Certificate.Issuer } }, ["ocsp-cert-chain-verified", "ocsp-signature-verified", "cert-check-complete", "cert-ocsp-nonce-match"]),
        ["answers without our nonce"] = (world => world.GpuScene with { EchoNonce = false }, ["cert-ocsp-nonce-match"]),
        ["RIM signer revoked"] = (world => world.GpuScene with { Answer = certificate => IsRimSigner(certificate) ? PolicyScene.Revoked(certificate) : PolicyScene.Good(certificate) }, ["driver-rim-signature-verified", "vbios-rim-signature-verified"]),
        ["revocation skipped"] = (world => world.GpuScene with { Revocation = RevocationChecking.DangerouslySkipped }, ["ocsp-cert-chain-verified", "ocsp-signature-verified", "cert-ocsp-nonce-match", "cert-check-complete", "driver-rim-signature-verified", "vbios-rim-signature-verified"]),
        ["answers missing"] = (world => world.GpuScene with { NoAnswers = true }, ["ocsp-cert-chain-verified", "ocsp-signature-verified", "cert-ocsp-nonce-match", "cert-check-complete", "driver-rim-signature-verified", "vbios-rim-signature-verified"]),
    };

    [Fact]
    public void The_names_are_the_28_rules_and_the_later_name_of_the_one_with_inverted_sense()
    {
        var names = Policies.Claims(world.HonestGpu.Devices[0], ClaimsVersion.Legacy).EnumerateObject().Select(claim => claim.Name);

        Assert.Equal(28, s_rules.Length);
        Assert.Equal(s_rules.Append("vbios-index-no-conflict").Select(name => "x-nv-gpu-" + name).Order(StringComparer.Ordinal), names.Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Faults))]
    public void A_fault_turns_exactly_its_claims_false(string fault)
    {
        var (scene, expected) = Scenes[fault];

        var appraisal = scene(world).Appraise();

        Assert.NotNull(appraisal.Devices[0].Device);
        Assert.Equal(Named(expected), Policies.FalseClaims(appraisal.Devices[0], ClaimsVersion.Legacy));
    }

    [Theory]
    [MemberData(nameof(Checks))]
    public void A_check_that_did_not_hold_turns_exactly_the_claims_that_rest_on_it_false(string check)
    {
        var honest = world.HonestGpu.Devices[0];
        var resting = s_resting.Single(row => row.Check == check).Claims;

        foreach (var state in new[] { CheckState.Failed, CheckState.NotChecked, CheckState.NotApplicable })
        {
            Assert.Equal(Named(resting), Policies.FalseClaims(With(honest, check, state), ClaimsVersion.Legacy));
        }
    }

    [Fact]
    public void Every_rule_is_turned_by_some_check_or_fault()
    {
        var turned = s_resting.SelectMany(row => row.Claims).Concat(Scenes.Values.SelectMany(scene => scene.False)).ToHashSet();

        Assert.Empty(s_rules.Except(turned));
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void A_rule_that_demands_the_contrary_refuses_for_itself_alone(string rule)
    {
        var rules = s_rules.Select(name => $"\"x-nv-gpu-{name}\":{(name == rule ? "false" : "true")}");
        var honest = world.HonestGpu;

        var decision = Policies.Decide(Policies.Flat(string.Join(',', rules)), honest);

        Assert.False(decision.Allowed);
        Assert.Equal(["x-nv-gpu-" + rule], Policies.Paths(decision));
        Assert.Equal((Array.IndexOf(s_rules, rule) + 1, "true", "false"), (decision.Differences[0].Rule, decision.Differences[0].Found, decision.Differences[0].Expected));
        Assert.True(Policies.Decide(Policies.Flat($"\"x-nv-gpu-{rule}\":true"), honest).Allowed);
    }

    [Fact]
    public void True_for_the_index_conflict_means_that_there_is_none()
    {
        var policy = Policies.Flat("\"x-nv-gpu-vbios-index-conflict\":true");

        Assert.True(Policies.Decide(policy, world.HonestGpu).Allowed);
        Assert.False(Policies.Decide(policy, world.GpuScene.WithSigned(Conflicting()).Appraise()).Allowed);
    }

    [Fact]
    public void A_switch_has_no_legacy_claims_and_no_legacy_policy_allows_it()
    {
        var appraisal = world.HonestSwitch;

        Assert.Equal("{}", Policies.Claims(appraisal.Devices[0], ClaimsVersion.Legacy).GetRawText());
        Assert.False(Policies.Decide(Policies.Flat("\"x-nv-gpu-available\":true"), appraisal).Allowed);
    }

    internal static RimDraft Conflicting()
    {
        var (driver, vbios) = (RimDraft.Driver(DeviceProfile.Hopper580), RimDraft.Vbios(DeviceProfile.Hopper580));
        var both = driver.Measurements.Single(measurement => measurement.Index == 22);
        return vbios with { Measurements = [.. vbios.Measurements.Select(measurement => measurement.Index == 22 ? both : measurement)] };
    }

    internal static PolicyScene Deviating(PolicyWorld world, int index)
    {
        var device = SimulatedDevice.Create(world.Authority, DeviceProfile.Hopper580 with
        {
            Deviations = ImmutableSortedDictionary<int, ReadOnlyMemory<byte>>.Empty.Add(index, SHA384.HashData("other firmware"u8)),
        });
        return PolicyScene.Of(world.Authority, device);
    }

    internal static ReadOnlyMemory<byte> Altered(ReadOnlyMemory<byte> rim)
    {
        var text = Encoding.UTF8.GetString(rim.Span);
        var value = text.IndexOf("Hash0=\"", StringComparison.Ordinal) + "Hash0=\"".Length;
        return Encoding.UTF8.GetBytes(new StringBuilder(text) { [value] = text[value] == '0' ? '1' : '0' }.ToString());
    }

    internal static bool IsRimSigner(SimulatedCertificate certificate) =>
        Assay.Trust.Certificate.TryParse(certificate.Der.Span, out var read, out _) && read.Subject.CommonName!.Contains("RIM L4 Signer", StringComparison.Ordinal);

    internal static DeviceResult With(DeviceResult result, string check, CheckState state) => result with
    {
        Findings = [.. result.Findings.Select(finding => finding.Id == check ? finding with { State = state } : finding)],
    };

    private static (string, string[])[] RimChecks(string rim, string fetched, string prefix) =>
    [
        ($"rim.{rim}.available", [fetched]),
        ($"rim.{rim}.wellformed", [prefix + "schema-validated"]),
        ($"rim.{rim}.chain.trusted", [prefix + "cert-extracted", prefix + "signature-verified"]),
        ($"rim.{rim}.signature.valid", [prefix + "signature-verified"]),
        ($"rim.{rim}.version.match", [$"attestation-report-{rim}-version-match"]),
        ($"rim.{rim}.chain.current", [prefix + "signature-verified"]),
        ($"rim.{rim}.chain.not-revoked", [prefix + "signature-verified"]),
        ($"rim.{rim}.chain.not-held", [prefix + "signature-verified"]),
    ];

    private static SortedSet<string> Named(string[] claims) => new(claims.Select(name => "x-nv-gpu-" + name), StringComparer.Ordinal);
}

using Assay.Appraisal.Devices;
using Assay.Policy;
using Assay.Tests.Appraisal;

namespace Assay.Tests.Policy;

/// <summary>NVIDIA's sample policies over machines that pass, and over recorded devices without revocation answers.</summary>
public class SamplePolicyTests(PolicyWorld world) : IClassFixture<PolicyWorld>
{
    private const string Issuer = "overall-claims.iss";

    private sealed record Sample(bool ForGpu, ClaimsVersion Claims, string[] Refusing);

    // What refuses a device at which nothing is wrong. "iss" names NVIDIA's own verifiers, whose verdicts ours are not.
    private static readonly Dictionary<string, Sample> s_samples = new(StringComparer.Ordinal)
    {
        ["local_NVGPULocalPolicyClaimsV3Example"] = new(true, ClaimsVersion.V2, [Issuer]),
        ["local_NVGPULocalPolicyExample"] = new(true, ClaimsVersion.V2, [Issuer]),
        ["local_NVGPULocalv4PolicyExample"] = new(true, ClaimsVersion.V3, [Issuer]),
        ["local_NVSwitchLocalPolicyExample"] = new(false, ClaimsVersion.V2, [Issuer]),
        ["local_NVSwitchLocalv4PolicyExample"] = new(false, ClaimsVersion.V3, [Issuer]),
        ["ppcie_NVGPULocalPolicy_claims_2.0"] = new(true, ClaimsVersion.V2, [Issuer]),
        ["ppcie_NVGPULocalPolicy_claims_3.0"] = new(true, ClaimsVersion.V3, [Issuer]),
        ["ppcie_NVGPURemotePolicy_claims_2.0"] = new(true, ClaimsVersion.V2, []),
        ["ppcie_NVGPURemotePolicy_claims_3.0"] = new(true, ClaimsVersion.V3, []),
        ["ppcie_NVSwitchLocalPolicy_claims_2.0"] = new(false, ClaimsVersion.V2, [Issuer]),
        ["ppcie_NVSwitchLocalPolicy_claims_3.0"] = new(false, ClaimsVersion.V3, [Issuer]),
        ["ppcie_NVSwitchRemotePolicy_claims_2.0"] = new(false, ClaimsVersion.V2, []),
        ["ppcie_NVSwitchRemotePolicy_claims_3.0"] = new(false, ClaimsVersion.V3, []),
        ["remote_v1_NVGPULocalPolicyExample"] = new(true, ClaimsVersion.Legacy, []),
        // The remote service's first token, whose names no later claims have; the recorded nonce and versions are one machine's.
        ["remote_v1_NVGPURemotePolicyExample"] = new(true, ClaimsVersion.V4,
            ["sub", "x-nvidia-gpu-manufacturer", "x-nvidia-attestation-type", "eat_nonce", "x-nvidia-attestation-detailed-result", "x-nvidia-gpu-driver-version", "measres", "x-nvidia-gpu-vbios-version"]),
        // The service's second token: other names for the nonce, the RIMs and the measurements.
        ["remote_v2_NVGPURemotePolicyExample"] = new(true, ClaimsVersion.V2,
            [Issuer, .. Detached("gpu", "measurements-match", "vbios-rim-schema-fetched", "driver-rim-schema-fetched", "nonce-match")]),
        ["remote_v2_NVSwitchRemotePolicyExample"] = new(false, ClaimsVersion.V2,
            [
                Issuer, "detached-claims.measres",
                .. Detached("switch", "vbios-rim-measurements-available", "measurements-match", "nonce-match", "vbios-rim-schema-validated", "vbios-rim-signature-verified", "vbios-rim-cert-validated", "vbios-rim-schema-fetched"),
            ]),
        ["remote_v3_NVGPURemotePolicyExample"] = new(true, ClaimsVersion.V2, []),
        ["remote_v3_NVSwitchRemotePolicyExample"] = new(false, ClaimsVersion.V2, []),
        ["remote_v4_NVGPURemotePolicyExample"] = new(true, ClaimsVersion.V3, []),
        ["remote_v4_NVSwitchRemotePolicyExample"] = new(false, ClaimsVersion.V3, []),
    };

    // What refuses a recorded device besides: nobody was asked about revocation, and what was not asked is not claimed.
    private static readonly Dictionary<(ClaimsVersion Claims, bool Gpu), string[]> s_withoutRevocation = new()
    {
        [(ClaimsVersion.V2, true)] = Detached("gpu", "attestation-report-cert-chain-validated", "driver-rim-cert-validated", "vbios-rim-cert-validated"),
        [(ClaimsVersion.V2, false)] = Detached("switch", "attestation-report-cert-chain-validated", "bios-rim-cert-validated"),
        [(ClaimsVersion.V3, true)] = Detached("gpu", Status("attestation-report"), Status("driver-rim"), Status("vbios-rim")),
        [(ClaimsVersion.V3, false)] = Detached("switch", Status("attestation-report"), Status("bios-rim")),
        [(ClaimsVersion.V4, true)] = [],
        [(ClaimsVersion.Legacy, true)] =
        [
            "x-nv-gpu-ocsp-cert-chain-verified", "x-nv-gpu-ocsp-signature-verified", "x-nv-gpu-cert-ocsp-nonce-match", "x-nv-gpu-cert-check-complete",
            "x-nv-gpu-driver-rim-signature-verified", "x-nv-gpu-vbios-rim-signature-verified",
        ],
    };

    public static TheoryData<string> Names => [.. s_samples.Keys];

    [Fact]
    public void Every_sample_policy_is_judged_here()
    {
        var files = Directory.EnumerateFiles(Recorded.PathOf("nvidia/policies/json"), "*.json").Select(file => Path.GetFileNameWithoutExtension(file)!);

        Assert.Equal(files.Order(StringComparer.Ordinal), s_samples.Keys.Order(StringComparer.Ordinal));
        Assert.Equal(21, s_samples.Count);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_device_at_which_nothing_is_wrong_is_refused_for_what_only_NVIDIA_can_say_and_nothing_else(string name)
    {
        var sample = s_samples[name];
        var policy = Load(name);
        var appraisal = sample.ForGpu ? world.HonestGpu : world.HonestSwitch;

        var decision = Policies.Decide(policy, appraisal);
        var verdict = Policies.Verdict(appraisal, policy);

        Assert.Equal(sample.Claims, policy.WrittenFor ?? ClaimsVersion.V4);
        Assert.Equal(sample.Refusing.Order(StringComparer.Ordinal), Policies.Paths(decision).Order(StringComparer.Ordinal));
        Assert.Equal(sample.Refusing.Length == 0, decision.Allowed);
        Assert.Equal(decision.Allowed ? VerdictKind.Pass : VerdictKind.Fail, verdict.Kind);
        Assert.All(decision.Differences.Where(difference => difference.Path == Issuer), difference => Assert.Contains("no other verifier's name", difference.Reason, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void The_recorded_devices_are_refused_besides_for_the_revocation_that_nobody_was_asked_about(string name)
    {
        var sample = s_samples[name];
        var appraisal = (sample.ForGpu ? RecordedVerdictTests.Gpu.Verdict(RecordedVerdictTests.G1) : RecordedVerdictTests.Switch.Verdict(RecordedVerdictTests.S1)).Appraisal;
        Assert.Equal(VerdictKind.Pass, DefaultPolicy.Decide(appraisal).Kind);
        string[] ruled = [.. File.ReadLines(PathOf(name)).Select(line => line.Trim().Split('"').ElementAtOrDefault(1) ?? "")];
        var expected = sample.Refusing
            .Concat(ruled.Contains("x-nvidia-overall-att-result") ? ["overall-claims.x-nvidia-overall-att-result"] : [])
            .Concat(s_withoutRevocation[(sample.Claims, sample.ForGpu)].Where(path => ruled.Contains(path.Split('.')[path.StartsWith("detached", StringComparison.Ordinal) ? 1 : 0])));

        var decision = Policies.Decide(Load(name), appraisal);

        Assert.False(decision.Allowed);
        Assert.Equal(expected.Order(StringComparer.Ordinal), Policies.Paths(decision).Order(StringComparer.Ordinal));
        Assert.Equal(VerdictKind.Fail, Policies.Verdict(appraisal, Load(name)).Kind);
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_policy_for_the_other_kind_of_device_allows_nothing(string name)
    {
        var appraisal = s_samples[name].ForGpu ? world.HonestSwitch : world.HonestGpu;

        Assert.False(Policies.Decide(Load(name), appraisal).Allowed);
    }

    [Fact]
    public void The_policies_of_this_repository_allow_a_device_at_which_nothing_is_wrong()
    {
        var files = Directory.EnumerateFiles(Path.Combine(Repository.Root, "policies"), "*.json").ToArray();
        Assert.NotEmpty(files);

        foreach (var file in files)
        {
            var isSwitch = Path.GetFileName(file).StartsWith("switch", StringComparison.Ordinal);
            Assert.True(JsonPolicy.TryParse(File.ReadAllBytes(file), out var policy, out var fault), $"{file}: {fault}");
            var decision = Policies.Decide(policy, isSwitch ? world.HonestSwitch : world.HonestGpu);
            Assert.True(decision.Allowed, $"{file}: {decision.Reason}");
            Assert.False(Policies.Decide(policy, (isSwitch ? world.SwitchScene.WithoutRim("SWITCH") : LegacyClaimsTests.Deviating(world, 22)).Appraise()).Allowed);
        }
    }

    private static string Status(string chain) => chain + "-cert-chain.x-nvidia-cert-ocsp-status";

    private static string[] Detached(string kind, params string[] names) => [.. names.Select(name => $"detached-claims.x-nvidia-{kind}-{name}")];

    private static string PathOf(string name) => Recorded.PathOf($"nvidia/policies/json/{name}.json");

    private static JsonPolicy Load(string name) => Policies.Read(File.ReadAllText(PathOf(name)));
}

using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Policy;
using Assay.Tests.Appraisal;
using Assay.Tests.Tokens;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Policy;

/// <summary>What a policy is asked about, and what its answer does to the verdict.</summary>
public class PolicyVerdictTests(PolicyWorld world) : IClassFixture<PolicyWorld>
{
    // Rules on nothing that fails below.
    private static JsonPolicy Lenient => Policies.Flat("\"x-nvidia-gpu-arch-check\":true");

    private static readonly Dictionary<string, (Func<PolicyWorld, PolicyScene> Scene, string Failed)> s_neverAsked = new()
    {
        ["no device"] = (world => world.GpuScene with { Evidence = [] }, "set.devices.present"),
        ["report cut"] = (world => Changed(world, report => report[..^1]), "report.wellformed"),
        ["measurement forged"] = (world => Changed(world, report => Flipped(report, 60)), "report.signature.valid"),
        ["signature forged"] = (world => Changed(world, report => Flipped(report, report.Length - 1)), "report.signature.valid"),
        ["another challenge"] = (world => world.GpuScene with { Nonce = new byte[32] }, "report.nonce.match"),
        ["chain of another authority"] = (world => world.GpuScene with { Authority = Assay.Simulator.SimulatedAuthority.Create(PolicyWorld.Now) }, "device.chain.trusted"),
        ["one device twice"] = (world => world.GpuScene with { Evidence = [.. world.GpuScene.Evidence, .. world.GpuScene.Evidence] }, "set.devices.distinct"),
        ["RIM altered"] = (world => world.GpuScene.WithRim("VBIOS", LegacyClaimsTests.Altered), "rim.vbios.signature.valid"),
        ["RIM cut"] = (world => world.GpuScene.WithRim("DRIVER", rim => rim[..^40]), "rim.driver.wellformed"),
        ["RIM of another authority"] = (world => world.GpuScene.WithSigned(Assay.Simulator.RimDraft.Driver(Assay.Simulator.DeviceProfile.Hopper580), Assay.Simulator.SimulatedAuthority.Create(PolicyWorld.Now)), "rim.driver.chain.trusted"),
        ["RIM of another version"] = (world => world.GpuScene.WithSigned(Assay.Simulator.RimDraft.Driver(Assay.Simulator.DeviceProfile.Hopper580) with { ColloquialVersion = "1" }), "rim.driver.version.match"),
        ["one index in both RIMs"] = (world => world.GpuScene.WithSigned(LegacyClaimsTests.Conflicting()), "measurements.no-conflict"),
        ["revocation not chosen"] = (world => world.GpuScene with { Revocation = RevocationChecking.None }, "revocation.chosen"),
    };

    public static TheoryData<string> NeverAsked => [.. s_neverAsked.Keys];

    [Theory]
    [MemberData(nameof(NeverAsked))]
    public void No_policy_is_asked_about_what_is_not_authentic_or_not_shown_by_claims(string fault)
    {
        var (scene, failed) = s_neverAsked[fault];
        var asked = 0;
        var policy = new RelyingPartyPolicy("anything", Digest.Sha256("anything"u8), _ =>
        {
            asked++;
            return new PolicyDecision { Allowed = true, Reason = "anything goes" };
        });

        var verdict = Verdict.Of(scene(world).Appraise(), policy, ClaimsVersion.V4);

        Assert.Equal((0, VerdictKind.Fail), (asked, verdict.Kind));
        Assert.Contains(failed, Judged.Failed(verdict));
        Assert.Empty(verdict.AllowedAlthough);
        Assert.Equal(("policy.rules.satisfied", CheckState.NotChecked), (Assert.Single(verdict.PolicyFindings).Id, verdict.PolicyFindings[0].State));
    }

    [Fact]
    public void A_failure_that_claims_show_is_what_a_policy_may_allow_and_the_verdict_says_so()
    {
        var verdict = Policies.Verdict(LegacyClaimsTests.Deviating(world, 22).Appraise(), Lenient);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Equal([(0, "measurements.driver.match")], verdict.AllowedAlthough.Select(item => (item.DeviceIndex, item.Finding.Id)));
        Assert.Equal(["policy-allowed"], verdict.Weakened.Except(TokenFixture.DevicesAlone));
        Assert.False(verdict.NvidiaOverallResult);
        Assert.Contains(verdict.NotProven, sentence => sentence.Contains("although measurements.driver.match failed", StringComparison.Ordinal));
        Assert.DoesNotContain(verdict.Proven, sentence => sentence.Contains("measurement", StringComparison.Ordinal));
        using var json = JsonDocument.Parse(VerdictJson.Write(verdict, ClaimsVersion.V4));
        Assert.Equal(("pass", "test.json", Lenient.Digest.ToString()), (json.RootElement.GetProperty("verdict").GetString(), json.RootElement.GetProperty("policy").GetProperty("id").GetString(), json.RootElement.GetProperty("policy").GetProperty("digest").GetString()));
        Assert.Equal("measurements.driver.match", json.RootElement.GetProperty("allowedAlthough")[0].GetProperty("id").GetString());
        Assert.Equal("policy-allowed", json.RootElement.GetProperty("weakened").EnumerateArray().Select(item => item.GetString()).Single(name => !TokenFixture.DevicesAlone.Contains(name!)));
    }

    [Fact]
    public void A_revoked_device_passes_only_under_a_policy_that_does_not_rule_on_it()
    {
        var scene = world.GpuScene with { Answer = certificate => certificate == world.Gpu.Certificate.Issuer ? PolicyScene.Revoked(certificate) : PolicyScene.Good(certificate) };
        var appraisal = scene.Appraise();
        var strict = Policies.Flat("\"x-nvidia-gpu-attestation-report-cert-chain\":{\"x-nvidia-cert-ocsp-status\":\"good\"}");

        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(appraisal).Kind);
        Assert.Equal(VerdictKind.Fail, Policies.Verdict(appraisal, strict).Kind);
        Assert.Equal(["device.chain.not-revoked"], Policies.Verdict(appraisal, Lenient).AllowedAlthough.Select(item => item.Finding.Id));
    }

    [Fact]
    public void G1_passes_today_under_a_policy_that_tolerates_expired_RIM_signers()
    {
        var appraisal = (RecordedVerdictTests.Gpu with { At = "2026-11-01T00:00:00Z" }).Verdict(RecordedVerdictTests.G1).Appraisal;
        var verdict = Policies.Verdict(appraisal, Policies.Flat("\"measres\":\"success\",\"x-nvidia-gpu-driver-rim-cert-chain\":{\"x-nvidia-cert-status\":\"expired\"}"));

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Equal(["rim.driver.chain.current", "rim.vbios.chain.current"], verdict.AllowedAlthough.Select(item => item.Finding.Id));
        Assert.Equal(["policy-allowed", "revocation-skipped", "time-stated"], verdict.Weakened.Except(TokenFixture.DevicesAlone));
    }

    [Fact]
    public void A_policy_may_refuse_what_everything_else_holds_of()
    {
        var verdict = Policies.Verdict(world.HonestGpu, Policies.Flat("\"measres\":\"success\",\"x-nvidia-gpu-driver-version\":\"999.0\""));

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(1, Assay.Cli.Verify.VerifyCommand.CodeOf(verdict));
        Assert.Empty(Judged.Failed(verdict));
        Assert.Equal(["policy.rules.satisfied", "policy.rule.2"], verdict.PolicyFindings.Select(finding => finding.Id));
        Assert.Equal(("\"580.95.05\"", "\"999.0\""), (verdict.PolicyFindings[1].Found, verdict.PolicyFindings[1].Expected));
        Assert.Equal(TokenFixture.DevicesAlone, verdict.Weakened);
    }

    [Fact]
    public void A_policy_that_holds_of_a_device_that_passes_weakens_no_more_than_devices_alone_do()
    {
        var verdict = Policies.Verdict(world.HonestGpu, Lenient);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Empty(verdict.AllowedAlthough);
        Assert.Equal(TokenFixture.DevicesAlone, verdict.Weakened);
        Assert.Equal(CheckState.Held, Assert.Single(verdict.PolicyFindings).State);
    }

    [Fact]
    public void What_is_missing_stays_incomplete_whatever_the_policy()
    {
        foreach (var scene in new[] { world.GpuScene.WithoutRim("DRIVER"), world.GpuScene with { NoAnswers = true } })
        {
            foreach (var policy in new[] { Lenient, Policies.Flat("\"x-nvidia-gpu-arch-check\":false") })
            {
                var verdict = Policies.Verdict(scene.Appraise(), policy);

                Assert.Equal((VerdictKind.Incomplete, 3), (verdict.Kind, Assay.Cli.Verify.VerifyCommand.CodeOf(verdict)));
                Assert.Equal(CheckState.NotChecked, Assert.Single(verdict.PolicyFindings).State);
            }
        }
    }

    [Fact]
    public void A_mismatch_is_not_allowed_while_something_is_missing()
    {
        var scene = LegacyClaimsTests.Deviating(world, 22).WithoutRim("VBIOS");

        Assert.Equal(VerdictKind.Fail, Policies.Verdict(scene.Appraise(), Lenient).Kind);
    }

    [Fact]
    public void A_policy_that_allows_and_yet_names_differences_refuses()
    {
        var policy = new RelyingPartyPolicy("confused", Digest.Sha256(SHA256.HashData("x"u8)), _ => new PolicyDecision { Allowed = true, Reason = "", Differences = [new PolicyDifference(1, "x", 0, "differs", null, null)] });

        Assert.Equal(VerdictKind.Fail, Verdict.Of(world.HonestGpu, policy, ClaimsVersion.V4).Kind);
    }

    [Fact]
    public void A_policy_without_a_digest_hides_nothing_either()
    {
        var policy = new RelyingPartyPolicy("default", null, _ => new PolicyDecision { Allowed = true, Reason = "why not" });

        var verdict = Verdict.Of(LegacyClaimsTests.Deviating(world, 22).Appraise(), policy, ClaimsVersion.V4);

        Assert.Equal(["policy-allowed"], verdict.Weakened.Except(TokenFixture.DevicesAlone));
        Assert.NotEmpty(verdict.PolicyFindings);
    }

    [Fact]
    public void Without_a_policy_the_default_one_is_named()
    {
        using var json = JsonDocument.Parse(VerdictJson.Write(DefaultPolicy.Decide(world.HonestGpu), ClaimsVersion.V2));

        Assert.Equal("""{"id":"default","digest":null}""", JsonSerializer.Serialize(json.RootElement.GetProperty("policy")));
        Assert.Equal(0, json.RootElement.GetProperty("allowedAlthough").GetArrayLength());
        Assert.True(json.RootElement.GetProperty("devices")[0].GetProperty("claims").GetProperty("x-nvidia-gpu-driver-rim-cert-validated").GetBoolean());
    }

    private static PolicyScene Changed(PolicyWorld world, Func<byte[], byte[]> change)
    {
        var evidence = world.GpuScene.Evidence[0];
        return world.GpuScene with { Evidence = [evidence with { Report = change(evidence.Report.ToArray()) }] };
    }

    private static byte[] Flipped(byte[] report, int at)
    {
        report[at] ^= 1;
        return report;
    }
}

using System.Text;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Policy;

namespace Assay.Tests.Policy;

/// <summary>What a JSON policy may look like, and when two values are equal.</summary>
public class JsonPolicyTests(PolicyWorld world) : IClassFixture<PolicyWorld>
{
    [Theory]
    [InlineData("""{"version":"1.0","authorization-rules":{}}""", "authorization-rules", "would accept everything")]
    [InlineData("""{"version":"3.0","authorization-rules":{"type":"JWT","overall-claims":{},"detached-claims":{}}}""", "detached-claims", "would accept any device")]
    [InlineData("""{"version":"3.0","authorization-rules":{"type":"JWT","overall-claims":{"x-nvidia-ver":"3.0"},"detached-claims":{}}}""", "detached-claims", "would accept any device")]
    [InlineData("""{"version":"3.0","authorization-rules":{"type":"JWT","overall-claims":{"x-nvidia-overall-att-result":false},"detached-claims":{}}}""", "detached-claims", "would accept any device")]
    [InlineData("""{"version":"1.0","authorization-rules":{"x":{}}}""", "x", "demands nothing")]
    [InlineData("""{"version":"1.0","authorization-rules":{"x":{"y":{}}}}""", "x.y", "demands nothing")]
    [InlineData("""{"version":"1.0"}""", "authorization-rules", "absent")]
    [InlineData("""{"authorization-rules":{"measres":"success"}}""", "version", "absent")]
    [InlineData("""{"version":1,"authorization-rules":{"measres":"success"}}""", "version", "not a string")]
    [InlineData("""{"version":"1.0","authorization-rules":{"measres":"success"},"rules":1}""", "policy", "unknown member")]
    [InlineData("""{"version":"1.0","authorization-rules":["measres"]}""", "authorization-rules", "not an object")]
    [InlineData("""{"version":"3.0","authorization-rules":{"type":"JWT","overall-claims":{},"detached-claims":{"measres":"success"},"measres":"success"}}""", "authorization-rules", "unknown member")]
    [InlineData("""{"version":"3.0","authorization-rules":{"type":"JWT","detached-claims":{"measres":"success"}}}""", "overall-claims", "absent")]
    [InlineData("""{"version":"3.0","authorization-rules":{"overall-claims":{},"detached-claims":{"measres":"success"}}}""", "type", "absent")]
    [InlineData("""{"version":"3.0","authorization-rules":{"type":"CWT","overall-claims":{},"detached-claims":{"measres":"success"}}}""", "type", "JWT")]
    [InlineData("""{"version":"3.0","authorization-rules":{"type":"JWT","overall-claims":[],"detached-claims":{"measres":"success"}}}""", "overall-claims", "not an object")]
    [InlineData("""{"version":"1.0","authorization-rules":{"measres":"success","measres":"success"}}""", "JSON", "duplicate member")]
    [InlineData("""{"version":"1.0","authorization-rules":{"measres":"success",}}""", "JSON", "malformed")]
    [InlineData("""{"version":"1.0","authorization-rules":{"measres":"success"}} true""", "JSON", "malformed")]
    [InlineData("""/* all */{"version":"1.0","authorization-rules":{"measres":"success"}}""", "JSON", "malformed")]
    [InlineData("[]", "policy", "not an object")]
    [InlineData("", "JSON", "malformed")]
    public void A_policy_that_is_not_understood_or_demands_nothing_is_refused(string json, string field, string problem)
    {
        Assert.False(JsonPolicy.TryParse(Encoding.UTF8.GetBytes(json), out var policy, out var fault));
        Assert.Null(policy);
        Assert.Equal(field, fault.Field);
        Assert.Contains(problem, fault.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_policy_has_limits()
    {
        var rules = string.Join(',', Enumerable.Range(0, JsonPolicy.MostRules).Select(number => $"\"r{number}\":1"));
        Assert.Equal(JsonPolicy.MostRules, Policies.Flat(rules).Rules);

        Assert.False(JsonPolicy.TryParse(Encoding.UTF8.GetBytes("{\"version\":\"1\",\"authorization-rules\":{" + rules + ",\"one more\":1}}"), out _, out var fault));
        Assert.Contains("more than", fault.Problem, StringComparison.Ordinal);
        Assert.False(JsonPolicy.TryParse(new byte[JsonPolicy.MostBytes + 1], out _, out fault));
        Assert.Contains("larger than", fault.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"secboot\":true", true)]
    [InlineData("\"secboot\":\"true\"", false)]
    [InlineData("\"secboot\":1", false)]
    [InlineData("\"secboot\":null", false)]
    [InlineData("\"measres\":\"Success\"", false)]
    [InlineData("\"measres\":{\"x\":1}", false)]
    [InlineData("\"x-nvidia-mismatch-measurement-records\":null", true)]
    [InlineData("\"no-such-claim\":null", false)]
    [InlineData("\"x-nvidia-gpu-driver-rim-cert-chain\":{\"x-nvidia-cert-status\":\"valid\"}", true)]
    [InlineData("\"x-nvidia-gpu-driver-rim-cert-chain\":{\"x-nvidia-cert-status\":\"expired\"}", false)]
    [InlineData("\"x-nvidia-gpu-driver-rim-cert-chain\":{\"x-nvidia-cert-ocsp-status\":\"good\",\"no-such-member\":true}", false)]
    [InlineData("\"x-nvidia-gpu-driver-rim-cert-chain\":\"valid\"", false)]
    public void A_rule_is_satisfied_by_a_claim_of_its_type_and_value(string rule, bool allowed) =>
        Assert.Equal(allowed, Policies.Decide(Policies.Flat(rule), world.HonestGpu).Allowed);

    [Theory]
    [InlineData("22", true)]
    [InlineData("22.0", true)]
    [InlineData("2.2e1", true)]
    [InlineData("23", false)]
    [InlineData("\"22\"", false)]
    public void Numbers_are_compared_by_value_and_lists_as_a_whole(string number, bool allowed)
    {
        var appraisal = LegacyClaimsTests.Deviating(world, 22).Appraise();
        var records = Policies.Claims(appraisal.Devices[0], ClaimsVersion.V4).GetProperty("x-nvidia-mismatch-measurement-records").GetRawText();

        var policy = Policies.Flat($"\"x-nvidia-mismatch-measurement-records\":{records.Replace("\"index\":22", $"\"index\":{number}", StringComparison.Ordinal)}");

        Assert.Equal(allowed, Policies.Decide(policy, appraisal).Allowed);
    }

    [Fact]
    public void A_difference_inside_an_object_is_named_by_its_path_with_both_values()
    {
        var policy = Policies.Detached("\"x-nvidia-ver\":\"3.0\"", "\"measres\":\"success\",\"x-nvidia-gpu-vbios-rim-cert-chain\":{\"x-nvidia-cert-ocsp-status\":\"revoked\"}");

        var difference = Assert.Single(Policies.Decide(policy, world.HonestGpu).Differences);

        Assert.Equal((3, "detached-claims.x-nvidia-gpu-vbios-rim-cert-chain.x-nvidia-cert-ocsp-status", 0), (difference.Rule, difference.Path, difference.DeviceIndex));
        Assert.Equal(("\"good\"", "\"revoked\""), (difference.Found, difference.Expected));
    }

    [Fact]
    public void Every_device_must_satisfy_the_rules_and_the_one_that_does_not_is_named()
    {
        using var other = Assay.Simulator.SimulatedDevice.Create(world.Authority, Assay.Simulator.DeviceProfile.Hopper580);
        var both = PolicyScene.Of(world.Authority, world.Gpu, other);
        var mixed = PolicyScene.Of(world.Authority, world.Gpu, world.Switch).Appraise();
        var policy = Policies.Flat("\"x-nvidia-gpu-arch-check\":true");

        Assert.True(Policies.Decide(policy, both.Appraise()).Allowed);
        var difference = Assert.Single(Policies.Decide(policy, mixed).Differences);
        Assert.Equal(1, difference.DeviceIndex);
        Assert.Contains("is no claim about switches", difference.Reason, StringComparison.Ordinal);
        Assert.True(Policies.Decide(Policies.Flat("\"measres\":\"success\""), mixed).Allowed);
    }

    [Fact]
    public void No_device_satisfies_no_policy() =>
        Assert.False(Policies.Decide(Policies.Flat("\"measres\":\"success\""), (world.GpuScene with { Evidence = [] }).Appraise()).Allowed);

    [Theory]
    [InlineData("\"x-nv-gpu-available\":true", ClaimsVersion.Legacy)]
    [InlineData("\"measres\":\"success\",\"x-nvidia-gpu-attestation-report-cert-chain-validated\":true", ClaimsVersion.V2)]
    [InlineData("\"x-nvidia-switch-bios-rim-cert-validated\":true", ClaimsVersion.V2)]
    [InlineData("\"x-nvidia-gpu-driver-rim-cert-chain\":{\"x-nvidia-cert-status\":\"valid\"}", ClaimsVersion.V3)]
    [InlineData("\"x-nvidia-gpu-claims-version\":\"4.0\",\"x-nvidia-gpu-driver-rim-version-match\":true", ClaimsVersion.V4)]
    [InlineData("\"measres\":\"success\"", null)]
    public void The_version_of_the_claims_is_told_by_the_rules(string rules, ClaimsVersion? version) => Assert.Equal(version, Policies.Flat(rules).WrittenFor);

    [Fact]
    public void Rules_that_tell_no_version_see_the_claims_that_were_chosen()
    {
        var policy = Policies.Flat("\"measres\":\"success\",\"x-nvidia-device-type\":\"gpu\"");
        var appraisal = world.HonestGpu;

        Assert.True(Policies.Decide(policy, appraisal, ClaimsVersion.V3).Allowed);
        Assert.Equal(["x-nvidia-device-type"], Policies.Paths(Policies.Decide(policy, appraisal, ClaimsVersion.V2)));
    }

    [Fact]
    public void The_overall_claims_are_those_of_the_overall_token()
    {
        var appraisal = PolicyScene.Of(world.Authority, world.Gpu, world.Switch).Appraise();
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            OverallClaims.Write(writer, appraisal, ClaimsVersion.V2, "https://verifier.example");
        }

        Assert.Equal(
            $$"""{"eat_nonce":"{{Convert.ToHexStringLower(PolicyWorld.Challenge)}}","iss":"https://verifier.example","sub":"NVIDIA-PLATFORM-ATTESTATION","submods":{"GPU-0":null,"SWITCH-0":null},"x-nvidia-overall-att-result":true,"x-nvidia-ver":"2.0"}""",
            Encoding.UTF8.GetString(stream.ToArray()));
        Assert.True(Policies.Decide(Policies.Detached("\"iss\":\"https://verifier.example\"", "\"measres\":\"success\""), appraisal, issuer: "https://verifier.example").Allowed);
        Assert.False(Policies.Decide(Policies.Detached("\"submods\":{\"GPU-0\":[\"DIGEST\"]}", "\"measres\":\"success\""), appraisal).Allowed);
    }
}

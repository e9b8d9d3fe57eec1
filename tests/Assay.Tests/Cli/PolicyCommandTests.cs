using System.Text.Json;
using Assay.Simulator;
using Assay.Tests.Simulator;

namespace Assay.Tests.Cli;

/// <summary>A JSON policy given by file, through the command line: what it may allow, what it may refuse, and what it is never asked about.</summary>
public sealed class PolicyCommandTests : IDisposable
{
    // Rules on nothing that fails below.
    private const string Lenient = """{"version":"1.0","authorization-rules":{"x-nvidia-gpu-arch-check":true}}""";
    private const string Strict = """{"version":"1.0","authorization-rules":{"measres":"success"}}""";

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-policy-").FullName;
    private readonly AssayCommand _assay = new();

    public PolicyCommandTests()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = SimulatedAuthority.Create(now);
        Write("honest", DeviceProfile.Hopper580);
        Write("deviating", DeviceProfile.Hopper580 with { Deviations = DeviceProfile.Hopper580.Deviations.Add(22, new byte[48]) });

        void Write(string name, DeviceProfile profile)
        {
            using var device = SimulatedDevice.Create(authority, profile);
            SimulatedSet.Of(authority, device, SimulatorFixture.Nonce, now).Write(At(name));
        }
    }

    [Fact]
    public void A_policy_that_is_satisfied_is_named_in_the_verdict()
    {
        var policy = Policy(Strict);

        Assert.Contains("PASS", Verify(0, "honest", policy));
        using var json = JsonDocument.Parse(Verify(0, "honest", policy, "--format", "json"));
        Assert.Equal("pass", json.RootElement.GetProperty("verdict").GetString());
        Assert.Equal(Assay.Tests.Tokens.TokenFixture.DevicesAlone, json.RootElement.GetProperty("weakened").EnumerateArray().Select(item => item.GetString()));
        Assert.Equal("policy.json", Path.GetFileName(json.RootElement.GetProperty("policy").GetProperty("id").GetString()));
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(policy))), json.RootElement.GetProperty("policy").GetProperty("digest").GetString());
    }

    [Fact]
    public void What_a_policy_allows_stands_in_the_verdict()
    {
        Assert.Contains("measurements.driver.match", Says(1, Arguments("deviating")));

        var text = Verify(0, "deviating", Policy(Lenient));
        Assert.StartsWith("PASS weakened", text, StringComparison.Ordinal);
        Assert.Contains("policy-allowed", text.Split('\n').First(line => line.StartsWith("  weakened ", StringComparison.Ordinal)));
        Assert.Contains("Allowed by policy although:", text);
        Assert.Contains("measurements.driver.match", text);

        using var json = JsonDocument.Parse(Verify(0, "deviating", Policy(Lenient), "--format", "json"));
        Assert.Equal("pass", json.RootElement.GetProperty("verdict").GetString());
        Assert.Equal(["policy-allowed"], json.RootElement.GetProperty("weakened").EnumerateArray().Select(item => item.GetString()!).Except(Assay.Tests.Tokens.TokenFixture.DevicesAlone));
        Assert.Equal(["measurements.driver.match"], json.RootElement.GetProperty("allowedAlthough").EnumerateArray().Select(item => item.GetProperty("id").GetString()));
    }

    [Fact]
    public void A_policy_that_refuses_names_its_rule()
    {
        var text = Verify(1, "deviating", Policy(Strict));
        Assert.Contains("policy.rules.satisfied", text);
        Assert.Contains("policy.rule.1", text);

        // Nothing failed but the policy.
        Assert.Contains("policy.rules.satisfied", Verify(1, "honest", Policy("""{"version":"1.0","authorization-rules":{"measres":"fail"}}""")));
    }

    [Fact]
    public void No_policy_excuses_evidence_that_is_not_authentic()
    {
        var text = Says(1, [.. Arguments("honest", nonce: new string('0', 64)), "--policy", Policy(Lenient)]);

        Assert.Contains("FAILED      report.nonce.match", text);
        Assert.DoesNotContain("Allowed by policy although", text);
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("package policy\nnv_match = true")]
    [InlineData("""{"version":"1.0","authorization-rules":{}}""")]
    [InlineData("""{"version":"1.0","authorization-rules":{"measres":"success"},"more":1}""")]
    [InlineData("""{"version":"1.0","authorization-rules":{"measres":"success","measres":"fail"}}""")]
    [InlineData("""{"version":"1.0","authorization-rules":{"measres":"success"}} x""")]
    public void A_policy_that_cannot_be_read_is_refused_before_anything_is_judged(string policy)
    {
        var text = Verify(2, "honest", Policy(policy));

        Assert.DoesNotContain("PASS", text);
        Assert.StartsWith("assay: ", text);
    }

    [Fact]
    public void A_policy_that_is_not_there_is_refused() => Assert.StartsWith("assay: ", Verify(2, "honest", At("none.json")));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string At(string name) => Path.Combine(_folder, name);

    private string Policy(string text)
    {
        File.WriteAllText(At("policy.json"), text);
        return At("policy.json");
    }

    private string[] Arguments(string set, string? nonce = null) =>
    [
        "verify", "--evidence", Path.Combine(At(set), "gpu_evidence.json"), "--anchors", Path.Combine(At(set), "anchors.json"), "--rim-store", Path.Combine(At(set), "rims"),
        "--ocsp-store", Path.Combine(At(set), "ocsp"), "--nonce", nonce ?? Convert.ToHexStringLower(SimulatorFixture.Nonce),
    ];

    private string Verify(int code, string set, string policy, params string[] more) => Says(code, [.. Arguments(set), "--policy", policy, .. more]);

    private string Says(int code, params string[] arguments) => _assay.Says(code, arguments);
}

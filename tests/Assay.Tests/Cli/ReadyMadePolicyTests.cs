using System.Collections.Immutable;
using Assay.Checks;
using Assay.Policy;
using Assay.Simulator;

namespace Assay.Tests.Cli;

/// <summary>
/// The policies of the folder policies over claims that the verifier made: each accepts what its first lines say, and refuses the nearest
/// wrong thing.
/// </summary>
public sealed class ReadyMadePolicyTests(ReadyMadePolicyTests.Authority authority) : IClassFixture<ReadyMadePolicyTests.Authority>
{
    private const string Pinned = """{"pinned":{"driver":["580.95.05"],"vbios":["96.00.A5.00.01"],"switch_bios":["96.10.55.00.01"]}}""";
    private const string Minimum = """{"minimum":{"driver":"550.144.03","vbios":{"96":"96.00.74.00.1C"},"switch_bios":{"96":"96.10.55.00.01"}}}""";

    private static readonly DateTimeOffset s_now = EvaluationTime.ReleaseDate.AddDays(1);

    public static TheoryData<string, string?, string, string, Answers, bool> Devices => new()
    {
        { "strict.rego", null, "gpu", "none", Answers.Fresh, true },
        { "strict.rego", null, "blackwell", "none", Answers.Fresh, true },
        { "strict.rego", null, "switch", "none", Answers.Fresh, true },
        { "strict.rego", null, "gpu", "none", Answers.Cached, false },
        { "strict.rego", null, "gpu", "none", Answers.Skipped, false },
        { "strict.rego", null, "gpu", "mismatch", Answers.Fresh, false },
        { "strict.rego", null, "switch", "mismatch", Answers.Fresh, false },
        { "strict.rego", null, "gpu", "held-rim-signer", Answers.Fresh, false },
        { "strict.rego", null, "gpu", "expired-rim-signer", Answers.Fresh, false },
        { "strict.rego", null, "gpu", "revoked-device", Answers.Fresh, false },

        { "cached-ocsp.rego", null, "gpu", "none", Answers.Cached, true },
        { "cached-ocsp.rego", null, "switch", "none", Answers.Cached, true },
        { "cached-ocsp.rego", null, "gpu", "none", Answers.Fresh, true },
        { "cached-ocsp.rego", null, "gpu", "none", Answers.Skipped, false },
        { "cached-ocsp.rego", null, "gpu", "revoked-rim-signer", Answers.Cached, false },
        { "cached-ocsp.rego", null, "switch", "held-rim-signer", Answers.Cached, false },
        { "cached-ocsp.rego", null, "gpu", "mismatch", Answers.Cached, false },

        { "held-rim-signer.rego", null, "gpu", "held-rim-signer", Answers.Fresh, true },
        { "held-rim-signer.rego", null, "switch", "held-rim-signer", Answers.Fresh, true },
        { "held-rim-signer.rego", null, "gpu", "none", Answers.Fresh, true },
        { "held-rim-signer.rego", null, "gpu", "held-rim-signer", Answers.Cached, false },
        { "held-rim-signer.rego", null, "gpu", "held-device", Answers.Fresh, false },
        { "held-rim-signer.rego", null, "gpu", "revoked-rim-signer", Answers.Fresh, false },
        { "held-rim-signer.rego", null, "gpu", "unknown-rim-signer", Answers.Fresh, false },
        { "held-rim-signer.rego", null, "gpu", "mismatch", Answers.Fresh, false },

        { "pinned-versions.rego", Pinned, "gpu", "none", Answers.Fresh, true },
        { "pinned-versions.rego", Pinned, "switch", "none", Answers.Fresh, true },
        { "pinned-versions.rego", Pinned, "blackwell", "none", Answers.Fresh, false },
        { "pinned-versions.rego", Pinned.Replace("580.95.05", "580.95.04", StringComparison.Ordinal), "gpu", "none", Answers.Fresh, false },
        { "pinned-versions.rego", Pinned.Replace("96.00.A5", "96.00.A6", StringComparison.Ordinal), "gpu", "none", Answers.Fresh, false },
        { "pinned-versions.rego", null, "gpu", "none", Answers.Fresh, false },
        { "pinned-versions.rego", Pinned, "gpu", "mismatch", Answers.Fresh, false },

        { "minimum-versions.rego", Minimum, "gpu", "none", Answers.Fresh, true },
        { "minimum-versions.rego", Minimum, "switch", "none", Answers.Fresh, true },
        { "minimum-versions.rego", Minimum, "old gpu", "none", Answers.Fresh, false },
        { "minimum-versions.rego", Minimum, "blackwell", "none", Answers.Fresh, false },
        { "minimum-versions.rego", Minimum.Replace("550.144.03", "580.100", StringComparison.Ordinal), "gpu", "none", Answers.Fresh, false },
        { "minimum-versions.rego", Minimum.Replace("96.00.74", "96.00.A6", StringComparison.Ordinal), "gpu", "none", Answers.Fresh, false },
        { "minimum-versions.rego", null, "gpu", "none", Answers.Fresh, false },
        { "minimum-versions.rego", Minimum, "gpu", "mismatch", Answers.Fresh, false },

        { "whole-machine.rego", Machine(1, 0), "gpu", "none", Answers.Fresh, true },
        { "whole-machine.rego", Machine(2, 0), "gpu", "none", Answers.Fresh, false },
        { "whole-machine.rego", Machine(2, 2), "machine", "none", Answers.Fresh, true },
        { "whole-machine.rego", Machine(3, 2), "machine", "none", Answers.Fresh, false },
        { "whole-machine.rego", Machine(2, 1), "machine", "none", Answers.Fresh, false },
        { "whole-machine.rego", Machine(2, 2), "machine", "none", Answers.Cached, false },
        { "whole-machine.rego", Machine(2, 2), "machine", "mismatch", Answers.Fresh, false },
        { "whole-machine.rego", null, "machine", "none", Answers.Fresh, false },

        { "whole-machine-cached-ocsp.rego", Machine(1, 0), "gpu", "none", Answers.Cached, true },
        { "whole-machine-cached-ocsp.rego", Machine(2, 2), "machine", "none", Answers.Cached, true },
        { "whole-machine-cached-ocsp.rego", Machine(2, 2), "machine", "none", Answers.Fresh, true },
        { "whole-machine-cached-ocsp.rego", Machine(3, 2), "machine", "none", Answers.Cached, false },
        { "whole-machine-cached-ocsp.rego", Machine(2, 2), "machine", "none", Answers.Skipped, false },
        { "whole-machine-cached-ocsp.rego", Machine(2, 2), "machine", "mismatch", Answers.Cached, false },
        { "whole-machine-cached-ocsp.rego", Machine(1, 0), "gpu", "held-rim-signer", Answers.Cached, false },
        { "whole-machine-cached-ocsp.rego", null, "machine", "none", Answers.Cached, false },

        { "minimum-versions-cached-ocsp.rego", Minimum, "gpu", "none", Answers.Cached, true },
        { "minimum-versions-cached-ocsp.rego", Minimum, "switch", "none", Answers.Cached, true },
        { "minimum-versions-cached-ocsp.rego", Minimum, "old gpu", "none", Answers.Cached, false },
        { "minimum-versions-cached-ocsp.rego", Minimum, "gpu", "none", Answers.Skipped, false },
        { "minimum-versions-cached-ocsp.rego", Minimum, "gpu", "revoked-rim-signer", Answers.Cached, false },
        { "minimum-versions-cached-ocsp.rego", Minimum, "gpu", "mismatch", Answers.Cached, false },
        { "minimum-versions-cached-ocsp.rego", null, "gpu", "none", Answers.Cached, false },

        { "trustee-ear.rego", null, "gpu", "none", Answers.Fresh, true },
        { "trustee-ear.rego", null, "machine", "none", Answers.Fresh, true },
        { "trustee-ear.rego", null, "gpu", "none", Answers.Skipped, false },
        { "trustee-ear.rego", null, "gpu", "mismatch", Answers.Fresh, false },
        { "trustee-ear.rego", null, "gpu", "held-rim-signer", Answers.Fresh, false },
        { "trustee-ear.rego", null, "gpu", "expired-device", Answers.Fresh, false },
    };

    [Theory]
    [MemberData(nameof(Devices))]
    public async Task Each_accepts_what_it_says_and_refuses_the_nearest_wrong_thing(string policy, string? data, string device, string fault, Answers answers, bool accepted)
    {
        var judge = PolicyJudge.ReadyMade(policy, data);
        using var world = World(device, fault);

        var verdict = await judge.JudgeAsync(world, answers);

        // The policy decided, and not something before it.
        Assert.Equal(1, judge.Asked);
        Assert.True(accepted == (verdict.Kind is VerdictKind.Pass), string.Join("; ", verdict.PolicyFindings.Select(finding => finding.Reason)));
        Assert.Equal(accepted && fault != "none", !verdict.AllowedAlthough.IsEmpty);
    }

    [Fact]
    public void The_policies_pass_their_own_tests_which_reach_every_statement()
    {
        var text = new AssayCommand().Says(0, "policy", "test", Path.Combine(Repository.Root, "policies"));

        Assert.Contains(" 0 failed", text, StringComparison.Ordinal);
        Assert.DoesNotContain("not reached", text, StringComparison.Ordinal);
        foreach (var policy in Shipped)
        {
            Assert.Contains(Path.GetFileNameWithoutExtension(policy) + "_test.rego", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Each_begins_with_what_it_accepts_and_what_it_weakens_and_compiles_strictly()
    {
        Assert.Equal(Shipped.Order(StringComparer.Ordinal), Devices.Select(row => row.Data.Item1).Distinct().Order(StringComparer.Ordinal));
        foreach (var policy in Shipped)
        {
            var path = Path.Combine(Repository.Root, "policies", policy);
            var opening = File.ReadLines(path).TakeWhile(line => line.StartsWith('#')).ToArray();
            Assert.Contains(opening, line => line.StartsWith("# Accepts: ", StringComparison.Ordinal));
            Assert.Contains(opening, line => line.StartsWith("# Weakens: ", StringComparison.Ordinal));
            new AssayCommand().Says(0, "policy", "check", "--strict", "--v1", path);
        }
    }

    private static ImmutableArray<string> Shipped =>
        [.. Directory.GetFiles(Path.Combine(Repository.Root, "policies"), "*.rego").Select(path => Path.GetFileName(path)).Where(name => !name.EndsWith("_test.rego", StringComparison.Ordinal))];

    private static string Machine(int gpus, int switches) => $$$"""{"machine":{"gpus":{{{gpus}}},"switches":{{{switches}}}}}""";

    private SimulatedWorld World(string device, string faultName)
    {
        var fault = SimulatedFaults.Find(faultName)!;
        var made = device == "machine"
            ? SimulatedWorld.TryCreateMachine(authority.Value, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, 2, 2, fault, new FaultTarget(), s_now, out var world, out var whyNot)
            : SimulatedWorld.TryCreate(authority.Value, Profile(device), fault, new FaultTarget(), s_now, out world, out whyNot);
        Assert.True(made, whyNot);
        return world!;
    }

    private static DeviceProfile Profile(string device) => device switch
    {
        "gpu" => DeviceProfile.Hopper580,
        "old gpu" => DeviceProfile.HopperEarly,
        "blackwell" => DeviceProfile.Blackwell,
        _ => DeviceProfile.Ls10,
    };

    public sealed class Authority : IDisposable
    {
        public SimulatedAuthority Value { get; } = SimulatedAuthority.Create(s_now);

        public void Dispose() => Value.Dispose();
    }
}

using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Assay.Tests.Cli;

/// <summary><c>assay verify --policy</c> with several files and folders: what decides, what the verdict attributes it to, and what a policy saw.</summary>
public sealed class PolicyFilesTests : IDisposable
{
    private const string Rule = "package policy\nimport rego.v1\nimport data.lib\ndefault nv_match := false\nnv_match if {\n\tprint(\"devices \\u001b[31m\", count(input))\n\tlib.enough\n}\n";
    private const string Library = "package lib\nimport rego.v1\nenough if count(input) >= data.machine.gpus\n";

    private static readonly AssayCommand s_assay = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-policy-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Modules_and_data_of_files_and_folders_decide_together_and_the_digest_is_of_them_all()
    {
        var (rule, library, data) = (Put("mine.rego", Rule), Put("site/lib.rego", Library), Put("site/data.json", """{"machine":{"gpus":1}}"""));
        Put("site/lib_test.rego", "package lib\nthis is no rego");

        var answer = s_assay.Run([.. Verify(), "--policy", rule, Path.Combine(_folder, "site"), "--format", "json"]);

        Assert.Equal(0, answer.ExitCode);
        // Standard output first, then standard error.
        var end = answer.Output.LastIndexOf('}', answer.Output.IndexOf(": devices ", StringComparison.Ordinal)) + 1;
        using var verdict = JsonDocument.Parse(answer.Output[..end]);
        var policy = verdict.RootElement.GetProperty("policy");
        Assert.Equal("mine.rego + site/", policy.GetProperty("id").GetString());
        Assert.Equal(DigestOf(rule, library, data), policy.GetProperty("digest").GetString());
        // What print() writes draws nothing on a terminal.
        Assert.Equal($"{rule}:6: devices \\u{{1b}}[31m 1", answer.Output[end..].Trim());
    }

    [Fact]
    public void One_file_without_data_is_named_by_its_own_digest_and_data_counts()
    {
        var rule = Put("alone.rego", "package policy\nimport rego.v1\nnv_match := true\n");
        var data = Put("data.json", "{}");

        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(rule))), Attributed("--policy", rule));
        Assert.Equal(DigestOf(rule, data), Attributed("--policy", rule, "--policy-data", data));
        Assert.Equal(DigestOf(rule, data), Attributed("--policy", data, rule));
    }

    [Fact]
    public void Missing_data_is_told_with_the_option_that_brings_it()
    {
        var (rule, library) = (Put("mine.rego", Rule), Put("lib.rego", Library));

        var said = s_assay.Says(1, [.. Verify(), "--policy", rule, library]);

        Assert.Contains("the policy reads data.machine.gpus, and no base document has it: give one with --policy-data", Unfolded(said), StringComparison.Ordinal);
        Assert.DoesNotContain("--policy-data", Unfolded(s_assay.Says(1, [.. Verify(), "--policy", rule, library, Put("data.json", """{"machine":{"gpus":9}}""")])), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_policy_sees_is_written_and_can_be_evaluated_alone()
    {
        var rule = Put("alone.rego", "package policy\nimport rego.v1\nnv_match if input[0].measres == \"success\"\n");
        var seen = Path.Combine(_folder, "input.json");

        s_assay.Says(0, [.. Verify(), "--policy", rule, "--policy-input-out", seen]);

        Assert.Equal("true", s_assay.Says(0, "policy", "eval", "--policy", rule, "--input", seen).Trim());
        // Never over another file, and the verdict does not depend on it.
        Assert.Contains("--policy-input-out", s_assay.Says(0, [.. Verify(), "--policy", rule, "--policy-input-out", seen]), StringComparison.Ordinal);
        Assert.Contains("belong to a policy in Rego", s_assay.Says(2, [.. Verify(), "--policy-input-out", seen]), StringComparison.Ordinal);
    }

    [Fact]
    public void What_does_not_go_together_is_refused_before_anything_is_judged()
    {
        var rule = Put("mine.rego", Rule);
        var (one, other) = (Put("one.json", """{"a":{"b":1,"c":2}}"""), Put("other.json", """{"a":{"b":2}}"""));
        var nvidia = Path.Combine(Repository.Root, "policies", "gpu-claims-3.0.json");

        Assert.Contains("data.a.b has a different value", s_assay.Says(2, [.. Verify(), "--policy", rule, one, other]), StringComparison.Ordinal);
        Assert.Contains("give it alone", s_assay.Says(2, [.. Verify(), "--policy", rule, nvidia]), StringComparison.Ordinal);
        Assert.Contains("no .rego file", s_assay.Says(2, [.. Verify(), "--policy", one, other]), StringComparison.Ordinal);
        Assert.Contains("go together, found", s_assay.Says(2, [.. Verify(), "--policy", rule, Put("a.txt", "x")]), StringComparison.Ordinal);
        Assert.Contains("no .rego file", s_assay.Says(2, [.. Verify(), "--policy", Directory.CreateDirectory(Path.Combine(_folder, "empty")).FullName]), StringComparison.Ordinal);
        Assert.Contains("would be used instead", s_assay.Says(2, [.. Verify(), "--policy", rule, Put("lib.rego", Library), Put("rule.json", """{"lib":{"enough":true}}""")]), StringComparison.Ordinal);
    }

    private static string[] Verify() =>
    [
        "verify", "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"),
        "--evidence", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"),
    ];

    private static string DigestOf(params string[] files) => Convert.ToHexStringLower(SHA256.HashData(Encoding.ASCII.GetBytes(
        string.Concat(files.Select(file => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(file))) + "\n").Order(StringComparer.Ordinal)))));

    private static string Unfolded(string text) => string.Join(' ', text.Split((char[])[' ', '\n', '\r', '│'], StringSplitOptions.RemoveEmptyEntries));

    private static string Attributed(params string[] policy)
    {
        using var verdict = JsonDocument.Parse(s_assay.Says(0, [.. Verify(), .. policy, "--format", "json"]));
        return verdict.RootElement.GetProperty("policy").GetProperty("digest").GetString()!;
    }

    private string Put(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
        return path;
    }
}

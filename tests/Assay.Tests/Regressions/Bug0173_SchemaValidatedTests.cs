using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>Claims 3.0 lacked what NVIDIA's remote service and nvtrust write there, and Trustee's default policy for GPUs demands.</summary>
public sealed class Bug0173_SchemaValidatedTests
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("3.0", true)]
    [InlineData("4.0", false)]
    public void Claims_of_that_version_have_it(string version, bool has)
    {
        var folder = Path.Combine(Repository.Root, "vectors", "simulated", "ls10");
        var answer = s_assay.Run(
            "verify", "--evidence", Path.Combine(folder, "switch_evidence.json"), "--anchors", Path.Combine(folder, "anchors.json"), "--rim-store", Path.Combine(folder, "rims"), "--dangerously-skip-revocation",
            "--claims", version, "--format", "json");

        Assert.Equal(has, answer.Output.Contains("\"x-nvidia-switch-bios-rim-schema-validated\": true", StringComparison.Ordinal));
    }
}

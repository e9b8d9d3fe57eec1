using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>Azure's SNP evidence without AMD's certificates was called a failure, though nothing in it is wrong.</summary>
public sealed class Bug0195_AzureWithoutCertificatesTests
{
    [Theory]
    [InlineData("--dangerously-skip-revocation")]
    [InlineData("--report-data", "00")]
    public void It_is_incomplete(params string[] more)
    {
        string[] options = more is ["--report-data", ..] ? ["--report-data", new string('0', 128)] : more;
        var answer = new AssayCommand().Run(["verify", "--cpu-evidence", Cases.PathOf("azure-snp-live/snp-live.json"), "--at", "2026-08-01T00:00:00Z", "--format", "json", .. options]);

        Assert.True(answer.ExitCode == 3, answer.Output);
        Assert.Contains("snp-certificates", answer.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\"state\": \"failed\"", answer.Output, StringComparison.Ordinal);
    }
}

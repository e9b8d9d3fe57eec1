using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Checks;
using Assay.Cli.Explain;

namespace Assay.Tests.Cli;

/// <summary>A weakened pass says so first, keeps exit code 0, and is refused by whoever asks for that.</summary>
public sealed partial class WeakenedTests
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData(0)]
    [InlineData(1, "--fail-on-weakened")]
    [InlineData(1, "--fail-on-weakened=devices-not-expected")]
    [InlineData(1, "--fail-on-weakened=sept-ve,time-stated")]
    [InlineData(0, "--fail-on-weakened=sept-ve,policy-allowed")]
    [InlineData(2, "--fail-on-weakened=time-statd")]
    [InlineData(2, "--fail-on-weakened=freshness-not-proven")]
    [InlineData(1, "--require-binding", "evidence-hash")]
    [InlineData(1, "--require-binding", "boot-event")]
    [InlineData(2, "--require-binding", "none")]
    [InlineData(2, "--require-binding", "boot-event", "--dangerously-accept-binding", "none")]
    public void A_processor_alone_passes_weakened_unless_more_is_asked(int code, params string[] options)
    {
        var answer = s_assay.Run(["verify", "--cpu-evidence", Recorded.PathOf("cpu/tdx/tdx_quote"), "--cpu-collateral", Recorded.PathOf("cpu/tdx/tdx_quote_collateral.json"), "--at", "2025-07-01T00:00:00Z", .. options]);

        Assert.True(code == answer.ExitCode, answer.Output);
    }

    [Fact]
    public void A_binding_that_is_required_is_not_met_by_leaving_devices_or_processor_out()
    {
        var evidence = Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json");

        var answer = s_assay.Run("verify", "--evidence", evidence, "--require-binding", "evidence-hash", "--at", "2024-06-01T00:00:00Z", "--dangerously-skip-revocation", "--format", "json");

        Assert.Equal(1, answer.ExitCode);
        Assert.Contains("composite.cpu.present", answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pass_says_in_its_first_lines_what_it_is_not_and_a_failure_does_not_say_that_it_is_unweakened()
    {
        string[] quote = ["verify", "--cpu-evidence", Recorded.PathOf("cpu/tdx/tdx_quote"), "--cpu-collateral", Recorded.PathOf("cpu/tdx/tdx_quote_collateral.json")];

        var passed = s_assay.Run([.. quote, "--at", "2025-07-01T00:00:00Z"]);
        var failed = s_assay.Run([.. quote, "--at", "2025-07-21T00:00:00Z"]);

        Assert.InRange(passed.Output.IndexOf("It does not prove", StringComparison.Ordinal), 1, passed.Output.IndexOf("Processor Intel TDX", StringComparison.Ordinal));
        Assert.Matches("[0-9]+ checks held, [0-9]+ do(es)? not apply", passed.Output);
        Assert.DoesNotContain("composite.gpus.count", passed.Output, StringComparison.Ordinal);
        Assert.Equal(1, failed.ExitCode);
        Assert.DoesNotContain("  weakened", failed.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_SEV_SNP_report_without_a_minimum_TCB_has_no_TCB_status()
    {
        string[] report = ["verify", "--cpu-evidence", Cases.PathOf("snp-without-minimum/report_milan.hex"), "--cpu-collateral", Cases.PathOf("snp-without-minimum/col"), "--at", "2024-06-01T00:00:00Z", "--dangerously-skip-revocation"];

        var text = s_assay.Run(report);
        var json = JsonNode.Parse(s_assay.Run([.. report, "--format", "json"]).Output)!;

        Assert.Equal(0, text.ExitCode);
        Assert.DoesNotContain("UpToDate", text.Output, StringComparison.Ordinal);
        Assert.Contains("TCB not judged", text.Output, StringComparison.Ordinal);
        Assert.Null(json["cpu"]!["tcbStatus"]);
        Assert.Contains(json["cpu"]!["findings"]!.AsArray(), finding => finding!["id"]!.GetValue<string>() == "revocation.chosen" && finding["state"]!.GetValue<string>() == "not-checked");
    }

    [Fact]
    public void Every_weakening_is_documented_and_no_other()
    {
        var documented = Explanations.All.Where(explanation => explanation.Document.StartsWith("docs/troubleshooting/weakenings.md#", StringComparison.Ordinal)).Select(explanation => explanation.Id);

        Assert.Equal(Weakening.Names.Order(StringComparer.Ordinal), documented.Order(StringComparer.Ordinal));
    }
}

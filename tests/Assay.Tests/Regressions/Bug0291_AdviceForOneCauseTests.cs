using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>291: a verdict advised what could not help, because the cure of a check named all of its causes, and the reason why a fetch failed stood far from what was missing.</summary>
public sealed class Bug0291_AdviceForOneCauseTests : IDisposable
{
    private static readonly AssayCommand s_assay = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-advice-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_log_beside_an_SNP_report_is_to_be_left_out()
    {
        var text = s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--event-log", Recorded.PathOf("cpu/dstack/quote-report.eventlog.json")).Output;

        Assert.Contains("Cure: Leave --event-log out", text, StringComparison.Ordinal);
        Assert.DoesNotContain("RTMR3", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Text_after_a_quote_is_to_be_cut_off()
    {
        var quote = Path.Combine(_folder, "quote.bin");
        File.WriteAllBytes(quote, [.. Recorded.Bytes("cpu/tdx/tdx_quote"), .. "text"u8]);

        var text = s_assay.Run("verify", "--cpu-evidence", quote).Output;

        Assert.Contains("Cure: Cut off what follows the quote", text, StringComparison.Ordinal);
        Assert.DoesNotContain("quote generation service", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("snp/dstack/report.bin", "2020-01-01T00:00:00Z", "State a time of the evidence with --at: from 2026-06-17T01:05:04Z on.")]
    [InlineData("snp/dstack/report.bin", "2100-01-01T00:00:00Z", "If it expired, ")]
    public void A_certificate_of_the_future_has_not_expired(string evidence, string at, string cure) =>
        Assert.Contains(cure, s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf($"cpu/{evidence}"), "--cpu-collateral", Amd(), "--dangerously-skip-revocation", "--at", at).Output, StringComparison.Ordinal);

    [Fact]
    public void A_report_without_a_product_cannot_be_asked_about()
    {
        var text = s_assay.Says(3, "verify", "--cpu-evidence", Cases.PathOf("snp-without-minimum/report_milan.hex"));

        Assert.Contains("does not name its product", text, StringComparison.Ordinal);
        Assert.DoesNotContain("--amd-url amd fetches", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Why_a_service_did_not_answer_stands_with_what_is_missing()
    {
        var text = s_assay.Says(3, "verify", "--cpu-evidence", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--amd-url", "http://127.0.0.1:1").Split('\n');

        var item = Array.FindIndex(text, line => line.StartsWith("  cpu   amd-crl", StringComparison.Ordinal));
        Assert.Contains("http://127.0.0.1:1", text[item + 1], StringComparison.Ordinal);
    }

    [Fact]
    public void Collateral_of_the_other_manufacturer_is_named()
    {
        Assert.Contains("collateral of Intel TDX, and the evidence is of AMD SEV-SNP", s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--cpu-collateral", Recorded.PathOf("cpu/tdx/tdx_quote_collateral.json")).Output, StringComparison.Ordinal);
        Assert.Contains("certificates of AMD, and the evidence is of Intel TDX", s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf("cpu/tdx/tdx_quote"), "--cpu-collateral", Amd()).Output, StringComparison.Ordinal);
    }

    private string Amd()
    {
        foreach (var file in new[] { "snp/dstack/vcek.der", "snp/dstack/sev_snp_ask.pem", "roots/ask_ark_milan.pem" })
        {
            File.Copy(Recorded.PathOf("cpu/" + file), Path.Combine(_folder, Path.GetFileName(file)), overwrite: true);
        }

        return _folder;
    }
}

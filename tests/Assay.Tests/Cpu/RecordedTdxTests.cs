using Assay.Appraisal;
using Assay.Evidence.Tdx;
using Assay.Reference;
using Assay.Trust;

namespace Assay.Tests.Cpu;

public class RecordedTdxTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("tdx/tdx_quote", "tdx_quote_collateral.json", "2025-07-01T00:00:00Z")]
    [InlineData("tdx/tdx_quote_outdated", "tdx_quote_outdated_collateral.json", "2026-03-01T00:00:00Z")]
    [InlineData("tdx/quote-from-tappd.hex", "tdx_quote_collateral.json", "2025-07-01T00:00:00Z")]
    [InlineData("tdx/go-tdx-guest/tdx_prod_quote_SPR_E4.dat", "go-tdx-guest/spr_e4_collateral_2023-06.json", "2023-07-01T00:00:00Z")]
    [InlineData("tdx/trustee/tdx_quote_4.dat", null, "2023-07-01T00:00:00Z")]
    [InlineData("dstack/quote-report.quote.bin", "tdx_quote_outdated_collateral.json", "2026-03-01T00:00:00Z")]
    [InlineData("dstack/guest-agent.quote.bin", null, "2026-03-01T00:00:00Z")]
    [InlineData("az-vtpm/az-tdx-vtpm/td-quote.bin", null, "2026-03-01T00:00:00Z")]
    public void Explore(string quote, string? collateral, string at)
    {
        var result = JudgedTdx.Recorded(quote, collateral, at).Result();
        foreach (var finding in result.Findings)
        {
            output.WriteLine($"{finding.State} {finding.Id}: {finding.Reason} | {finding.Found} | {finding.Expected}");
        }

        output.WriteLine($"{result.Passed} {result.Tcb?.Status} {string.Join(' ', result.Weakened)} {string.Join(' ', result.Missing)}");
    }
}

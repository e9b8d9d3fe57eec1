using Assay.Appraisal.Tdx;
using Assay.Evidence.Tdx;
using Assay.Reference.Intel;
using Assay.Trust;

namespace Assay.Tests.Cpu;

/// <summary>Recorded TDX quotes with Intel's own collateral. Verdicts of vectors/cpu/INDEX.md unless a row says otherwise.</summary>
public class RecordedTdxTests
{
    private const string Present = "tdx/tdx_quote", PresentCollateral = "tdx_quote_collateral.json";
    private const string Version5 = "tdx/tdx_quote_outdated", Later = "tdx_quote_outdated_collateral.json";
    private const string Old = "tdx/quote-from-tappd.hex";
    private const string Google = "tdx/go-tdx-guest/tdx_prod_quote_SPR_E4.dat", GoogleCollateral = "go-tdx-guest/spr_e4_collateral_2023-06.json";
    private const string Dstack = "dstack/quote-report.quote.bin";

    // Each row: before the window of its collateral, inside it, after it. A clock that is behind fails the floor as well (S-13).
    [Theory]
    [InlineData(Present, PresentCollateral, "2025-06-18T00:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current time.floor.respected")]
    [InlineData(Present, PresentCollateral, "2025-06-19T10:34:00Z", "")]
    [InlineData(Present, PresentCollateral, "2025-07-01T00:00:00Z", "")]
    [InlineData(Present, PresentCollateral, "2025-07-20T12:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current")]
    [InlineData(Version5, Later, "2026-02-17T00:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current tdx.tcb.platform.accepted time.floor.respected")]
    [InlineData(Version5, Later, "2026-03-01T00:00:00Z", "tdx.tcb.platform.accepted")]
    [InlineData(Version5, Later, "2026-03-21T12:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current tdx.tcb.platform.accepted")]
    [InlineData(Old, PresentCollateral, "2025-06-18T00:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current tdx.tcb.platform.accepted time.floor.respected")]
    [InlineData(Old, PresentCollateral, "2025-07-01T00:00:00Z", "tdx.tcb.platform.accepted")]
    [InlineData(Old, PresentCollateral, "2025-07-20T12:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current tdx.tcb.platform.accepted")]
    [InlineData(Google, GoogleCollateral, "2023-06-17T00:00:00Z", "tdx.tcb-info.current tdx.tcb.platform.accepted tdx.sept-ve.disabled time.floor.respected")]
    [InlineData(Google, GoogleCollateral, "2023-07-01T00:00:00Z", "tdx.tcb.platform.accepted tdx.sept-ve.disabled")]
    [InlineData(Google, GoogleCollateral, "2023-07-19T12:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current tdx.tcb.platform.accepted tdx.sept-ve.disabled")]
    [InlineData(Dstack, Later, "2026-02-17T00:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current time.floor.respected")]
    [InlineData(Dstack, Later, "2026-03-01T00:00:00Z", "")]
    [InlineData(Dstack, Later, "2026-03-21T12:00:00Z", "tdx.chain.status-current tdx.tcb-info.current tdx.qe-identity.current")]
    public void A_recorded_quote_gets_the_verdict_of_its_day(string quote, string collateral, string at, string failed)
    {
        var result = JudgedTdx.Recorded(quote, collateral, at).Result();

        Assert.NotNull(result.Quote);
        Assert.True(failed == string.Join(" ", JudgedTdx.Failed(result.Findings)), string.Join(" ", JudgedTdx.Failed(result.Findings)));
        Assert.Equal(failed.Length == 0, result.Passed);
        Assert.Equal(TdxAppraisal.CheckIds, result.Findings.Select(finding => finding.Id));
    }

    [Theory]
    [InlineData(Present, PresentCollateral, "2025-07-01T00:00:00Z", TcbStatus.UpToDate, TcbStatus.UpToDate, TcbStatus.UpToDate)]
    [InlineData(Dstack, Later, "2026-03-01T00:00:00Z", TcbStatus.UpToDate, TcbStatus.UpToDate, TcbStatus.UpToDate)]
    [InlineData(Version5, Later, "2026-03-01T00:00:00Z", null, TcbStatus.UpToDate, TcbStatus.UpToDate)]
    [InlineData(Old, PresentCollateral, "2025-07-01T00:00:00Z", null, TcbStatus.UpToDate, TcbStatus.UpToDate)]
    // The module of TDX 1.0 has no levels of its own.
    [InlineData(Google, GoogleCollateral, "2023-07-01T00:00:00Z", null, null, TcbStatus.UpToDate)]
    public void The_three_parts_of_a_TCB_are_judged_apart(string quote, string collateral, string at, TcbStatus? platform, TcbStatus? module, TcbStatus? enclave)
    {
        var tcb = JudgedTdx.Recorded(quote, collateral, at).Result().Tcb!;

        Assert.Equal((platform, module, enclave), (tcb.Platform?.Status, tcb.Module?.Status, tcb.QuotingEnclave?.Status));
        Assert.Equal(platform ?? TcbStatus.None, tcb.Status);
        Assert.Empty(tcb.AdvisoryIds);
    }

    // No collateral of their time was recorded: the signatures verify, and what is missing is named. The index names no verdict for
    // trustee's and Azure's; the former has DEBUG
    // set and the latter SEPT_VE_DISABLE clear by their bytes (TDATTRIBUTES 10000001 and 0), read by hand.
    [Theory]
    [InlineData("tdx/trustee/tdx_quote_4.dat", "tdx.debug.off")]
    [InlineData("dstack/guest-agent.quote.bin", "")]
    [InlineData("az-vtpm/az-tdx-vtpm/td-quote.bin", "tdx.sept-ve.disabled")]
    public void A_quote_without_collateral_is_authentic_and_no_more(string quote, string failed)
    {
        var result = JudgedTdx.Recorded(quote, null, "2026-03-01T00:00:00Z").Result();

        Assert.NotNull(result.Quote);
        Assert.False(result.Passed);
        Assert.True(failed == string.Join(" ", JudgedTdx.Failed(result.Findings)), string.Join(" ", JudgedTdx.Failed(result.Findings)));
        Assert.Equal(["pck-crl", "qe-identity", "root-crl", "tcb-info"], result.Missing);
        Assert.Equal(TcbStatus.None, result.Tcb!.Status);
    }

    [Fact]
    public void What_was_waived_is_named()
    {
        var result = JudgedTdx.Recorded(Present, PresentCollateral, "2025-07-01T00:00:00Z").Result();

        Assert.True(result.Passed);
        Assert.Equal(["tdx-no-reference-values", "tdx-no-report-data", "time-stated"], result.Weakened);
    }

    [Fact]
    public void Text_behind_a_quote_is_no_padding()
    {
        // The file of go-tdx-guest ends with 39 bytes of text. Zero bytes there would be padding.
        var file = Recorded.Bytes("cpu/" + Google);

        Assert.False(TdxQuote.TryParse(file, out _, out var fault));
        Assert.StartsWith("quote: 39 bytes of text follow it", $"{fault.Field}: {fault.Problem}", StringComparison.Ordinal);
        Assert.True(TdxQuote.TryParse(file.AsSpan(0, 4935), out _, out _));
        Assert.False(TdxQuote.TryParse(file.AsSpan(0, 4934), out _, out _));
    }

    [Fact]
    public void A_bare_TD_report_is_no_quote()
    {
        Assert.False(TdxQuote.TryParse(Recorded.Bytes("cpu/tdx/go-tdx-guest/report.dat"), out _, out var fault));
        Assert.Equal("version", fault.Field);
    }

    [Theory]
    [InlineData("sample_tcbInfo_response", IntelStatementKind.TcbInfo, "tcbInfoIssuerChain.pem")]
    [InlineData("sample_qeIdentity_response", IntelStatementKind.QeIdentity, "qeIdentityIssuerChain.pem")]
    public void A_body_of_Intels_service_is_cut_and_verified_as_it_stands(string body, IntelStatementKind kind, string chain)
    {
        const string folder = "cpu/tdx/go-tdx-guest/";
        var bytes = Recorded.Bytes(folder + body);

        Assert.True(IntelStatement.TryParseBody(bytes.AsSpan().TrimEnd("\n"u8), Recorded.Bytes(folder + chain), kind, out var statement, out var fault), fault?.ToString());
        var (authentic, chainFault, signatureFault) = AuthenticStatement.Authenticate(statement, TrustSet.BuiltIn, new VerifierCache());

        Assert.True(authentic is not null, chainFault ?? signatureFault);
        Assert.True(kind is IntelStatementKind.TcbInfo
            ? TcbInfo.TryParse(authentic.Content.Span, out _, out fault)
            : QeIdentity.TryParse(authentic.Content.Span, out _, out fault), fault?.ToString());
    }

    [Fact]
    public void The_pinned_root_is_the_recorded_one()
    {
        Assert.True(Certificate.TryParse(Recorded.Bytes("cpu/roots/intel_sgx_root_ca.der"), out var root, out var fault), fault?.ToString());

        Assert.True(Assert.Single(TrustSet.BuiltIn.IntelAnchors).Is(root));
    }

    [Fact]
    public void A_set_without_Intels_root_believes_no_quote()
    {
        var result = (JudgedTdx.Recorded(Present, PresentCollateral, "2025-07-01T00:00:00Z") with { Trust = TrustSet.Nvidia }).Result();

        Assert.Null(result.Quote);
        Assert.Equal(["tdx.chain.trusted"], JudgedTdx.Failed(result.Findings));
    }
}

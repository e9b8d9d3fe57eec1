using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Regressions;

/// <summary>250: the sample quote that Google publishes ends with a line of text. It was refused as "trailing bytes", and nothing accepted it.</summary>
public sealed class Bug0250_TextAfterAQuoteTests
{
    private const string Flag = "--dangerously-accept-text-after-quote";
    private const string Google = "cpu/tdx/go-tdx-guest/tdx_prod_quote_SPR_E4.dat", GoogleCollateral = "cpu/tdx/go-tdx-guest/spr_e4_collateral_2023-06.json";
    private static readonly AssayCommand s_assay = new();
    private static readonly JudgedTdx s_judged = SimulatedCpu.Tdx(5, true);
    private static readonly byte[] s_quote = WithoutPadding(s_judged.Quote);

    [Fact]
    public void Without_the_flag_the_fault_says_what_is_behind_the_quote_and_names_the_flag()
    {
        Assert.False(TdxQuote.TryParse([.. s_quote, .. "\nmade on Monday\n"u8], out _, out var fault));

        Assert.Equal($"quote: 16 bytes of text follow it, which nobody signed (\"made on Monday\"): cut them off, or accept them with {Flag} and --at", $"{fault.Field}: {fault.Problem}");
    }

    [Fact]
    public void With_it_the_quote_is_the_same_and_the_text_is_apart()
    {
        Assert.True(TdxQuote.TryParse(s_quote, out var bare, out _));
        Assert.True(TdxQuote.TryParse([.. s_quote, .. "\r\nmade on Monday"u8], dangerouslyAcceptTextAfter: true, out var quote, out var fault), fault?.ToString());

        Assert.Equal(bare.Bytes.ToArray(), quote.Bytes.ToArray());
        Assert.Equal(bare.SignedBytes.ToArray(), quote.SignedBytes.ToArray());
        Assert.Equal("\r\nmade on Monday"u8.ToArray(), quote.TextAfter.ToArray());
        Assert.True(bare.TextAfter.IsEmpty);
        Assert.True(TdxQuote.TryParse([.. s_quote, .. new byte[64]], dangerouslyAcceptTextAfter: true, out quote, out _));
        Assert.True(quote.TextAfter.IsEmpty);
    }

    [Fact]
    public void Text_is_printable_and_short()
    {
        Assert.True(TdxQuote.TryParse([.. s_quote, .. Enumerable.Repeat((byte)'a', 256)], dangerouslyAcceptTextAfter: true, out _, out _));
        foreach (byte[] behind in (byte[][])[[.. Enumerable.Repeat((byte)'a', 257)], [0x1B], [.. "ab"u8, 0], [0, .. "ab"u8], [0xC3, 0xA4], [0x7F], [9]])
        {
            Assert.False(TdxQuote.TryParse([.. s_quote, .. behind], dangerouslyAcceptTextAfter: true, out _, out var fault), Convert.ToHexString(behind));
            Assert.Equal("quote", fault.Field);
        }
    }

    [Theory]
    [InlineData(TimeSource.Stated, true, VerdictKind.Pass)]
    [InlineData(TimeSource.Stated, false, VerdictKind.Fail)]
    // A machine that answers now has no recording to excuse.
    [InlineData(TimeSource.System, true, VerdictKind.Fail)]
    public async Task It_is_accepted_by_name_at_a_stated_time_alone_and_weakens(TimeSource source, bool accepted, VerdictKind expected)
    {
        var verdict = await JudgeAsync([.. s_quote, .. "text"u8], source, accepted);

        Assert.True(expected == verdict.Kind, string.Join(' ', JudgedTdx.Failed(verdict.Machine!.Parts.Cpu!.Findings)));
        Assert.Equal(expected is VerdictKind.Pass, verdict.Weakened.Contains("tdx-text-after-quote-accepted"));
    }

    [Fact]
    public async Task An_allowance_that_nothing_needs_weakens_nothing() =>
        Assert.DoesNotContain("tdx-text-after-quote-accepted", (await JudgeAsync([.. s_quote, 0, 0], TimeSource.Stated, accepted: true)).Weakened);

    // Their neighbours: nobody publishes a report with text behind it, so it stays a fault that says how long it should be.
    [Fact]
    public void Text_behind_a_report_stays_refused()
    {
        var report = SimulatedCpu.Snp(SnpLine.Genoa, 5, false).Report;

        Assert.False(SnpReport.TryParse([.. report, .. "text"u8], out _, out _));
        Assert.False(ProcessorEvidence.TryParse([.. report, .. "text"u8], "report.bin", out _, out var fault));
        Assert.Contains("an SNP report of 1,188 bytes, 1,184 are expected", fault.Problem, StringComparison.Ordinal);
        var device = DeviceReport();
        Assert.False(Assay.Evidence.Spdm.SpdmReport.TryParse([.. device, .. "text"u8], out _, out fault));
        Assert.Contains("trailing", fault.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void The_command_refuses_the_flag_without_at_and_says_in_the_verdict_what_it_accepted()
    {
        string[] command = ["verify", "--cpu-evidence", Recorded.PathOf(Google), "--cpu-collateral", Recorded.PathOf(GoogleCollateral), "--dangerously-accept-sept-ve"];

        Assert.Contains("extra bytes(only for testing purpose)", s_assay.Says(2, [.. command, "--at", "2023-07-01T00:00:00Z"]), StringComparison.Ordinal);
        Assert.Contains($"cli.at: {Flag}", s_assay.Says(2, [.. command, Flag]), StringComparison.Ordinal);

        // Its platform is older than every level of its collateral (vectors/cpu/INDEX.md): that is what remains.
        var verdict = JsonNode.Parse(s_assay.Says(1, [.. command, Flag, "--at", "2023-07-01T00:00:00Z", "--format", "json"]))!;
        Assert.Contains("tdx-text-after-quote-accepted", verdict["weakened"]!.AsArray().Select(item => item!.GetValue<string>()));
        Assert.Contains("\"extra bytes(only for testing purpose)\"", s_assay.Says(0, "inspect", Recorded.PathOf(Google)), StringComparison.Ordinal);
    }

    private static async Task<Verdict> JudgeAsync(byte[] quote, TimeSource source, bool accepted)
    {
        var evidence = new MachineEvidence { Devices = [], Cpu = new ProcessorEvidence { Source = "quote.bin", Kind = ProcessorEvidenceKind.TdxQuote, Bytes = quote } };
        var basis = new TrustBasis(new EvaluationTime(s_judged.At, source), s_judged.Trust, RevocationChecking.Required);
        var appraiser = new MachineAppraiser(CollateralSources.None, new VerifierCache()) { Given = new ProcessorCollateral { Tdx = s_judged.Collateral } };
        return await appraiser.AppraiseAsync(evidence, new MachineExpectations { Basis = basis, RequireProcessor = true, DangerouslyAcceptTextAfterQuote = accepted }, cancellation: TestContext.Current.CancellationToken);
    }

    private static byte[] WithoutPadding(byte[] quote) => TdxQuote.TryParse(quote, out var parsed, out var fault) ? parsed.Bytes.ToArray() : throw new InvalidOperationException($"{fault}");

    private static byte[] DeviceReport()
    {
        Assert.True(EvidenceFile.TryParse(File.ReadAllBytes(Path.Combine(Repository.Root, "vectors", "simulated", "ls10", "switch_evidence.json")), "file", out var devices, out _));
        return devices[0].Report.ToArray();
    }
}

using System.Collections.Concurrent;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Upstreams;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Collateral;

/// <summary>Processors go the road of GPUs: authenticated, then asked what they need, then fetched for, then judged.</summary>
public sealed class MachineAppraiserTests(ProcessorServices services) : IClassFixture<ProcessorServices>
{
    private static readonly AssayCommand s_assay = new();

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_quote_is_judged_by_what_Intel_answers_and_each_item_is_asked_for_once()
    {
        var asked = new ConcurrentBag<string>();
        await using var upstream = await AskedAsync(asked);

        var verdict = await JudgeAsync(upstream, services.Tdx.Quote);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.DoesNotContain(verdict.Machine!.Parts.ProcessorFindings, finding => finding.Cause is NotCheckedCause.Missing);
        Assert.Equal(["/root.der", "/sgx/certification/v4/pckcrl", "/tdx/certification/v4/qe/identity", "/tdx/certification/v4/tcb"], asked.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_report_is_judged_by_what_AMD_answers()
    {
        var asked = new ConcurrentBag<string>();
        await using var upstream = await AskedAsync(asked);

        var verdict = await JudgeAsync(upstream, services.Turin.Report);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Equal(3, asked.Count);
    }

    [Fact]
    public async Task Nothing_is_fetched_for_a_forged_quote()
    {
        var asked = new ConcurrentBag<string>();
        await using var upstream = await AskedAsync(asked);
        var forged = services.Tdx.Quote.ToArray();
        forged[60] ^= 1;

        var verdict = await JudgeAsync(upstream, forged);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Empty(asked);
    }

    [Fact]
    public async Task A_forged_report_is_no_pass_whatever_AMD_answers()
    {
        await using var upstream = await services.UpstreamAsync();
        var forged = services.Turin.Report.ToArray();
        forged[0x90] ^= 1;

        Assert.Equal(VerdictKind.Fail, (await JudgeAsync(upstream, forged)).Kind);
    }

    [Fact]
    public async Task Without_revocation_no_list_is_asked_for()
    {
        var asked = new ConcurrentBag<string>();
        await using var upstream = await AskedAsync(asked);

        var verdict = await JudgeAsync(upstream, services.Tdx.Quote, revocation: RevocationChecking.DangerouslySkipped);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Contains("tdx-revocation-skipped", verdict.Weakened);
        Assert.Equal(["/tdx/certification/v4/qe/identity", "/tdx/certification/v4/tcb"], asked.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("/tdx/certification/v4/tcb", "tdx.tcb-info.available")]
    [InlineData("/tdx/certification/v4/qe/identity", "tdx.qe-identity.available")]
    [InlineData("/sgx/certification/v4/pckcrl", "tdx.chain.not-revoked")]
    [InlineData("/root.der", "tdx.chain.not-revoked")]
    public async Task What_Intel_does_not_answer_is_missing_and_says_where_it_was_asked_for(string path, string id)
    {
        await using var upstream = await services.UpstreamAsync((request, answer) => request.Path == path ? new SimulatedAnswer(404, "text/plain", ReadOnlyMemory<byte>.Empty, []) : answer);

        var verdict = await JudgeAsync(upstream, services.Tdx.Quote);

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        var missing = verdict.Machine!.Parts.ProcessorFindings.First(finding => finding.Id == id);
        Assert.Equal(NotCheckedCause.Missing, missing.Cause);
        Assert.Contains(upstream.Text + path, missing.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/tdx/certification/v4/tcb")]
    [InlineData("/tdx/certification/v4/qe/identity")]
    [InlineData("/sgx/certification/v4/pckcrl")]
    [InlineData("/root.der")]
    public async Task An_answer_that_was_altered_is_never_a_pass(string path)
    {
        await using var upstream = await services.UpstreamAsync((request, answer) => request.Path == path ? answer with { Body = Altered(answer.Body) } : answer);

        Assert.NotEqual(VerdictKind.Pass, (await JudgeAsync(upstream, services.Tdx.Quote)).Kind);
    }

    [Fact]
    public async Task Given_collateral_counts_before_what_is_fetched_and_the_rest_is_fetched()
    {
        var asked = new ConcurrentBag<string>();
        await using var upstream = await AskedAsync(asked);
        Assert.True(Endorsements.TdxCollateral.TryParse(services.Tdx.Collateral, out var all, out _));

        var verdict = await JudgeAsync(upstream, services.Tdx.Quote, given: new() { Tdx = new() { TcbInfo = all.TcbInfo, QeIdentity = all.QeIdentity } });

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
    }

    [Theory]
    [InlineData("--intel-url")]
    [InlineData("--collateral-url")]
    public async Task The_command_fetches_Intels_collateral(string option)
    {
        var folder = services.NewFolder();
        var (quote, anchors) = (Path.Combine(folder, "quote.bin"), Path.Combine(folder, "anchors.json"));
        await File.WriteAllBytesAsync(quote, services.Tdx.Quote, Cancellation);
        await File.WriteAllBytesAsync(anchors, CpuAnchors.ToJson("tests", services.Intel, services.Amd), Cancellation);
        await using var upstream = await services.UpstreamAsync();
        string[] verify = ["verify", "--cpu-evidence", quote, "--anchors", anchors, "--at", Utc.Text(ProcessorServices.Now)];

        Assert.Contains("PASS", s_assay.Says(0, [.. verify, option, upstream.Text]), StringComparison.Ordinal);
        Assert.Contains("tcb-info", s_assay.Says(3, [.. verify, "--amd-url", upstream.Text, "--format", "json"]), StringComparison.Ordinal);
        Assert.Contains("intel names Intel's", s_assay.Says(2, [.. verify, "--intel-url", "ftp://x"]), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_without_a_challenge_is_a_mistake_of_the_caller()
    {
        var evidence = new MachineEvidence { Devices = [], Key = "{}"u8.ToArray() };

        await Assert.ThrowsAsync<ArgumentException>(() => new MachineAppraiser(CollateralSources.None, new VerifierCache()).AppraiseAsync(evidence, Expected(RevocationChecking.Required), cancellation: Cancellation));
    }

    [Fact]
    public async Task Nothing_shown_is_no_pass()
    {
        var verdict = await new MachineAppraiser(CollateralSources.None, new VerifierCache()).AppraiseAsync(new MachineEvidence { Devices = [] }, Expected(RevocationChecking.Required), cancellation: Cancellation);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
    }

    private static byte[] Altered(ReadOnlyMemory<byte> body)
    {
        var bytes = body.ToArray();
        bytes[bytes.Length / 2] ^= 1;
        return bytes;
    }

    private Task<Loopback> AskedAsync(ConcurrentBag<string> asked) => services.UpstreamAsync((request, answer) =>
    {
        asked.Add(request.Path.Value!);
        return answer;
    });

    private async Task<Verdict> JudgeAsync(Loopback upstream, ReadOnlyMemory<byte> cpu, RevocationChecking revocation = RevocationChecking.Required, Endorsements.ProcessorCollateral? given = null)
    {
        Assert.True(ProcessorEvidence.TryParse(cpu.Span, "evidence", out var evidence, out var fault), fault?.ToString());
        using var http = new HttpUpstream(new UpstreamOptions { Intel = upstream.Address, IntelRootCrl = Loopback.Addressed(upstream.Text + "/root.der"), Amd = upstream.Address, Http = Loopback.Patient });
        var appraiser = new MachineAppraiser(new CollateralSources { Intel = http, Amd = http }, new VerifierCache()) { Given = given };
        return await appraiser.AppraiseAsync(new MachineEvidence { Devices = [], Cpu = evidence }, Expected(revocation), cancellation: Cancellation);
    }

    private MachineExpectations Expected(RevocationChecking revocation) => new()
    {
        Basis = new TrustBasis(new EvaluationTime(ProcessorServices.Now, TimeSource.System), services.Trust, revocation),
        ReportData = ReportData.TryCreate(services.ReportData, out var data) ? data : null,
    };
}

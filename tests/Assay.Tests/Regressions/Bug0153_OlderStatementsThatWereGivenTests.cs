using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Intel;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>TCB information and identities that were given hid later ones that were fetched: a recovery of the TCB went unseen.</summary>
public sealed class Bug0153_OlderStatementsThatWereGivenTests(ProcessorServices services) : IClassFixture<ProcessorServices>
{
    private const string Info = "/tdx/certification/v4/tcb";
    private const string Identity = "/tdx/certification/v4/qe/identity";

    [Theory]
    [InlineData("standard", "early")]
    [InlineData("early", "standard")]
    [InlineData("early", "early")]
    public async Task Of_two_that_verify_the_one_with_the_higher_number_is_used(string given, string fetched)
    {
        var verdict = await JudgeAsync(Given(given), fetched);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.All(Numbers(verdict), number => Assert.Equal($"{SimulatedPcs.NumberOf("early")}", number));
    }

    [Fact]
    public async Task A_later_one_that_is_forged_spoils_nothing()
    {
        var verdict = await JudgeAsync(Given("standard"), "early", body =>
        {
            // The last digit of the signature.
            var forged = body.ToArray();
            forged[^3] = (byte)(forged[^3] == '0' ? '1' : '0');
            return forged;
        });

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.All(Numbers(verdict), number => Assert.Equal($"{SimulatedPcs.NumberOf("standard")}", number));
    }

    private static string[] Numbers(Verdict verdict) =>
        [.. new[] { "tdx.tcb-info.number.met", "tdx.qe-identity.number.met" }.Select(id => verdict.Machine!.Parts.ProcessorFindings.Single(finding => finding.Id == id).Found!)];

    private ProcessorCollateral Given(string channel) => new()
    {
        Tdx = new TdxCollateral { TcbInfo = Statement(Ask(services.Pcs, Info, channel), IntelStatementKind.TcbInfo), QeIdentity = Statement(Ask(services.Pcs, Identity, channel), IntelStatementKind.QeIdentity) },
    };

    private static SimulatedAnswer Ask(SimulatedPcs pcs, string path, string channel) => pcs.Get(path, name => name == "update" ? channel : name == "fmspc" ? pcs.Fmspc : null);

    private static IntelStatement Statement(SimulatedAnswer answer, IntelStatementKind kind)
    {
        var chain = System.Text.Encoding.ASCII.GetBytes(Uri.UnescapeDataString(answer.Headers.Single().Value));
        Assert.True(IntelStatement.TryParseBody(answer.Body.Span, chain, kind, out var statement, out var fault), fault?.ToString());
        return statement;
    }

    private async Task<Verdict> JudgeAsync(ProcessorCollateral given, string fetched, Func<ReadOnlyMemory<byte>, byte[]>? forge = null)
    {
        await using var upstream = await services.UpstreamAsync((request, answer) => request.Path.Value is Info or Identity
            ? Ask(services.Pcs, request.Path.Value, fetched) is var sent && forge is null ? sent : sent with { Body = forge!(sent.Body) }
            : answer);
        Assert.True(ProcessorEvidence.TryParse(services.Tdx.Quote, "evidence", out var evidence, out var fault), fault?.ToString());
        using var http = new HttpUpstream(new UpstreamOptions { Intel = upstream.Address, IntelRootCrl = Loopback.Addressed(upstream.Text + "/root.der"), Http = Loopback.Patient });
        var expected = new MachineExpectations
        {
            Basis = new TrustBasis(new EvaluationTime(ProcessorServices.Now, TimeSource.System), services.Trust, RevocationChecking.Required),
            ReportData = ReportData.TryCreate(services.ReportData, out var data) ? data : null,
        };
        return await new MachineAppraiser(new CollateralSources { Intel = http }, new VerifierCache()) { Given = given }
            .AppraiseAsync(new MachineEvidence { Devices = [], Cpu = evidence }, expected, cancellation: TestContext.Current.CancellationToken);
    }
}

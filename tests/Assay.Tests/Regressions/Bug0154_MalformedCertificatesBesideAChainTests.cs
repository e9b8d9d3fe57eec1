using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tests.Collateral;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>A service that answered a malformed VCEK failed a report whose complete chain was given: one who withholds could also spoil.</summary>
public sealed class Bug0154_MalformedCertificatesBesideAChainTests(ProcessorServices services) : IClassFixture<ProcessorServices>
{
    [Theory]
    [InlineData("VCEK", true)]
    [InlineData("cert_chain", true)]
    [InlineData("VCEK", false)]
    [InlineData("cert_chain", false)]
    public async Task What_is_malformed_says_nothing_about_a_chain_that_is_complete(string what, bool isGiven)
    {
        byte[] malformed = [0x30, 0x03, 0x02, 0x01, 0x00];
        await using var upstream = await services.UpstreamAsync((request, answer) =>
            (what == "cert_chain") == request.Path.Value!.EndsWith("cert_chain", StringComparison.Ordinal) && !request.Path.Value.EndsWith("crl", StringComparison.Ordinal) ? answer with { Body = malformed } : answer);
        Assert.True(ProcessorEvidence.TryParse(services.Turin.Report, "evidence", out var evidence, out var fault), fault?.ToString());
        using var http = new HttpUpstream(new UpstreamOptions { Amd = upstream.Address, Http = Loopback.Patient });
        var expected = new MachineExpectations
        {
            Basis = new TrustBasis(new EvaluationTime(ProcessorServices.Now, TimeSource.System), services.Trust, RevocationChecking.Required),
            ReportData = ReportData.TryCreate(services.ReportData, out var data) ? data : null,
        };
        var given = isGiven ? new ProcessorCollateral { Snp = new SnpCollateral { Certificates = [.. services.Turin.Certificates.Select(der => (ReadOnlyMemory<byte>)der)] } } : null;

        var verdict = await new MachineAppraiser(new CollateralSources { Amd = http }, new VerifierCache()) { Given = given }
            .AppraiseAsync(new MachineEvidence { Devices = [], Cpu = evidence }, expected, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal(isGiven, verdict.Kind is VerdictKind.Pass);
    }
}

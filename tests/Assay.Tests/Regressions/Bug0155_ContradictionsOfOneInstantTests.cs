using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Tests.Collateral;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Regressions;

/// <summary>Of two answers or lists of one thisUpdate that contradict each other the first counted, so that their order decided.</summary>
public sealed class Bug0155_ContradictionsOfOneInstantTests(NvidiaServices nvidia, ProcessorServices processors) : IClassFixture<NvidiaServices>, IClassFixture<ProcessorServices>
{
    public static TheoryData<string, string> FromGoodToWorst => new()
    {
        { "good", "hold" }, { "good", "unknown" }, { "good", "revoked" }, { "hold", "unknown" }, { "hold", "revoked" }, { "unknown", "revoked" }, { "good", "never issued" }, { "unknown", "never issued" },
    };

    [Theory]
    [MemberData(nameof(FromGoodToWorst))]
    public void Of_two_OCSP_answers_the_worse_counts(string better, string worse)
    {
        var (one, other) = (Authentic(better), Authentic(worse));

        Assert.True(one.IsOlderThan(other));
        Assert.False(other.IsOlderThan(one));
        Assert.False(other.IsOlderThan(other));
    }

    [Theory]
    [InlineData("a", "b")]
    [InlineData("b", "a")]
    public void A_folder_of_answers_gives_the_one_that_revokes(string good, string revoked)
    {
        var folder = processors.NewFolder();
        File.WriteAllBytes(Path.Combine(folder, good), SimulatedOcsp.Respond(AnswerOf("good")));
        File.WriteAllBytes(Path.Combine(folder, revoked), SimulatedOcsp.Respond(AnswerOf("revoked")));
        var query = NvidiaServices.Query(nvidia.Brom);

        var found = new DirectoryOcspStore(folder).Find(Assay.Trust.Revocation.OcspCertId.For(query.Certificate, query.Issuer, OcspHash.Sha1));

        Assert.True(OcspResponse.TryParse(found[0].Body.Span, out var response, out _));
        Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Revoked, response.Basic!.Responses.Single().Status.Status);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Of_two_lists_the_one_that_revokes_counts(bool revokedFirst)
    {
        var (clean, revoking) = (List(), List(processors.Tdx.Pck));
        var (first, second) = revokedFirst ? (revoking, clean) : (clean, revoking);
        Assert.True(Certificate.TryParse(processors.Tdx.Pck.Der, out var subject, out _));
        Assert.True(Certificate.TryParse(processors.Tdx.PckAuthority.Der, out var issuer, out _));
        var judge = new CrlJudge(new TrustBasis(new EvaluationTime(ProcessorServices.Now, TimeSource.System), processors.Trust, RevocationChecking.Required), new VerifierCache());

        var outcomes = judge.Revocation([new CrlQuery(subject, issuer, first, "the list", [second])]);

        Assert.Equal(CheckState.Failed, outcomes.NotRevoked.State);
        Assert.Contains("revoked at", outcomes.NotRevoked.Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a.crl", "b.crl")]
    [InlineData("b.crl", "a.crl")]
    public void Of_a_folder_with_two_lists_of_one_instant_the_one_that_revokes_counts(string clean, string revoking)
    {
        var folder = processors.NewFolder();
        File.WriteAllBytes(Path.Combine(folder, clean), List());
        File.WriteAllBytes(Path.Combine(folder, revoking), List(processors.Tdx.Pck));
        Assert.True(Assay.Evidence.Files.ProcessorEvidence.TryParse(processors.Tdx.Quote, "evidence", out var evidence, out _));
        Assert.True(ProcessorCollateralFiles.TryRead(folder, evidence, out var collateral, out var whyNot), whyNot);
        Assert.True(Certificate.TryParse(processors.Tdx.Pck.Der, out var subject, out _));
        Assert.True(Certificate.TryParse(processors.Tdx.PckAuthority.Der, out var issuer, out _));
        var judge = new CrlJudge(new TrustBasis(new EvaluationTime(ProcessorServices.Now, TimeSource.System), processors.Trust, RevocationChecking.Required), new VerifierCache());

        var outcomes = judge.Revocation([new CrlQuery(subject, issuer, collateral.Tdx.PckCrl, "the list", collateral.Tdx.OtherPckCrls)]);

        Assert.Contains("revoked at", outcomes.NotRevoked.Reason, StringComparison.Ordinal);
    }

    private byte[] List(params CpuCertificate[] revoked) =>
        processors.Tdx.PckAuthority.IssueCrl(1, ProcessorServices.Now.AddDays(-10), ProcessorServices.Now.AddDays(20), revoked);

    private OcspAnswer AnswerOf(string status)
    {
        var good = NvidiaServices.Good(nvidia.Brom);
        var revoked = good with { Status = Assay.Simulator.CertificateStatus.Revoked, RevokedAt = good.ThisUpdate, Reason = Assay.Simulator.RevocationReason.KeyCompromise };
        return status switch
        {
            "good" => good,
            "unknown" => good with { Status = Assay.Simulator.CertificateStatus.Unknown },
            "hold" => revoked with { Reason = Assay.Simulator.RevocationReason.CertificateHold },
            "never issued" => revoked with { Reason = Assay.Simulator.RevocationReason.CertificateHold, RevokedAt = DateTimeOffset.UnixEpoch },
            _ => revoked,
        };
    }

    private AuthenticOcspAnswer Authentic(string status)
    {
        var query = NvidiaServices.Query(nvidia.Brom);
        Assert.True(OcspResponse.TryParse(SimulatedOcsp.Respond(AnswerOf(status)), out var response, out var fault), fault?.ToString());
        Assert.True(AuthenticOcspAnswer.TryAuthenticate(response, query.Certificate, query.Issuer, nvidia.Expectations.Basis.Trust.Kind, new VerifierCache(), out var answer, out var whyNot), whyNot);
        return answer;
    }
}

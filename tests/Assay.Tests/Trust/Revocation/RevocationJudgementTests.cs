using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Trust.Revocation;

public class RevocationJudgementTests
{
    private static readonly Identity s_root = Identity.Root("Assay Test CA");
    private static readonly Identity s_device = s_root.Issue("device", Identity.Signs);
    private static readonly Single s_good = new(s_device.Certificate, s_root.Certificate);

    [Theory]
    [InlineData(0, RevocationState.Good)]
    [InlineData(-300, RevocationState.Good)]
    [InlineData(-301, RevocationState.NotYetValid)]
    [InlineData(86_400, RevocationState.Good)]
    [InlineData(86_401, RevocationState.Expired)]
    public void An_answer_holds_from_thisUpdate_to_nextUpdate(int seconds, RevocationState expected) =>
        Assert.Equal(expected, State(new Answer(s_root, s_good), seconds));

    [Theory]
    [InlineData(3600, RevocationState.Good)]
    [InlineData(3601, RevocationState.Expired)]
    public void An_answer_without_nextUpdate_holds_for_an_hour(int seconds, RevocationState expected)
    {
        var answer = new Answer(s_root, s_good with { NextUpdate = null });

        Assert.Equal(expected, State(answer, seconds));
        Assert.Equal(Forge.Now + TimeSpan.FromHours(1), Authentic(answer).ValidUntil);
    }

    [Fact]
    public void An_answer_may_be_older_than_the_relying_party_allows()
    {
        Assert.Equal(RevocationState.Good, State(new Answer(s_root, s_good), 60, TimeSpan.FromSeconds(60)));
        Assert.Equal(RevocationState.TooOld, State(new Answer(s_root, s_good), 61, TimeSpan.FromSeconds(60)));
        Assert.Equal(RevocationState.Good, State(new Answer(s_root, s_good), 61, TimeSpan.MaxValue));
    }

    [Fact]
    public void An_answer_signed_before_it_could_be_known_is_inconsistent()
    {
        Assert.Equal(RevocationState.Good, State(new Answer(s_root, s_good) { ProducedAt = Forge.Now - TimeSpan.FromSeconds(300) }, 0));
        Assert.Equal(RevocationState.Inconsistent, State(new Answer(s_root, s_good) { ProducedAt = Forge.Now - TimeSpan.FromSeconds(301) }, 0));
        Assert.Equal(RevocationState.NotYetValid, State(new Answer(s_root, s_good) { ProducedAt = Forge.Now + TimeSpan.FromSeconds(301) }, 0));
    }

    [Fact]
    public void A_delegate_must_be_valid_now_and_when_it_signed()
    {
        var begin = Forge.Now - TimeSpan.FromHours(1);
        var end = Forge.Now + TimeSpan.FromHours(1);
        var responder = s_root.Issue("responder", begin, end, Identity.Signs, Identity.OcspSigning, Identity.NoCheck);
        var answer = new Answer(responder, s_good) { Certificates = [responder.Certificate] };
        var early = answer with { ProducedAt = begin - TimeSpan.FromSeconds(301), Singles = [s_good with { ThisUpdate = begin - TimeSpan.FromSeconds(301) }] };

        Assert.Equal(RevocationState.Good, State(answer, 3600));
        Assert.Equal(RevocationState.ResponderNotValid, State(answer, 3601));
        Assert.Equal(RevocationState.ResponderNotValid, State(early, 0));
        Assert.Equal(end, Authentic(answer).ValidUntil);
    }

    [Theory]
    [InlineData(null, RevocationState.Revoked)]
    [InlineData(0, RevocationState.Revoked)]
    [InlineData(1, RevocationState.Revoked)]
    [InlineData(6, RevocationState.Hold)]
    [InlineData(8, RevocationState.Revoked)]
    public void A_revocation_stands_whether_its_answer_is_current_or_not(int? reason, RevocationState expected)
    {
        var answer = new Answer(s_root, s_good with { Status = CertificateStatus.Revoked, Reason = reason });

        var now = RevocationJudgement.Of(Authentic(answer), Forge.Now);
        var later = RevocationJudgement.Of(Authentic(answer), Forge.Now + TimeSpan.FromDays(400));

        Assert.Equal((expected, RevocationCurrency.Current, (RevocationReason?)reason), (now.State, now.Currency, now.Reason));
        Assert.Equal((expected, RevocationCurrency.Expired), (later.State, later.Currency));
        Assert.Equal(Forge.Now - TimeSpan.FromDays(30), now.RevokedAt);
        Assert.NotNull(now.WhyNot);
    }

    [Fact]
    public void A_hold_since_1970_means_never_issued_and_is_no_hold()
    {
        var judged = RevocationJudgement.Of(Authentic(new Answer(s_root, s_good with { Status = CertificateStatus.Revoked, Reason = 6, RevokedAt = DateTimeOffset.UnixEpoch })), Forge.Now);

        Assert.Equal(RevocationState.Revoked, judged.State);
        Assert.Equal("never issued, says the responder (RFC 6960 §2.2)", judged.WhyNot);
    }

    [Fact]
    public void Unknown_is_not_good_at_any_time()
    {
        Assert.Equal(RevocationState.Unknown, State(new Answer(s_root, s_good with { Status = CertificateStatus.Unknown }), 0));
        Assert.Equal(RevocationState.Unknown, State(new Answer(s_root, s_good with { Status = CertificateStatus.Unknown }), 1_000_000));
    }

    [Fact]
    public void Times_at_the_end_of_the_calendar_overflow_nothing()
    {
        var last = new DateTimeOffset(9999, 12, 31, 23, 59, 59, TimeSpan.Zero);
        var answer = Authentic(new Answer(s_root, s_good with { ThisUpdate = last, NextUpdate = null }) { ProducedAt = last });

        Assert.Equal(DateTimeOffset.MaxValue, answer.ValidUntil);
        Assert.Equal(RevocationState.NotYetValid, RevocationJudgement.Of(answer, DateTimeOffset.MinValue, TimeSpan.Zero).State);
        Assert.Equal(RevocationState.Good, RevocationJudgement.Of(answer, DateTimeOffset.MaxValue).State);
    }

    private static RevocationState State(Answer answer, int seconds, TimeSpan? maximumAge = null)
    {
        var judged = RevocationJudgement.Of(Authentic(answer), Forge.Now + TimeSpan.FromSeconds(seconds), maximumAge);
        Assert.Equal(judged.State is RevocationState.Good, judged.WhyNot is null);
        return judged.State;
    }

    private static AuthenticOcspAnswer Authentic(Answer answer)
    {
        var response = AuthenticOcspAnswerTests.Parsed(answer.Encode());
        Assert.True(AuthenticOcspAnswer.TryAuthenticate(response, s_device.Certificate, s_root.Certificate, TrustSetKind.Custom, new VerifierCache(), out var authentic, out var whyNot), whyNot);
        return authentic!;
    }
}

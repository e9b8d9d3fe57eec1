using System.Security.Cryptography.X509Certificates;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Trust.Revocation;

public class AuthenticOcspAnswerTests
{
    private static readonly Identity s_root = Identity.Root("Assay Test CA");
    private static readonly Identity s_device = s_root.Issue("device", Identity.Signs);
    private static readonly Identity s_other = s_root.Issue("other device", Identity.Signs);
    private static readonly Identity s_responder = s_root.Issue("responder", Identity.Signs, Identity.OcspSigning, Identity.NoCheck);
    private static readonly Single s_good = new(s_device.Certificate, s_root.Certificate);

    private static readonly Answer s_byIssuer = new(s_root, s_good);
    private static readonly Answer s_byDelegate = new(s_responder, s_good) { Certificates = [s_responder.Certificate] };

    [Theory]
    [InlineData(OcspHash.Sha1, true, false)]
    [InlineData(OcspHash.Sha1, false, true)]
    [InlineData(OcspHash.Sha256, true, true)]
    [InlineData(OcspHash.Sha256, false, false)]
    [InlineData(OcspHash.Sha384, true, false)]
    [InlineData(OcspHash.Sha384, false, true)]
    public void An_answer_of_the_issuer_or_its_delegate_is_authentic_under_each_hash(OcspHash hash, bool nullParameters, bool byKey)
    {
        var single = s_good with { Hash = hash, NullParameters = nullParameters };

        var issuers = Authentic(new Answer(s_root, single) { ByKey = byKey });
        var delegates = Authentic(s_byDelegate with { Singles = [single], ByKey = byKey, WrittenVersion = byKey });

        Assert.Equal(CertificateStatus.Good, issuers.Status);
        Assert.Null(issuers.ResponderNotAfter);
        Assert.Equal(CertificateStatus.Good, delegates.Status);
        Assert.Equal(Identity.End, delegates.ResponderNotAfter);
        Assert.Equal(issuers.About, delegates.About);
    }

    [Fact]
    public void A_second_use_of_an_answer_costs_no_signature()
    {
        var cache = new VerifierCache();
        var bytes = s_byDelegate.Encode();

        var first = Authentic(bytes, cache);
        Assert.Equal(2, cache.Meter.SignatureVerifications);
        var second = Authentic(bytes, cache);

        Assert.Equal(2, cache.Meter.SignatureVerifications);
        Assert.Same(first, second);
    }

    [Fact]
    public void A_remembered_answer_serves_neither_another_certificate_nor_another_kind_of_trust()
    {
        var cache = new VerifierCache();
        var bytes = s_byIssuer.Encode();
        Authentic(bytes, cache);

        Assert.Equal("no SingleResponse is about the certificate", Refused(bytes, cache, subject: s_other.Certificate));
        Assert.Equal("the responder lacks the simulator's marker, and the trust set is simulated", Refused(bytes, cache, kind: TrustSetKind.Simulated));
        Assert.Equal("no trust set was chosen", Refused(bytes, cache, kind: TrustSetKind.None));
    }

    [Fact]
    public void A_delegate_without_nocheck_leaves_everything_unknown_and_says_why()
    {
        var responder = s_root.Issue("responder", Identity.Signs, Identity.OcspSigning);
        var answer = Authentic(new Answer(responder, s_good) { Certificates = [responder.Certificate] });

        Assert.Equal(CertificateStatus.Unknown, answer.Status);
        Assert.Equal(CertificateStatus.Good, answer.SignedStatus.Status);
        Assert.Equal(AuthenticOcspAnswer.UncheckedDelegate, answer.Caveat);
        var judged = RevocationJudgement.Of(answer, Forge.Now);
        Assert.Equal((RevocationState.Unknown, AuthenticOcspAnswer.UncheckedDelegate), (judged.State, judged.WhyNot));
    }

    public static TheoryData<string, string> Delegates => new()
    {
        { "no purpose", "the delegated responder's extKeyUsage does not name OCSPSigning" },
        { "wrong purpose", "the delegated responder's extKeyUsage does not name OCSPSigning" },
        { "a CA", "the delegated responder is a CA" },
        { "wrong usage", "the delegated responder's keyUsage does not allow digitalSignature" },
        { "unknown critical", "the delegated responder has the critical extension 1.2.3.4, which is not supported" },
        { "marked", "the responder is of a simulator, and the trust set is not" },
        { "twin", "the delegated responder's authorityKeyIdentifier is not the subjectKeyIdentifier of the certificate's issuer" },
        { "twin without identifier", "the delegated responder's certificate was not signed by the key of the certificate's issuer" },
        { "stranger", "the delegated responder names the issuer \"CN=Stranger\", the certificate's issuer is \"CN=Assay Test CA\"" },
        { "grandchild", "the delegated responder names the issuer \"CN=middle\", the certificate's issuer is \"CN=Assay Test CA\"" },
    };

    [Theory]
    [MemberData(nameof(Delegates))]
    public void A_delegate_that_may_not_answer_is_refused_for_its_own_reason(string defect, string expected)
    {
        X509Extension[] sound = [Identity.Signs, Identity.OcspSigning, Identity.NoCheck];
        var twin = Identity.Root("Assay Test CA");
        var responder = defect switch
        {
            "no purpose" => s_root.Issue("r", Identity.Signs, Identity.NoCheck),
            "wrong purpose" => s_root.Issue("r", Identity.Signs, Identity.NoCheck, new X509EnhancedKeyUsageExtension([new("2.5.29.37.0"), new("1.3.6.1.5.5.7.3.3")], false)),
            "a CA" => s_root.Issue("r", [.. sound, Identity.Authority]),
            "wrong usage" => s_root.Issue("r", new X509KeyUsageExtension(X509KeyUsageFlags.CrlSign, true), Identity.OcspSigning, Identity.NoCheck),
            "unknown critical" => s_root.Issue("r", [.. sound, new X509Extension("1.2.3.4", [5, 0], true)]),
            "marked" => s_root.Issue("r", [.. sound, Identity.Marker]),
            "twin" => twin.Issue("r", sound),
            "twin without identifier" => twin.IssueBare("r", Identity.Begin, Identity.End, sound),
            "stranger" => Identity.Root("Stranger").Issue("r", sound),
            _ => s_root.Issue("middle", Identity.Authority, Identity.SignsCertificatesAndLists).Issue("r", sound),
        };

        var answer = new Answer(responder, s_good) { Certificates = [responder.Certificate] };

        Assert.Equal(expected, Refused(answer));
    }

    [Fact]
    public void Nocheck_counts_when_it_is_critical_too()
    {
        var responder = s_root.Issue("r", Identity.Signs, Identity.OcspSigning, new X509Extension(Identity.NoCheck.Oid!, Identity.NoCheck.RawData, critical: true));

        Assert.Equal(CertificateStatus.Good, Authentic(new Answer(responder, s_good) { Certificates = [responder.Certificate] }).Status);
    }

    [Fact]
    public void A_response_full_of_false_delegates_costs_a_bounded_number_of_signatures()
    {
        var twin = Identity.Root("Assay Test CA");
        var cache = new VerifierCache();
        var falseOnes = Enumerable.Range(0, 4).Select(_ => twin.IssueBare("r", Identity.Begin, Identity.End, Identity.OcspSigning, Identity.NoCheck).Certificate);
        var idleOnes = Enumerable.Range(0, 4).Select(_ => s_root.Issue("r", Identity.OcspSigning, Identity.NoCheck).Certificate);
        Certificate[] all = [.. falseOnes, .. idleOnes];

        Assert.Equal(
            "the delegated responder's certificate was not signed by the key of the certificate's issuer",
            Refused((new Answer(s_other, s_good) { Named = all[0], Certificates = all }).Encode(), cache));
        Assert.Equal(4 + 2 * 4, cache.Meter.SignatureVerifications);
    }

    [Fact]
    public void The_delegate_that_signed_is_found_behind_another_of_its_name()
    {
        var namesake = s_root.Issue("responder", Identity.Signs, Identity.OcspSigning, Identity.NoCheck);

        Assert.Equal(CertificateStatus.Good, Authentic(s_byDelegate with { Certificates = [namesake.Certificate, s_responder.Certificate] }).Status);
    }

    [Fact]
    public void A_simulated_trust_set_accepts_marked_responders_alone()
    {
        var root = Identity.Root("Simulated", Identity.Authority, Identity.SignsCertificatesAndLists, Identity.Marker);
        var device = root.Issue("device", Identity.Signs, Identity.Marker);
        var marked = root.Issue("r", Identity.Signs, Identity.OcspSigning, Identity.NoCheck, Identity.Marker);
        var plain = root.Issue("r", Identity.Signs, Identity.OcspSigning, Identity.NoCheck);
        var good = new Single(device.Certificate, root.Certificate);

        foreach (var (signer, expected) in new[] { (root, null), (marked, null), (plain, "the responder lacks the simulator's marker, and the trust set is simulated") })
        {
            var response = Parsed(new Answer(signer, good) { Certificates = [signer.Certificate] }.Encode());
            AuthenticOcspAnswer.TryAuthenticate(response, device.Certificate, root.Certificate, TrustSetKind.Simulated, new VerifierCache(), out _, out var whyNot);
            Assert.Equal(expected, whyNot);
        }
    }

    [Fact]
    public void The_one_matching_answer_is_found_among_others_and_two_are_refused()
    {
        var others = s_good with { Subject = s_other.Certificate, Status = CertificateStatus.Revoked };
        var revoked = s_good with { Hash = OcspHash.Sha256, Status = CertificateStatus.Revoked };

        Assert.Equal(CertificateStatus.Good, Authentic(s_byIssuer with { Singles = [others, s_good] }).Status);
        Assert.Equal("more than one SingleResponse is about the certificate", Refused(s_byIssuer with { Singles = [s_good, revoked] }));
        Assert.Equal("more than one SingleResponse is about the certificate", Refused(s_byIssuer with { Singles = [s_good, s_good] }));
        Assert.Equal("no SingleResponse is about the certificate", Refused(s_byIssuer with { Singles = [others] }));
    }

    [Fact]
    public void An_answer_about_the_same_serial_number_of_another_issuer_is_none()
    {
        var twin = Identity.Root("Assay Test CA");

        Assert.Equal("no SingleResponse is about the certificate", Refused(s_byIssuer with { Singles = [s_good with { Issuer = twin.Certificate }] }));
        Assert.Equal(
            "the certificate names the issuer \"CN=Assay Test CA\", not \"CN=device\"",
            Refused(s_byIssuer.Encode(), new VerifierCache(), issuer: s_device.Certificate));
    }

    [Fact]
    public void The_signer_must_be_the_one_that_is_named()
    {
        Assert.Equal(
            "the response names the certificate's issuer as its signer and was not signed by the issuer's key",
            Refused(new Answer(s_responder, s_good) { Named = s_root.Certificate, Certificates = [s_responder.Certificate, s_root.Certificate] }));
        Assert.Equal(
            "the response was not signed by the delegated responder that it names",
            Refused(new Answer(s_root, s_good) { Named = s_responder.Certificate, Certificates = [s_responder.Certificate] }));
        Assert.Equal(
            "responderID names \"CN=responder\", which is neither the certificate's issuer nor a certificate of the response",
            Refused(s_byDelegate with { Certificates = [s_other.Certificate] }));
        Assert.StartsWith("responderID names key ", Refused(s_byDelegate with { Certificates = [], ByKey = true }), StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_whose_issuer_is_asked_cannot_answer_for_itself()
    {
        Assert.Equal(
            "the delegated responder's extKeyUsage does not name OCSPSigning",
            Refused(new Answer(s_device, s_good) { Certificates = [s_device.Certificate] }));
    }

    [Fact]
    public void An_unsuccessful_status_is_no_answer()
    {
        Assert.Equal("responseStatus is TryLater: there is no answer", Refused(Forge.Wrap(3, "", null), new VerifierCache()));
    }

    [Fact]
    public void The_nonce_matches_differs_or_is_absent()
    {
        byte[] sent = [.. Enumerable.Range(1, 32).Select(value => (byte)value)];
        var echoed = Authentic(s_byIssuer with { Extensions = [(Forge.NonceOid, true, Forge.Nonce(sent))] });

        Assert.Equal(NonceMatch.Matches, echoed.CompareNonce(sent));
        Assert.Equal(NonceMatch.Differs, echoed.CompareNonce(sent.AsSpan(1)));
        Assert.Equal(NonceMatch.Differs, echoed.CompareNonce([]));
        Assert.Equal(NonceMatch.Absent, Authentic(s_byIssuer).CompareNonce(sent));
    }

    [Fact]
    public void Age_is_compared_by_thisUpdate_and_revoked_wins_a_tie()
    {
        var good = Authentic(s_byIssuer);
        var older = Authentic(s_byIssuer with { Singles = [s_good with { ThisUpdate = Forge.Now - TimeSpan.FromSeconds(1) }] });
        var revoked = Authentic(s_byDelegate with { Singles = [s_good with { Status = CertificateStatus.Revoked }] });
        var others = new Answer(s_root, s_good with { Subject = s_other.Certificate }).Encode();
        var cache = new VerifierCache();
        Assert.True(AuthenticOcspAnswer.TryAuthenticate(Parsed(others), s_other.Certificate, s_root.Certificate, TrustSetKind.Custom, cache, out var other, out _));

        Assert.True(older.IsOlderThan(good));
        Assert.False(good.IsOlderThan(older));
        Assert.False(good.IsOlderThan(Authentic(s_byDelegate)));
        Assert.True(good.IsOlderThan(revoked));
        Assert.False(revoked.IsOlderThan(good));
        Assert.Throws<ArgumentException>(() => good.IsOlderThan(other!));
    }

    internal static OcspResponse Parsed(byte[] bytes)
    {
        Assert.True(OcspResponse.TryParse(bytes, out var response, out var fault), fault?.ToString());
        return response!;
    }

    private static AuthenticOcspAnswer Authentic(Answer answer) => Authentic(answer.Encode(), new VerifierCache());

    private static AuthenticOcspAnswer Authentic(byte[] bytes, VerifierCache cache)
    {
        var authentic = AuthenticOcspAnswer.TryAuthenticate(Parsed(bytes), s_device.Certificate, s_root.Certificate, TrustSetKind.Custom, cache, out var answer, out var whyNot);
        Assert.True(authentic, whyNot);
        return answer!;
    }

    private static string Refused(Answer answer) => Refused(answer.Encode(), new VerifierCache());

    private static string Refused(byte[] bytes, VerifierCache cache, Certificate? subject = null, Certificate? issuer = null, TrustSetKind kind = TrustSetKind.Custom)
    {
        Assert.False(AuthenticOcspAnswer.TryAuthenticate(Parsed(bytes), subject ?? s_device.Certificate, issuer ?? s_root.Certificate, kind, cache, out var answer, out var whyNot));
        Assert.Null(answer);
        return whyNot!;
    }
}

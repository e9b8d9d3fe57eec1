using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Trust.Revocation;

/// <summary>OpenSSL answers our requests and judges the answers beside us.</summary>
public class OpenSslTests
{
    private static readonly byte[] s_nonce = [.. Enumerable.Range(0xC0, 32).Select(value => (byte)value)];

    [Theory]
    [InlineData("good", "ca", RevocationState.Good, null, "good")]
    [InlineData("good", "responder", RevocationState.Good, null, "good")]
    [InlineData("revoked", "ca", RevocationState.Revoked, RevocationReason.KeyCompromise, "revoked")]
    [InlineData("revoked", "responder", RevocationState.Revoked, RevocationReason.KeyCompromise, "revoked")]
    [InlineData("held", "responder", RevocationState.Hold, RevocationReason.CertificateHold, "revoked")]
    [InlineData("unexplained", "responder", RevocationState.Revoked, null, "revoked")]
    [InlineData("strange", "responder", RevocationState.Unknown, null, "unknown")]
    public void OpenSSL_answers_our_request_and_agrees_on_the_answer(string name, string signer, RevocationState expected, RevocationReason? reason, string theirs)
    {
        using var peer = new PeerAuthority();
        var subject = peer.Read(name);

        foreach (string[] options in new string[][] { ["-nmin", "5"], ["-ndays", "7", "-resp_key_id"], [] })
        {
            var bytes = peer.Answer(OcspRequest.Encode(subject, peer.Authority, s_nonce), signer, options);
            var answer = Authentic(bytes, subject, peer.Authority);
            var judged = RevocationJudgement.Of(answer, answer.ThisUpdate);

            Assert.Equal((expected, reason), (judged.State, judged.Reason));
            Assert.Equal(RevocationCurrency.Current, judged.Currency);
            Assert.Equal(NonceMatch.Matches, answer.CompareNonce(s_nonce));
            Assert.Equal(signer == "ca", answer.ResponderNotAfter is null);
            TimeSpan? span = options is [] ? null : options[0] == "-nmin" ? TimeSpan.FromMinutes(5) : TimeSpan.FromDays(7);
            Assert.Equal(span, answer.NextUpdate - answer.ThisUpdate);

            var verdict = peer.Verdict(bytes, name);
            Assert.Contains("Response verify OK", verdict, StringComparison.Ordinal);
            Assert.Contains($"/{name}.pem: {theirs}", verdict, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void OpenSSL_reads_our_request_as_we_mean_it()
    {
        using var peer = new PeerAuthority();
        File.WriteAllBytes(peer.At("request.der"), OcspRequest.Encode(peer.Read("good"), peer.Authority, s_nonce));
        File.WriteAllBytes(peer.At("bare.der"), OcspRequest.Encode(peer.Read("good"), peer.Authority));

        var text = peer.Run("ocsp", "-reqin", peer.At("request.der"), "-req_text");
        var bare = peer.Run("ocsp", "-reqin", peer.At("bare.der"), "-req_text");

        Assert.Contains("Hash Algorithm: sha1", text, StringComparison.Ordinal);
        Assert.Contains("Serial Number: 9A01", text, StringComparison.Ordinal);
        Assert.Contains("0420C0C1C2C3", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Nonce", bare, StringComparison.Ordinal);

        // The whole request, byte for byte, as OpenSSL writes one without a nonce.
        peer.Run("ocsp", "-issuer", peer.At("ca.pem"), "-cert", peer.At("good.pem"), "-no_nonce", "-reqout", peer.At("theirs.der"));
        Assert.Equal(File.ReadAllBytes(peer.At("theirs.der")), File.ReadAllBytes(peer.At("bare.der")));
    }

    [Fact]
    public void OpenSSL_and_we_refuse_the_same_forgeries()
    {
        using var peer = new PeerAuthority();
        var subject = peer.Read("good");
        var request = OcspRequest.Encode(subject, peer.Authority);
        var flipped = peer.Answer(request, "ca", "-resp_no_certs");
        flipped[^1] ^= 1;
        var unentitled = peer.Answer(request, "revoked");
        var elsewhere = peer.Answer(OcspRequest.Encode(peer.Read("revoked"), peer.Authority), "responder");

        Assert.Equal("the response names the certificate's issuer as its signer and was not signed by the issuer's key", Refused(flipped, subject, peer.Authority));
        Assert.Contains("Response Verify Failure", peer.Verdict(flipped, "good"), StringComparison.Ordinal);
        Assert.Equal("the delegated responder's extKeyUsage does not name OCSPSigning", Refused(unentitled, subject, peer.Authority));
        Assert.Contains("missing ocspsigning usage", peer.Verdict(unentitled, "good"), StringComparison.Ordinal);
        Assert.Equal("no SingleResponse is about the certificate", Refused(elsewhere, subject, peer.Authority));
        Assert.Contains("ERROR: No Status found", peer.Verdict(elsewhere, "good"), StringComparison.Ordinal);
    }

    [Fact]
    public void OpenSSL_and_we_find_the_same_certificates_in_its_list()
    {
        using var peer = new PeerAuthority();
        peer.Run("ca", "-gencrl", "-config", peer.At("openssl.cnf"), "-out", peer.At("list.pem"));
        peer.Run("crl", "-in", peer.At("list.pem"), "-outform", "DER", "-out", peer.At("list.der"));
        var cache = new VerifierCache();
        var list = CertificateRevocationListTests.Parsed(File.ReadAllBytes(peer.At("list.der")));

        Assert.True(AuthenticCrl.TryAuthenticate(list, peer.Authority, TrustSetKind.Custom, cache, out var crl, out var whyNot), whyNot);

        Assert.Equal(0x1A, list.CrlNumber);
        Assert.Equal(3, list.EntryCount);
        Assert.Equal(TimeSpan.FromDays(30), list.NextUpdate - list.ThisUpdate);
        foreach (var (name, expected, theirs) in new[]
        {
            ("good", RevocationState.Good, "good.pem: OK"),
            ("revoked", RevocationState.Revoked, "certificate revoked"),
            ("held", RevocationState.Hold, "certificate revoked"),
            ("unexplained", RevocationState.Revoked, "certificate revoked"),
        })
        {
            Assert.Equal(expected, RevocationJudgement.Of(crl!, peer.Read(name), peer.Authority, list.ThisUpdate).State);
            var verdict = Peer.Require("openssl").Run("verify", "-crl_check", "-CAfile", peer.At("ca.pem"), "-CRLfile", peer.At("list.pem"), peer.At($"{name}.pem")).Output;
            Assert.Contains(theirs, verdict, StringComparison.Ordinal);
        }
    }

    private static AuthenticOcspAnswer Authentic(byte[] bytes, Certificate subject, Certificate issuer)
    {
        var response = AuthenticOcspAnswerTests.Parsed(bytes);
        Assert.True(AuthenticOcspAnswer.TryAuthenticate(response, subject, issuer, TrustSetKind.Custom, new VerifierCache(), out var answer, out var whyNot), whyNot);
        return answer!;
    }

    private static string Refused(byte[] bytes, Certificate subject, Certificate issuer)
    {
        Assert.False(AuthenticOcspAnswer.TryAuthenticate(AuthenticOcspAnswerTests.Parsed(bytes), subject, issuer, TrustSetKind.Custom, new VerifierCache(), out _, out var whyNot));
        return whyNot!;
    }
}

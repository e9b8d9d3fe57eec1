using System.Security.Cryptography;
using Assay.Simulator;

namespace Assay.Tests.Simulator;

/// <summary>
/// Judged by <c>openssl ocsp</c>, which needs no option of its own for the marked certificates.
/// </summary>
public class SimulatedOcspTests(SimulatorFixture simulator) : IClassFixture<SimulatorFixture>
{
    private const string Verified = "Response verify OK";

    // openssl compares thisUpdate and nextUpdate with the real clock, whatever -attime says: a century of tolerance.
    private const string Tolerance = "3155760000";

    private static DateTimeOffset Now => SimulatorFixture.Now;

    [Fact]
    public void Openssl_accepts_a_response_signed_by_the_issuer()
    {
        var answer = Good(Brom());

        Assert.Contains(Verified, Ask(answer).Output, StringComparison.Ordinal);
        Assert.Contains(": good", Ask(answer).Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Openssl_accepts_a_delegated_responder(bool byName) =>
        Assert.Contains(Verified, Ask(Delegated() with { ResponderByName = byName }).Output, StringComparison.Ordinal);

    [Theory]
    [InlineData(CertificateStatus.Good, null, ": good")]
    [InlineData(CertificateStatus.Unknown, null, ": unknown")]
    [InlineData(CertificateStatus.Revoked, null, ": revoked")]
    [InlineData(CertificateStatus.Revoked, RevocationReason.CertificateHold, "Reason: certificateHold")]
    [InlineData(CertificateStatus.Revoked, RevocationReason.KeyCompromise, "Reason: keyCompromise")]
    public void Openssl_reads_the_status_that_was_meant(CertificateStatus status, RevocationReason? reason, string expected)
    {
        var judged = Ask(Delegated() with { Status = status, Reason = reason });

        Assert.Contains(Verified, judged.Output, StringComparison.Ordinal);
        Assert.Contains(expected, judged.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("SHA1")]
    [InlineData("SHA256")]
    [InlineData("SHA384")]
    public void Openssl_finds_the_certificate_by_each_hash(string hash)
    {
        var answer = Delegated() with { CertIdHash = new HashAlgorithmName(hash) };

        Assert.Contains(": good", Ask(answer, $"-{hash.ToLowerInvariant()}").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Openssl_refuses_a_responder_without_the_extended_key_usage()
    {
        var brom = Brom();
        var responder = SimulatedAuthority.IssueOcspResponder(Above(brom), Now.AddDays(-1), Now.AddDays(1), withExtendedKeyUsage: false);

        Assert.Contains("missing ocspsigning usage", Ask(Good(brom) with { Responder = responder }).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Openssl_refuses_a_responder_issued_by_somebody_else()
    {
        var responder = SimulatedAuthority.IssueOcspResponder(simulator.Authority.RimRoot, Now.AddDays(-1), Now.AddDays(1));

        Assert.DoesNotContain(Verified, Ask(Good(Brom()) with { Responder = responder }).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Openssl_refuses_a_responder_that_has_expired()
    {
        var brom = Brom();
        var responder = SimulatedAuthority.IssueOcspResponder(Above(brom), Now.AddDays(-9), Now.AddDays(-8));

        Assert.Contains("certificate has expired", Ask(Good(brom) with { Responder = responder }).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Openssl_refuses_a_spoiled_signature() =>
        Assert.Contains("signature failure", Ask(Delegated() with { SpoilSignature = true }).Output, StringComparison.Ordinal);

    [Fact]
    public void Openssl_finds_no_status_in_an_answer_about_another_certificate()
    {
        var other = Brom();

        Assert.Contains("No Status found", Ask(Brom(), SimulatedOcsp.Respond(Good(other))).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void An_openssl_request_is_answered_with_its_own_nonce()
    {
        var brom = Brom();
        var request = Path.Combine(simulator.Folder, "request.der");
        var made = Peer.Require("openssl").Run("ocsp", "-issuer", Save(Above(brom)), "-cert", Save(brom), "-nonce", "-reqout", request);
        var response = SimulatedOcsp.Answer(File.ReadAllBytes(request), [Brom(), brom], Good);

        var judged = Peer.Require("openssl").Run("ocsp", "-attime", SimulatorFixture.UnixTime, "-validity_period", Tolerance, "-reqin", request, "-respin", simulator.Save(response),
            "-issuer", Save(Above(brom)), "-verify_other", simulator.Save(Above(brom).ChainPem), "-CAfile", Save(simulator.Authority.DeviceRoot));

        Assert.True(made.Accepted, made.Output);
        Assert.Contains(Verified, judged.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("nonce", judged.Output, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public void A_nonce_can_be_another_or_none()
    {
        var brom = Brom();
        var request = Path.Combine(simulator.Folder, "request-2.der");
        Peer.Require("openssl").Run("ocsp", "-issuer", Save(Above(brom)), "-cert", Save(brom), "-nonce", "-reqout", request);
        var asked = File.ReadAllBytes(request);

        var silent = SimulatedOcsp.Answer(asked, [brom], Good, echoNonce: false);
        var another = SimulatedOcsp.Answer(asked, [brom], certificate => Good(certificate) with { NonceValue = SimulatedOcsp.NonceValue("another"u8) });

        Assert.Contains("no nonce in response", Read(silent), StringComparison.Ordinal);
        Assert.Contains("Nonce Verify error", Read(another), StringComparison.Ordinal);
        string Read(byte[] response) => Peer.Require("openssl").Run("ocsp", "-attime", SimulatorFixture.UnixTime, "-validity_period", Tolerance, "-reqin", request,
            "-respin", simulator.Save(response), "-issuer", Save(Above(brom)), "-CAfile", Save(simulator.Authority.DeviceRoot)).Output;
    }

    [Fact]
    public void A_request_that_is_none_is_answered_malformed() =>
        Assert.Equal("30030A0101", Convert.ToHexString(SimulatedOcsp.Answer(new byte[] { 0x30, 0x01 }, [], Good)));

    [Fact]
    public void Openssl_accepts_a_crl_and_reads_its_entries()
    {
        var brom = Brom();
        var crl = SimulatedCrl.Issue(Above(brom), 7, Now, Now.AddDays(7), new RevokedCertificate(brom, Now, RevocationReason.KeyCompromise));

        var judged = Peer.Require("openssl").Run("crl", "-inform", "DER", "-in", simulator.Save(crl), "-CAfile", Save(Above(brom)), "-noout", "-text");

        Assert.Contains("verify OK", judged.Output, StringComparison.Ordinal);
        Assert.Contains($"Serial Number: {brom.SerialNumber}", judged.Output, StringComparison.Ordinal);
        Assert.Contains("Key Compromise", judged.Output, StringComparison.Ordinal);
    }

    private SimulatedCertificate Brom() => Above(
        simulator.Authority.IssueDevice(DeviceFamily.Ls10, RandomNumberGenerator.GetBytes(8), new byte[48]));

    private static SimulatedCertificate Above(SimulatedCertificate certificate) =>
        certificate.Issuer ?? throw new InvalidOperationException("A root has nothing above it.");

    private static OcspAnswer Good(SimulatedCertificate certificate) => new()
    {
        Certificate = certificate,
        Status = CertificateStatus.Good,
        ThisUpdate = Now.AddHours(-1),
        NextUpdate = Now.AddDays(7),
    };

    private OcspAnswer Delegated()
    {
        var brom = Brom();
        return Good(brom) with { Responder = SimulatedAuthority.IssueOcspResponder(Above(brom), Now.AddDays(-1), Now.AddDays(1)) };
    }

    private string Save(SimulatedCertificate certificate) => simulator.Save(certificate.Pem);

    private PeerAnswer Ask(OcspAnswer answer, params IEnumerable<string> options) => Ask(answer.Certificate, SimulatedOcsp.Respond(answer), options);

    // The options come before -cert: a hash option holds for the certificates named after it.
    private PeerAnswer Ask(SimulatedCertificate certificate, byte[] response, params IEnumerable<string> options) => Peer.Require("openssl").Run([
            "ocsp", "-attime", SimulatorFixture.UnixTime, .. options, "-issuer", Save(Above(certificate)), "-cert", Save(certificate),
            "-respin", simulator.Save(response), "-no_nonce", "-validity_period", Tolerance, "-CAfile", Save(certificate.Chain[^1]),
            "-verify_other", simulator.Save(Above(certificate).ChainPem),
        ]);
}

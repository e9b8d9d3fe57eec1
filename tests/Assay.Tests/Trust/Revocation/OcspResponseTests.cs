using Assay.Trust.Revocation;

namespace Assay.Tests.Trust.Revocation;

public class OcspResponseTests
{
    private static readonly Identity s_root = Identity.Root("Assay Test CA");
    private static readonly Identity s_device = s_root.Issue("device", Identity.Signs);
    private static readonly Single s_good = new(s_device.Certificate, s_root.Certificate);
    private static readonly Answer s_answer = new(s_root, s_good);

    [Fact]
    public void Every_field_is_read()
    {
        var revoked = s_good with { Status = CertificateStatus.Revoked, Reason = 6, NextUpdate = null };
        var answer = s_answer with { Singles = [s_good, revoked], Extensions = [(Forge.NonceOid, false, Forge.Nonce([1, 2, 3]))], Certificates = [s_root.Certificate] };

        var basic = AuthenticOcspAnswerTests.Parsed(answer.Encode()).Basic!;

        Assert.Equal(s_root.Certificate.Subject, basic.ResponderId.Name);
        Assert.Equal(Forge.Now, basic.ProducedAt);
        Assert.Equal([1, 2, 3], basic.Nonce!.Value.ToArray());
        Assert.Equal(s_root.Certificate.Fingerprint, Assert.Single(basic.Certificates).Fingerprint);
        Assert.Equal(new RevocationStatus(CertificateStatus.Good), basic.Responses[0].Status);
        Assert.Equal(Forge.Now + TimeSpan.FromDays(1), basic.Responses[0].NextUpdate);
        Assert.Equal(new RevocationStatus(CertificateStatus.Revoked, Forge.Now - TimeSpan.FromDays(30), RevocationReason.CertificateHold), basic.Responses[1].Status);
        Assert.Null(basic.Responses[1].NextUpdate);
        Assert.Equal(s_device.Certificate.SerialNumber.ToArray(), basic.Responses[1].CertId.SerialNumber.ToArray());
    }

    [Theory]
    [InlineData(1, OcspResponseStatus.MalformedRequest)]
    [InlineData(2, OcspResponseStatus.InternalError)]
    [InlineData(3, OcspResponseStatus.TryLater)]
    [InlineData(5, OcspResponseStatus.SigRequired)]
    [InlineData(6, OcspResponseStatus.Unauthorized)]
    public void An_unsuccessful_response_is_a_value(int status, OcspResponseStatus expected)
    {
        var response = AuthenticOcspAnswerTests.Parsed(Forge.Wrap(status, "", null));

        Assert.Equal(expected, response.Status);
        Assert.Null(response.Basic);
        Assert.Equal("responseBytes: present although responseStatus is not successful", Problem(s_answer with { Status = status }));
    }

    [Theory]
    [InlineData(0, "responseBytes: missing although responseStatus is successful")]
    [InlineData(4, "responseStatus: not an OCSPResponseStatus")]
    [InlineData(7, "responseStatus: not an OCSPResponseStatus")]
    public void A_status_without_its_meaning_is_refused(int status, string expected) => Assert.Equal(expected, Problem(Forge.Wrap(status, "", null)));

    public static TheoryData<string, string> Defects => new()
    {
        { "type", "responseType: not id-pkix-ocsp-basic" },
        { "none", "responses: empty" },
        { "many", "responses: too many" },
        { "backwards", "nextUpdate: before thisUpdate" },
        { "reason 7", "revocationReason: not a CRLReason" },
        { "reason 11", "revocationReason: not a CRLReason" },
        { "critical single", "singleExtensions: the critical extension 1.2.3.4 is not supported" },
        { "critical nonce in single", "singleExtensions: the critical extension 1.3.6.1.5.5.7.48.1.2 is not supported" },
        { "critical response", "responseExtensions: the critical extension 1.2.3.4 is not supported" },
        { "critical giant", "responseExtensions: the critical extension of 4002 octets is not supported" },
        { "bare nonce", "nonce: tag 2A where 04 is expected" },
        { "empty nonce", "nonce: not of 1 to 128 octets" },
        { "long nonce", "nonce: not of 1 to 128 octets" },
        { "two nonces", "extnID: repeated" },
        { "certificates", "certs: too many" },
    };

    [Theory]
    [MemberData(nameof(Defects))]
    public void A_defect_is_named(string defect, string expected)
    {
        (string, bool, byte[]) nonce = (Forge.NonceOid, false, Forge.Nonce([1]));
        var answer = defect switch
        {
            "type" => s_answer with { Type = "1.3.6.1.5.5.7.48.1.9" },
            "none" => s_answer with { Singles = [] },
            "many" => s_answer with { Singles = [.. Enumerable.Repeat(s_good, 65)] },
            "backwards" => s_answer with { Singles = [s_good with { NextUpdate = Forge.Now - TimeSpan.FromSeconds(1) }] },
            "reason 7" => s_answer with { Singles = [s_good with { Status = CertificateStatus.Revoked, Reason = 7 }] },
            "reason 11" => s_answer with { Singles = [s_good with { Status = CertificateStatus.Revoked, Reason = 11 }] },
            "critical single" => s_answer with { Singles = [s_good with { Extensions = [("1.2.3.4", true, [5, 0])] }] },
            "critical nonce in single" => s_answer with { Singles = [s_good with { Extensions = [(Forge.NonceOid, true, [5, 0])] }] },
            "critical response" => s_answer with { Extensions = [("1.2.3.4", true, [5, 0])] },
            "critical giant" => s_answer with { Extensions = [("1.2" + string.Concat(Enumerable.Repeat(".16383", 2000)) + ".1", true, [5, 0])] },
            "bare nonce" => s_answer with { Extensions = [(Forge.NonceOid, false, [0x2A, 1, 2])] },
            "empty nonce" => s_answer with { Extensions = [(Forge.NonceOid, false, Forge.Nonce([]))] },
            "long nonce" => s_answer with { Extensions = [(Forge.NonceOid, false, Forge.Nonce(new byte[129]))] },
            "two nonces" => s_answer with { Extensions = [nonce, nonce] },
            _ => s_answer with { Certificates = [.. Enumerable.Repeat(s_root.Certificate, 9)] },
        };

        Assert.Equal(expected, Problem(answer));
    }

    [Fact]
    public void Unknown_extensions_that_are_not_critical_are_passed_over()
    {
        var answer = s_answer with { Singles = [s_good with { Extensions = [("1.2.3.4", false, [5, 0])] }], Extensions = [("1.2.3.4", false, [5, 0])] };

        Assert.Null(AuthenticOcspAnswerTests.Parsed(answer.Encode()).Basic!.Nonce);
    }

    [Fact]
    public void Every_proper_prefix_and_every_extension_by_a_byte_is_refused()
    {
        var whole = (s_answer with { Certificates = [s_device.Certificate], Extensions = [(Forge.NonceOid, false, Forge.Nonce([1]))] }).Encode();

        for (var length = 0; length < whole.Length; length++)
        {
            Assert.False(OcspResponse.TryParse(whole.AsSpan(0, length), out var response, out var fault));
            Assert.Null(response);
            Assert.NotNull(fault);
        }

        Assert.Equal("OCSPResponse: trailing bytes", Problem([.. whole, 0]));
        Assert.StartsWith("OCSPResponse: larger than", Problem(new byte[64 * 1024 + 1]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_request_carries_a_SHA1_CertID_and_the_nonce_in_two_octet_strings()
    {
        byte[] nonce = [.. Enumerable.Repeat((byte)0xAB, 32)];
        var id = OcspCertId.For(s_device.Certificate, s_root.Certificate, OcspHash.Sha1);

        var bare = Convert.ToHexStringLower(OcspRequest.Encode(s_device.Certificate, s_root.Certificate));
        var asked = Convert.ToHexStringLower(OcspRequest.Encode(s_device.Certificate, s_root.Certificate, nonce));

        var certId = $"300906052b0e03021a05000414{id.IssuerNameHash}0414{id.IssuerKeyHash}020400{Convert.ToHexStringLower(id.SerialNumber.Span)}";
        Assert.EndsWith(certId, bare, StringComparison.Ordinal);
        Assert.EndsWith($"{certId}a2333031302f06092b060105050730010204220420{Convert.ToHexStringLower(nonce)}", asked, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => OcspRequest.Encode(s_device.Certificate, s_root.Certificate, nonce.AsSpan(0, 15)));
        Assert.Throws<ArgumentOutOfRangeException>(() => OcspRequest.Encode(s_device.Certificate, s_root.Certificate, new byte[33]));
    }

    private static string Problem(Answer answer) => Problem(answer.Encode());

    private static string Problem(byte[] bytes)
    {
        Assert.False(OcspResponse.TryParse(bytes, out var response, out var fault));
        Assert.Null(response);
        return $"{fault!.Field}: {fault.Problem}";
    }
}

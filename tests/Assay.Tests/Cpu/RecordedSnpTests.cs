using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Numerics;
using System.Security.Cryptography;
using Assay.Appraisal.Snp;
using Assay.Endorsements;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Trust;

namespace Assay.Tests.Cpu;

/// <summary>Recorded SNP reports of Milan processors. VLEK, Genoa, Turin and AMD's revocation lists were never seen on hardware.</summary>
public class RecordedSnpTests
{
    private static readonly ImmutableDictionary<SnpProduct, SnpTcbParts> s_low =
        ImmutableDictionary<SnpProduct, SnpTcbParts>.Empty.Add(SnpProduct.Milan, new SnpTcbParts(0, 3, 0, 8, 115));

    // Before its certificate, inside its seven years, after them. The index names no verdict for trustee's and Azure's: in both the
    // current microcode (ce, d2) is ahead of the reported one (73), which dstack's rule (all four equal) calls out of date, as for the first.
    [Theory]
    [InlineData("dstack", "2026-06-16T00:00:00Z", "snp.chain.current snp.tcb.accepted")]
    [InlineData("dstack", "2026-07-01T00:00:00Z", "snp.tcb.accepted")]
    [InlineData("dstack", "2033-06-18T00:00:00Z", "snp.chain.current snp.tcb.accepted")]
    [InlineData("trustee", "2023-01-23T00:00:00Z", "snp.chain.current snp.tcb.accepted")]
    [InlineData("trustee", "2025-01-01T00:00:00Z", "snp.tcb.accepted")]
    [InlineData("trustee", "2030-01-25T00:00:00Z", "snp.chain.current snp.tcb.accepted")]
    [InlineData("azure", "2025-01-01T00:00:00Z", "snp.tcb.accepted")]
    public void A_recorded_report_gets_the_verdict_of_its_day(string name, string at, string failed)
    {
        var result = JudgedSnp.Recorded(name, at).Result();

        Assert.NotNull(result.Report);
        Assert.True(failed == string.Join(" ", JudgedTdx.Failed(result.Findings)), string.Join(" ", JudgedTdx.Failed(result.Findings)));
        Assert.Equal(TcbStatus.OutOfDate, result.TcbStatus);
        Assert.False(result.Passed);
        Assert.Equal(SnpAppraisal.CheckIds, result.Findings.Select(finding => finding.Id));
    }

    [Theory]
    [InlineData("dstack", "2026-07-01T00:00:00Z")]
    [InlineData("trustee", "2025-01-01T00:00:00Z")]
    [InlineData("azure", "2025-01-01T00:00:00Z")]
    public void A_stated_minimum_decides_what_is_up_to_date(string name, string at)
    {
        var judged = JudgedSnp.Recorded(name, at);
        SnpResult Under(ImmutableDictionary<SnpProduct, SnpTcbParts> minimum) =>
            (judged with { With = expected => judged.With(expected) with { MinimumTcb = minimum } }).Result();

        var result = Under(s_low);
        Assert.True(result.Passed);
        Assert.Equal(TcbStatus.UpToDate, result.TcbStatus);
        Assert.Equal(["snp-no-reference-values", "snp-no-report-data", "snp-revocation-skipped", "time-stated"], result.Weakened);

        Assert.Equal(["snp.tcb.accepted"], JudgedTdx.Failed(Under(s_low.SetItem(SnpProduct.Milan, new SnpTcbParts(0, 3, 0, 8, 255))).Findings));
        Assert.Equal(["snp.tcb.accepted"], JudgedTdx.Failed(Under(ImmutableDictionary<SnpProduct, SnpTcbParts>.Empty).Findings));
    }

    [Fact]
    public void A_missing_list_is_missing_and_not_good()
    {
        var judged = JudgedSnp.Recorded("dstack", "2026-07-01T00:00:00Z") with { With = expected => expected with { MinimumTcb = s_low } };
        var result = judged.Result();

        Assert.False(result.Passed);
        Assert.Empty(JudgedTdx.Failed(result.Findings));
        Assert.Equal(["amd-crl"], result.Missing);
    }

    [Fact]
    public void The_certificate_of_another_chip_is_refused()
    {
        var judged = JudgedSnp.Recorded("dstack", "2026-07-01T00:00:00Z") with { Collateral = new SnpCollateral { Certificates = JudgedSnp.CertificatesOf("trustee") } };
        var result = judged.Result();

        Assert.Null(result.Report);
        Assert.Equal(["snp.endorsement.tcb.match", "snp.endorsement.chip.match", "snp.report.signature.valid"], JudgedTdx.Failed(result.Findings));
    }

    [Fact]
    public void The_pinned_roots_are_the_recorded_ones()
    {
        foreach (var product in new[] { "milan", "milan_vlek", "genoa", "genoa_vlek", "turin_vcek", "turin_vlek" })
        {
            var certificates = JudgedSnp.Read($"roots/ask_ark_{product}.pem");
            Assert.True(Certificate.TryParse(certificates[0].Span, out var authority, out var fault), fault?.ToString());
            Assert.True(Certificate.TryParse(certificates[1].Span, out var root, out fault), fault?.ToString());

            Assert.Single(TrustSet.BuiltIn.AmdAnchors, anchor => anchor.Is(root));
            Assert.True(authority.IsSignedBy(root.Key, new OperationMeter()));
            Assert.True(root.IsSignedBy(root.Key, new OperationMeter()));
        }
    }

    [Theory]
    [InlineData("dstack")]
    [InlineData("trustee")]
    [InlineData("azure")]
    public void OpenSSL_agrees_on_chain_and_report(string name)
    {
        var openssl = Peer.Require("openssl");
        var folder = Directory.CreateTempSubdirectory("assay-snp-");
        try
        {
            string Save(string file, byte[] bytes)
            {
                var path = Path.Combine(folder.FullName, file);
                File.WriteAllBytes(path, bytes);
                return path;
            }

            var certificates = JudgedSnp.CertificatesOf(name);
            string[] pem = [.. certificates.Select(der => PemEncoding.WriteString("CERTIFICATE", der.Span))];
            var leaf = Save("leaf.pem", System.Text.Encoding.ASCII.GetBytes(pem[0]));
            var authority = Save("ask.pem", System.Text.Encoding.ASCII.GetBytes(pem[1]));
            var root = Save("ark.pem", System.Text.Encoding.ASCII.GetBytes(pem[^1]));
            Assert.True(SnpReport.TryParse(JudgedSnp.ReportOf(name), out var report, out var fault), fault?.ToString());
            var content = Save("content", report.SignedBytes.ToArray());
            var signature = Save("signature", DerOf(report.Signature.Span));
            var key = Save("key.pem", System.Text.Encoding.ASCII.GetBytes(openssl.Run("x509", "-in", leaf, "-pubkey", "-noout").Output));

            var chain = openssl.Run("verify", "-no_check_time", "-CAfile", root, "-untrusted", authority, leaf);
            Assert.True(chain.Accepted, chain.Output);
            var signed = openssl.Run("dgst", "-sha384", "-verify", key, "-signature", signature, content);
            Assert.True(signed.Accepted, signed.Output);

            var altered = report.SignedBytes.ToArray();
            altered[0x90] ^= 1;
            Assert.False(openssl.Run("dgst", "-sha384", "-verify", key, "-signature", signature, Save("altered", altered)).Accepted);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static byte[] DerOf(ReadOnlySpan<byte> signature)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteInteger(new BigInteger(signature[..48], isUnsigned: true, isBigEndian: true));
            writer.WriteInteger(new BigInteger(signature[48..], isUnsigned: true, isBigEndian: true));
        }

        return writer.Encode();
    }
}

using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal.Tpm;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Reference.Manifest;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Tests.Tpm;

/// <summary>Quotes that cloud machines left, with the key that their HCL report names.</summary>
public class RecordedQuoteTests
{
    private const string Snp = "cpu/az-vtpm/az-snp-vtpm/";
    private const string Tdx = "cpu/az-vtpm/az-tdx-vtpm/";

    private static readonly ImmutableArray<int> s_all = [.. Enumerable.Range(0, 24)];

    [Theory]
    [InlineData(Snp, HclTee.Snp)]
    [InlineData(Tdx, HclTee.Tdx)]
    public void The_quote_of_an_Azure_machine_verifies_under_the_key_that_its_TEE_vouches_for(string folder, HclTee tee)
    {
        var evidence = Read(folder);

        var result = TpmAppraisal.AppraiseAzure(evidence, Verified(evidence), Expecting("challenge"u8), new OperationMeter());

        Assert.True(result.Quote is not null, Failures(result));
        Assert.Equal((TpmRoot.InTee, tee), (result.Root, result.Hcl!.Tee));
        Assert.True(result.Quote.Registers.IsInTee);
        Assert.Equal(24, result.Quote.Registers.Values.Count);
        Assert.Equal("tpm.hcl.user-data.match tpm.measurements.match", State(result, CheckState.NotChecked));
        Assert.Equal("tpm.quote.signer.match tpm.quote.boot.same", State(result, CheckState.NotApplicable));
        Assert.Equal(new byte[64], result.Hcl.Runtime.UserData.ToArray());
    }

    [Fact]
    public void The_runtime_data_of_an_Azure_machine_are_read()
    {
        Assert.True(HclReport.TryParse(Recorded.Bytes(Snp + "hcl-report.bin"), out var report, out var fault), fault?.ToString());

        Assert.Equal((true, true, "911B0EF8-9DBA-48B0-B275-4E4DF2D39252"), (report.Runtime.SecureBoot, report.Runtime.ConsoleEnabled, report.Runtime.VmUniqueId));
        Assert.Equal(1184, report.HardwareReport.Length);
        Assert.Equal(report.ExpectedReportData(), report.ReportData.ToArray());
    }

    [Fact]
    public void The_quote_beside_the_loose_HCL_report_verifies_under_its_key_and_two_loose_files_are_of_other_machines()
    {
        Assert.True(HclReport.TryParse(Recorded.Bytes(Snp + "hcl-report.bin"), out var report, out _));
        Assert.True(AttestationKey.TryInTee(report, OfSnp(report.HardwareReport, isNamed: true), out var key, out var whyNot), whyNot);
        // A serialization of its own: signature, message and 24 values, each list behind its length in 8 bytes, little-endian.
        var file = Recorded.Bytes(Snp + "quote.bin");
        const int signature = 8, message = signature + 256 + 8, values = message + 122 + 8;
        Assert.Equal(values + (24 * 32), file.Length);
        var evidence = new TpmQuoteEvidence
        {
            Signature = file.AsMemory(signature, 256),
            Message = file.AsMemory(message, 122),
            SignatureForm = TpmSignatureForm.RawRsaSsaSha256,
            Bank = TcgHash.Sha256,
            Values = Enumerable.Range(0, 24).ToImmutableSortedDictionary(register => register, register => new Digest(file.AsSpan(values + (32 * register), 32))),
        };
        var nonce = TpmQuote.TryParse(evidence.Message.Span, out var quote, out _) ? quote.ExtraData : default;

        var result = TpmAppraisal.Appraise(evidence, key, Expecting(nonce.Span), new OperationMeter());
        var loose = evidence with { Message = Recorded.Bytes(Snp + "tpm-quote.msg"), Signature = Recorded.Bytes(Snp + "tpm-quote.sig") };
        var refused = TpmAppraisal.Appraise(loose, key, Expecting("challenge"u8), new OperationMeter());

        Assert.True(result.Quote is not null, Failures(result));
        // Neither recorded HCL report names the key of the two loose files: python agrees.
        Assert.Contains("tpm.quote.signature.valid", State(refused, CheckState.Failed), StringComparison.Ordinal);
        Assert.Null(refused.Quote);
        var other = TpmAppraisal.AppraiseAzure(Read(Snp) with { Quote = loose }, Verified(Read(Snp)), Expecting("challenge"u8), new OperationMeter());
        Assert.Contains("tpm.quote.signature.valid", State(other, CheckState.Failed), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(Snp)]
    [InlineData(Tdx)]
    public void Without_a_verified_hardware_report_the_key_is_a_bare_one_and_nothing_is_trusted(string folder)
    {
        var result = TpmAppraisal.AppraiseAzure(Read(folder), null, Expecting("challenge"u8), new OperationMeter());

        Assert.Null(result.Quote);
        Assert.Equal(TpmRoot.None, result.Root);
        Assert.Equal("tpm.ak.root", State(result, CheckState.Failed));
    }

    [Theory]
    [InlineData(Snp)]
    [InlineData(Tdx)]
    public void A_vtpm_whose_paravisor_nobody_named_is_read_and_not_believed(string folder)
    {
        var evidence = Read(folder);
        var expected = Expecting("challenge"u8);

        var result = TpmAppraisal.AppraiseAzure(evidence, Verified(evidence, isNamed: false), expected, new OperationMeter());

        Assert.Empty(State(result, CheckState.Failed));
        Assert.Null(result.Quote);
        Assert.Equal(TpmRoot.None, result.Root);
        Assert.Contains("paravisor-not-named", result.Weakened);

        // Asking for PCRs is asking for more than it can say.
        var asked = TpmAppraisal.AppraiseAzure(evidence, Verified(evidence, isNamed: false), expected with { References = [] }, new OperationMeter());
        Assert.Equal("tpm.measurements.match", State(asked, CheckState.Failed));
    }

    [Theory]
    [InlineData("paravisor", true)]
    [InlineData("another", false)]
    [InlineData(null, false)]
    public void PCRs_count_only_under_the_paravisor_that_their_entry_names(string? paravisor, bool matches)
    {
        var evidence = Read(Snp);
        var reference = new TpmReference { Name = "boot", Bank = TcgHash.Sha256, Values = evidence.Quote.Values.Remove(16).Remove(23), Paravisor = paravisor };

        var result = TpmAppraisal.AppraiseAzure(evidence, Verified(evidence), Expecting("challenge"u8) with { References = [reference] }, new OperationMeter());

        Assert.Equal(matches ? "" : "tpm.measurements.match", State(result, CheckState.Failed));
        Assert.Equal(matches, result.Quote is not null);
    }

    [Fact]
    public void The_key_of_another_machine_is_refused()
    {
        var (snp, tdx) = (Read(Snp), Read(Tdx));

        // The other's hardware report verified: it says nothing of this key.
        var foreign = TpmAppraisal.AppraiseAzure(snp, Verified(tdx), Expecting("challenge"u8), new OperationMeter());
        // The other's quote under this key.
        var swapped = TpmAppraisal.AppraiseAzure(snp with { Quote = tdx.Quote }, Verified(snp), Expecting("challenge"u8), new OperationMeter());

        Assert.Null(foreign.Quote);
        Assert.Equal("tpm.hcl.report-data.match", State(foreign, CheckState.Failed));
        Assert.Null(swapped.Quote);
        Assert.Equal("tpm.quote.signature.valid", State(swapped, CheckState.Failed));
    }

    [Fact]
    public void Another_nonce_other_user_data_another_value_and_another_bank_are_told()
    {
        var evidence = Read(Snp);
        var verified = Verified(evidence);
        var expected = Expecting("challenge"u8);

        Assert.Equal("tpm.quote.nonce.match", Failed(evidence, expected with { QualifyingData = "another"u8.ToArray() }));
        Assert.Equal("tpm.hcl.user-data.match", Failed(evidence, expected with { UserData = new byte[] { 1 } }));
        Assert.Equal("tpm.quote.bank.accepted", Failed(evidence, expected with { Bank = TcgHash.Sha384 }));
        Assert.Equal("tpm.quote.registers.present", Failed(evidence, expected with { Registers = [] }));
        Assert.Equal("tpm.quote.boot.same", Failed(evidence, expected with { Earlier = new TpmClock(0, uint.MaxValue, 0, true) }));
        var values = evidence.Quote.Values.SetItem(23, new Digest(new byte[32].Select(_ => (byte)1).ToArray()));
        Assert.Equal("tpm.quote.registers.match", Failed(evidence with { Quote = evidence.Quote with { Values = values } }, expected));
        Assert.Equal("tpm.quote.registers.present", Failed(evidence with { Quote = evidence.Quote with { Values = evidence.Quote.Values.Remove(5) } }, expected));

        string Failed(AzureVtpmEvidence given, TpmExpectations wanted)
        {
            var result = TpmAppraisal.AppraiseAzure(given, verified, wanted, new OperationMeter());
            Assert.Null(result.Quote);
            return State(result, CheckState.Failed);
        }
    }

    [Fact]
    public void Trustee_s_TPM_evidence_is_signed_by_its_key_for_which_nobody_vouches()
    {
        using var file = JsonDocument.Parse(Recorded.Bytes("cpu/tpm/trustee_tpm_evidence.json"));
        var root = file.RootElement;
        using var rsa = RSA.Create();
        rsa.ImportSubjectPublicKeyInfo(root.GetProperty("ak_public").GetBytesFromBase64(), out _);
        var numbers = RsaPublicNumbers.Of(rsa.ExportParameters(false).Modulus, rsa.ExportParameters(false).Exponent)!;
        var quote = root.GetProperty("tpm_quote");
        var evidence = new TpmQuoteEvidence
        {
            Message = quote.GetProperty("message").GetBytesFromBase64(),
            Signature = quote.GetProperty("signature").GetBytesFromBase64(),
            SignatureForm = TpmSignatureForm.Tpmt,
            Bank = TcgHash.Sha256,
            Values = quote.GetProperty("pcrs").EnumerateArray().Index().ToImmutableSortedDictionary(item => item.Index, item => new Digest(Convert.FromHexString(item.Item.GetString()!))),
        };
        var nonce = TpmQuote.TryParse(evidence.Message.Span, out var parsed, out var fault) ? parsed.ExtraData : throw new InvalidOperationException(fault.ToString());
        Assert.Equal(64, nonce.Length);
        var key = AttestationKey.Bare(numbers, new TpmScheme(0x0014, TcgHash.Sha256));

        var result = TpmAppraisal.Appraise(evidence, key, Expecting(nonce.Span) with { Registers = [.. parsed.Selections[0].Registers] }, new OperationMeter());

        // Every question about the bytes holds; a bare key is not trusted all the same.
        Assert.Equal("tpm.ak.root", State(result, CheckState.Failed));
        Assert.Null(result.Quote);
    }

    [Fact]
    public void No_flipped_bit_of_Azure_evidence_leaves_another_quote_authentic()
    {
        var json = Recorded.Bytes(Snp + "evidence-v1.json");
        var genuine = Read(Snp);
        var verified = Verified(genuine);
        var expected = Expecting("challenge"u8);
        var (read, survived) = (0, 0);
        foreach (var flipped in Properties.FlipTests.Flips(json, 29))
        {
            if (!AzureVtpmEvidence.TryParse(flipped, out var evidence, out _))
            {
                continue;
            }

            read++;
            if (TpmAppraisal.AppraiseAzure(evidence, verified, expected, new OperationMeter()).Quote is { } quote)
            {
                // Only what the quote does not depend on: the chip's certificate, which the SNP report is verified under elsewhere, and the
                // part of the hardware report that is not REPORTDATA.
                survived++;
                Assert.Equal(genuine.Quote.Message.ToArray(), quote.Quote.Bytes.ToArray());
            }
        }

        Assert.InRange(read, 100, int.MaxValue);
        Assert.InRange(survived, 1, read - 1);
    }

    [Fact]
    public void Every_proper_prefix_of_an_HCL_report_is_refused_but_for_its_padding()
    {
        var bytes = Recorded.Bytes(Snp + "hcl-report.bin");
        const int content = 32 + 1184 + 1130;

        for (var length = 0; length < bytes.Length; length++)
        {
            Assert.Equal(length >= content, HclReport.TryParse(bytes.AsSpan(0, length), out _, out _));
        }

        bytes[^1] = 1;
        Assert.False(HclReport.TryParse(bytes, out _, out var fault));
        Assert.Equal("padding", fault.Field);
    }

    [Fact]
    public void Every_flipped_bit_of_an_HCL_report_is_refused_or_changes_what_is_bound()
    {
        var bytes = Recorded.Bytes(Snp + "hcl-report.bin");
        Assert.True(HclReport.TryParse(bytes, out var genuine, out _));
        var verified = OfSnp(genuine.HardwareReport, isNamed: true);
        var versions = 0;
        for (var bit = 0; bit < bytes.Length * 8; bit++)
        {
            var flipped = (byte[])bytes.Clone();
            flipped[bit / 8] ^= (byte)(1 << bit % 8);
            if (!HclReport.TryParse(flipped, out var report, out _) || !AttestationKey.TryInTee(report, verified, out _, out _))
            {
                continue;
            }

            // The hardware report's own bytes are the TEE's to judge; of the header, the version has two values.
            var isHardware = bit / 8 is >= 32 and < 32 + 1184;
            versions += isHardware ? 0 : 1;
            Assert.True(isHardware || bit / 8 is >= 4 and < 8 || bit / 8 is >= 1228 and < 1236, $"bit {bit}");
            Assert.Equal(genuine.RuntimeBytes.ToArray(), report.RuntimeBytes.ToArray());
        }

        Assert.InRange(versions, 0, 2);
    }

    internal static AzureVtpmEvidence Read(string folder)
    {
        Assert.True(AzureVtpmEvidence.TryParse(Recorded.Bytes(folder + "evidence-v1.json"), out var evidence, out var fault), fault?.ToString());
        return evidence;
    }

    // The SNP report and the TD quote under their real roots, matched with what they measured as a paravisor that the relying party named.
    private static ParavisorMatch Verified(AzureVtpmEvidence evidence, bool isNamed = true)
    {
        Assert.True(HclReport.TryParse(evidence.HclReport.Span, out var report, out var fault), fault?.ToString());
        return evidence.TdQuote is { } quote ? OfTd(quote, isNamed) : OfSnp(report.HardwareReport, isNamed, evidence.Vcek);
    }

    private static ParavisorMatch OfTd(ReadOnlyMemory<byte> quote, bool isNamed)
    {
        Assert.True(TdxQuote.TryParse(quote.Span, out var parsed, out _));
        var paravisor = new TdxReference { Name = "paravisor", MrTd = parsed.Body.MrTd, Rtmr = [null, null, null, null], IsParavisor = true };
        var judged = new JudgedTdx { Quote = quote.ToArray(), At = s_day, With = expected => expected with { BesideVtpm = true, References = isNamed ? [paravisor] : null } };
        return ParavisorMatch.Of(judged.Result())!;
    }

    private static ParavisorMatch OfSnp(ReadOnlyMemory<byte> bytes, bool isNamed, ReadOnlyMemory<byte>? vcek = null)
    {
        Assert.True(SnpReport.TryParse(bytes.Span, out var parsed, out _));
        var paravisor = new SnpReference { Name = "paravisor", Measurement = parsed.Measurement, IsParavisor = true };
        var judged = JudgedSnp.Recorded("azure", "2025-01-01T00:00:00Z");
        var result = (judged with { Report = bytes.ToArray(), Collateral = vcek is { } own ? new SnpCollateral { Certificates = [own, .. JudgedSnp.Read("roots/ask_ark_milan.pem")] } : judged.Collateral, With = expected => judged.With(expected) with { BesideVtpm = true, References = isNamed ? [paravisor] : null } }).Result();
        return ParavisorMatch.Of(result)!;
    }

    private static readonly DateTimeOffset s_day = new(2026, 3, 1, 0, 0, 0, TimeSpan.Zero);

    private static TpmExpectations Expecting(ReadOnlySpan<byte> nonce) => new() { QualifyingData = nonce.ToArray(), Bank = TcgHash.Sha256, Registers = s_all, References = null };

    private static string State(TpmResult result, CheckState state) => string.Join(' ', result.Findings.Where(finding => finding.State == state).Select(finding => finding.Id));

    private static string Failures(TpmResult result) => string.Join("; ", result.Findings.Where(finding => finding.State is not CheckState.Held).Select(finding => $"{finding.Id}: {finding.Reason} {finding.Found} {finding.Expected}"));
}

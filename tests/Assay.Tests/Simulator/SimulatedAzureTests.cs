using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Evidence.Tpm;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Tests.Simulator;

/// <summary>Simulated Azure VMs, judged by the verifier: the honest ones pass, and a poser's hardware evidence is as genuine as theirs.</summary>
public class SimulatedAzureTests
{
    private static readonly byte[] s_nonce = SHA512.HashData("a challenge"u8);
    private static readonly SimulatedBoot s_boot = SimulatedBoot.Create(new SimulatedBootPlan { Devices = [SimulatedBootDevice.Random()], Policy = SHA384.HashData("a policy"u8) });
    private static readonly SnpReference s_paravisor = new() { Name = "paravisor", Measurement = new Digest(SimulatedAzure.ParavisorMeasurement), IdKeyDigest = new Digest(SimulatedAzure.ParavisorIdKeyDigest) };
    private static readonly SnpReference s_bareMetal = new() { Name = "bare metal", Measurement = new Digest(SimulatedSnp.GoodMeasurement), HostData = new Digest(SimulatedSnp.GoodHostData) };
    private static readonly TdxReference s_paravisorTd = Reference(SimulatedAzure.ParavisorMrTd, [.. TdxGuest.Paravisor.Rtmr]);
    private static readonly TdxReference s_bareMetalTd = Reference(SimulatedTdx.GoodMrTd, [.. TdxGuest.BareMetal.Rtmr]);

    [Theory]
    [InlineData(SnpLine.Milan, 2)]
    [InlineData(SnpLine.Milan, null)]
    [InlineData(SnpLine.Genoa, null)]
    [InlineData(SnpLine.Turin, null)]
    public void An_honest_VM_on_SNP_passes(SnpLine line, int? version)
    {
        var made = SimulatedAzure.OnSnp(SimulatedCpu.Amd, line, s_boot, s_nonce, new SimulatedAzureOptions { SnpVersion = version });

        var result = Judge(made, snp: s_paravisor);

        var (evidence, hcl) = Parse(made);
        Assert.Equal(made.Snp!.Certificates[^1], evidence.Vcek!.Value.ToArray());
        Assert.Equal((HclTee.Snp, false), (hcl.Tee, evidence.TdQuote.HasValue));
        Assert.Equal(made.Snp.Report, hcl.HardwareReport.ToArray());
        Passes(result);
        Assert.Equal(5u, ((SnpResult)result.Tee!).Report!.Report.GuestSvn);
        Assert.False(((SnpResult)result.Tee).Report!.Report.AuthorKeyEnabled);
    }

    [Fact]
    public void An_honest_VM_on_TDX_passes()
    {
        var made = SimulatedAzure.OnTdx(SimulatedCpu.Intel, s_boot, s_nonce);

        var result = Judge(made, tdx: s_paravisorTd);

        var (evidence, hcl) = Parse(made);
        Assert.Equal(made.Tdx!.Quote, evidence.TdQuote!.Value.ToArray());
        Assert.Equal((HclTee.Tdx, false), (hcl.Tee, evidence.Vcek.HasValue));
        Passes(result);
        Assert.Equal(hcl.ReportData.ToArray(), ((TdxResult)result.Tee!).Quote!.Quote.Body.ReportData.Bytes.ToArray());
        Assert.False(((TdxResult)result.Tee).Quote!.Quote.Body.Attributes.SeptVeDisable);
    }

    [Fact]
    public void The_runtime_data_say_what_the_options_say()
    {
        var userData = SHA512.HashData("written for this challenge"u8);
        var options = new SimulatedAzureOptions { UserData = userData, SecureBoot = false, ConsoleEnabled = false };

        foreach (var made in new[] { Snp(options), Tdx(options) })
        {
            var (evidence, hcl) = Parse(made);
            Assert.Equal(made.HclReport, evidence.HclReport.ToArray());
            Assert.Equal(2600, made.HclReport.Length);
            Assert.Equal(hcl.ExpectedReportData(), hcl.ReportData.ToArray());
            Assert.Equal(userData, hcl.Runtime.UserData.ToArray());
            Assert.Equal((false, false), (hcl.Runtime.SecureBoot, hcl.Runtime.ConsoleEnabled));
            Assert.NotNull(hcl.Runtime.VmUniqueId);
            Assert.Equal(s_boot.Pcrs.Select(value => new Digest(value.Span)), evidence.Quote.Values.Values);
        }
    }

    [Fact]
    public void The_hardware_report_says_what_the_options_say()
    {
        var (measurement, idKey, authorKey) = (SHA384.HashData("m"u8), SHA384.HashData("i"u8), SHA384.HashData("a"u8));
        var guest = SnpGuest.Paravisor with { Measurement = measurement, IdKeyDigest = idKey, AuthorKeyDigest = authorKey, Svn = 7, Vmpl = 2, Tcb = new SnpLevels(0, 3, 0, 20, 200) };
        Assert.True(SnpReport.TryParse(Snp(new SimulatedAzureOptions { Snp = guest }).Snp!.Report, out var report, out var fault), fault?.ToString());
        Assert.Equal((new Digest(measurement), new Digest(idKey), new Digest(authorKey)), (report.Measurement, report.IdKeyDigest, report.AuthorKeyDigest));
        Assert.Equal((7u, 2u, true), (report.GuestSvn, report.Vmpl, report.AuthorKeyEnabled));
        Assert.Equal(report.ReportedTcb, report.LaunchTcb);

        var td = TdxGuest.Paravisor with { MrTd = measurement, Attributes = TdxGuest.SeptVeDisable, Rtmr = s_boot.Rtmrs };
        Assert.True(TdxQuote.TryParse(Tdx(new SimulatedAzureOptions { Tdx = td }).Tdx!.Quote, out var quote, out fault), fault?.ToString());
        Assert.Equal(new Digest(measurement), quote.Body.MrTd);
        Assert.True(quote.Body.Attributes.SeptVeDisable);
        Assert.Equal(s_boot.Rtmrs.Select(register => new Digest(register.Span)), quote.Body.Rtmr);
    }

    [Fact]
    public void Faults_of_the_hardware_evidence_are_told()
    {
        Refused(Judge(Snp(new SimulatedAzureOptions { SnpFault = SnpFault.ReportedAboveCommitted }), snp: s_paravisor), "snp.tcb");
        Refused(Judge(Snp(new SimulatedAzureOptions { Snp = SnpGuest.Paravisor with { Vmpl = 1 } }), snp: s_paravisor), "snp.vmpl");
        Refused(Judge(Snp(new SimulatedAzureOptions { Snp = SnpGuest.Paravisor with { Tcb = new SnpLevels(0, 4, 1, 23, 213) } }), snp: s_paravisor), "snp.tcb");
        Refused(Judge(Snp(new SimulatedAzureOptions { SnpFault = SnpFault.OtherReportData }), snp: s_paravisor), "tpm.hcl.report-data.match");
        Refused(Judge(Tdx(new SimulatedAzureOptions { TdxFault = TdxFault.PlatformOutOfDate }), tdx: s_paravisorTd), "tdx.tcb");
        Refused(Judge(Tdx(new SimulatedAzureOptions { TdxFault = TdxFault.OtherReportData }), tdx: s_paravisorTd), "tpm.hcl.report-data.match");
    }

    [Fact]
    public void Another_nonce_is_refused() =>
        Refused(Judge(SimulatedAzure.OnSnp(SimulatedCpu.Amd, SnpLine.Milan, s_boot, SHA512.HashData("another"u8)), snp: s_paravisor), "tpm.quote.nonce.match");

    // What a verifier must find wrong with it: neither signature, nor binding, but that a known image is not a paravisor.
    [Fact]
    public void A_poser_on_SNP_has_genuine_evidence_of_a_known_image()
    {
        ImmutableArray<ReadOnlyMemory<byte>> chosen = [.. Enumerable.Range(0, 24).Select(register => (ReadOnlyMemory<byte>)SHA256.HashData([(byte)register]))];
        var made = Snp(SimulatedAzureOptions.Poser with { Pcrs = chosen });

        var (evidence, hcl) = Parse(made);
        Assert.Equal(chosen.Select(value => new Digest(value.Span)), evidence.Quote.Values.Values);
        var judged = new JudgedSnp
        {
            Report = hcl.HardwareReport.ToArray(),
            At = SimulatedCpu.Now,
            Trust = SimulatedCpu.Trust,
            Collateral = Collateral(made).Snp with { Certificates = [.. made.Snp!.Certificates.Select(der => (ReadOnlyMemory<byte>)der)] },
            With = expected => expected with { ReportData = Bound(hcl), References = [s_bareMetal] },
        }.Result();
        Assert.Empty(JudgedTdx.Failed(judged.Findings));
        Assert.NotNull(judged.Report);
        Signs(evidence, judged.Report.Report.ReportData);
        Refused(Judge(made, snp: s_paravisor), "snp.measurement.match");
    }

    [Fact]
    public void A_poser_on_TDX_has_genuine_evidence_of_a_known_image()
    {
        var made = Tdx(SimulatedAzureOptions.Poser);

        var (evidence, hcl) = Parse(made);
        var judged = new JudgedTdx
        {
            Quote = evidence.TdQuote!.Value.ToArray(),
            At = SimulatedCpu.Now,
            Trust = SimulatedCpu.Trust,
            Collateral = Collateral(made).Tdx,
            With = expected => expected with { ReportData = Bound(hcl), References = [s_bareMetalTd] },
        }.Result();
        Assert.Empty(JudgedTdx.Failed(judged.Findings));
        Assert.NotNull(judged.Quote);
        Signs(evidence, judged.Quote.Quote.Body.ReportData);
        Refused(Judge(made, tdx: s_paravisorTd), "tdx.measurements.match");
    }

    private static SimulatedAzure Snp(SimulatedAzureOptions options) => SimulatedAzure.OnSnp(SimulatedCpu.Amd, SnpLine.Milan, s_boot, s_nonce, options);

    private static SimulatedAzure Tdx(SimulatedAzureOptions options) => SimulatedAzure.OnTdx(SimulatedCpu.Intel, s_boot, s_nonce, options);

    private static (AzureVtpmEvidence Evidence, HclReport Hcl) Parse(SimulatedAzure made)
    {
        Assert.True(AzureVtpmEvidence.TryParse(made.Evidence, out var evidence, out var fault), fault?.ToString());
        Assert.True(HclReport.TryParse(evidence.HclReport.Span, out var hcl, out fault), fault?.ToString());
        return (evidence, hcl);
    }

    private static ProcessorResult Judge(SimulatedAzure made, SnpReference? snp = null, TdxReference? tdx = null)
    {
        Assert.True(ProcessorEvidence.TryParse(made.Evidence, "azure.json", out var evidence, out var fault), fault?.ToString());
        Assert.Equal(ProcessorEvidenceKind.AzureVtpm, evidence.Kind);
        var registers = s_boot.Pcrs.Index().Where(item => item.Index is not (16 or 23));
        return ProcessorAppraisal.Appraise(evidence, Collateral(made), new ProcessorExpectations
        {
            Key = null,
            AdditionalEvidence = "",
            ReportData = ReportData.TryCreate(s_nonce, out var data) ? data : null,
            TdxReferences = tdx is null ? [] : [tdx with { IsParavisor = true }],
            SnpReferences = snp is null ? [] : [snp with { IsParavisor = true }],
            SnpMinimumTcb = Enum.GetValues<SnpLine>().ToImmutableDictionary(line => Enum.Parse<SnpProduct>($"{line}"), line => new SnpTcbParts((byte)(line is SnpLine.Turin ? 2 : 0), 4, 1, 24, 213)),
            TpmReferences = [new TpmReference { Name = "boot", Paravisor = (snp?.Name ?? tdx?.Name)!, Bank = TcgHash.Sha256, Values = registers.ToImmutableSortedDictionary(item => item.Index, item => new Digest(item.Item.Span)) }],
            Basis = new TrustBasis(new EvaluationTime(SimulatedCpu.Now, TimeSource.System), SimulatedCpu.Trust, RevocationChecking.Required),
        }, new VerifierCache());
    }

    private static ProcessorCollateral Collateral(SimulatedAzure made) => new()
    {
        // The VCEK is in the evidence: root and authority are what a verifier fetches.
        Snp = made.Snp is { } snp ? new SnpCollateral { Certificates = [.. snp.Certificates[..^1].Select(der => (ReadOnlyMemory<byte>)der)], Crl = snp.Crl } : SnpCollateral.Empty,
        Tdx = made.Tdx is not { } tdx ? TdxCollateral.Empty
            : TdxCollateral.TryParse(tdx.Collateral, out var collateral, out var why) ? collateral : throw new InvalidOperationException(why.ToString()),
    };

    private static void Passes(ProcessorResult result)
    {
        Assert.Empty(JudgedTdx.Failed(result.Findings));
        Assert.True(result.Tee!.Passed);
        Assert.Equal(TpmRoot.InTee, result.Tpm!.Root);
        Assert.NotNull(result.Registers);
        Assert.Empty(result.Missing);
    }

    private static void Refused(ProcessorResult result, string id) =>
        Assert.Contains(JudgedTdx.Failed(result.Findings), failed => failed.StartsWith(id, StringComparison.Ordinal));

    // The vTPM's key is in the hashed runtime data, and the quote is signed by it: asked of .NET's RSA, not of the appraisal.
    private static void Signs(AzureVtpmEvidence evidence, ReportData authentic)
    {
        Assert.True(HclReport.TryParse(evidence.HclReport.Span, out var hcl, out _));
        Assert.Equal(hcl.ExpectedReportData(), authentic.Bytes.ToArray());
        using var key = RSA.Create(new RSAParameters { Modulus = hcl.Runtime.AttestationKey.Modulus.ToArray(), Exponent = hcl.Runtime.AttestationKey.Exponent.ToArray() });
        Assert.True(key.VerifyData(evidence.Quote.Message.Span, evidence.Quote.Signature.Span, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
    }

    private static ReportData? Bound(HclReport hcl) => ReportData.TryCreate(hcl.ExpectedReportData(), out var data) ? data : null;

    private static TdxReference Reference(byte[] mrTd, ReadOnlyMemory<byte>[] rtmr) =>
        new() { Name = "td", MrTd = new Digest(mrTd), Rtmr = [.. rtmr.Select(register => (Digest?)new Digest(register.Span))] };
}

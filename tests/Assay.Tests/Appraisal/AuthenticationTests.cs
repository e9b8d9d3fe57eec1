using Assay.Appraisal.Devices;
using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Appraisal;

public class AuthenticationTests
{
    /// <summary>Files of recorded evidence with what their device calls itself and whether it reports a FWID.</summary>
    public static TheoryData<string, string?, string, bool> Authentic => new()
    {
        { "gpu/hopper_545.00_full_offline/attestationReport.txt", "gpu/hopper_545.00_full_offline/gpuAkCertChain.txt", "GH100 A01 GSP BROM", false },
        { "gpu/hopper_535.86.09/hopperAttestationReport.txt", "gpu/hopper_535.86.09/hopperCertChain.txt", "GH100 A01 GSP BROM", false },
        { "gpu/hopper_590.12_single.json", null, "GH100 A01 GSP BROM", true },
        { "gpu/hopper_570.86.10_cert_hold.json", null, "GH100 A01 GSP BROM", true },
        { "gpu/hopper_545.00_full_offline/evidence_derived.json", null, "GH100 A01 GSP BROM", false },
        { "gpu/blackwell_575.32/blackwellAttestationReport.txt", "gpu/blackwell_575.32/blackwellCertChain.txt", "GB100 A01 GSP BROM", true },
        { "switch/ls10_96.10.55.00.01_full_offline/switchAttestationReport.txt", "switch/ls10_96.10.55.00.01_full_offline/switchCertChain.txt", "LS_10 A01 FSP BROM", false },
        { "switch/ls10_96.10.55.00.01_full_offline/switch_evidence_ls10.json", null, "LS_10 A01 FSP BROM", false },
        { "sdk2x/blackwell_evidence.cmw.json", null, "GB100 A01 GSP BROM", true },
        { "sdk2x/blackwell_fsp_evidence.cmw.json", null, "GB100 A01 FSP BROM", false },
        { "sdk2x/blackwellFspAttestationReport.txt", "sdk2x/blackwellFspCertChain.txt", "GB100 A01 FSP BROM", false },
        { "sdk2x/rubin_evidence.cmw.json", null, "GR100 A01 GSP BROM", true },
        { "sdk2x/rubin_report_derived.txt", "sdk2x/rubin_chain_derived.pem", "GR100 A01 GSP BROM", true },
    };

    [Theory]
    [MemberData(nameof(Authentic))]
    public void Recorded_evidence_is_authentic(string evidence, string? chain, string hardwareModel, bool reportsFwid)
    {
        var (device, findings, unparsable) = AuthenticDevice.Authenticate(Load(evidence, chain), Expect(null).Question, new VerifierCache());

        Assert.False(unparsable);
        Assert.True(device is not null, string.Join("\n", findings.Where(finding => finding.State is CheckState.Failed).Select(finding => $"{finding.Id}: {finding.Reason}")));
        Assert.Equal(hardwareModel, device.Identity.HardwareModel);
        Assert.NotNull(device.Identity.Pdi);
        Assert.Equal(reportsFwid ? CheckState.Held : CheckState.NotApplicable, findings.Single(finding => finding.Id == "report.fwid.match").State);
        Assert.Equal(NotCheckedCause.Waived, findings.Single(finding => finding.Id == "report.nonce.match").Cause);
    }

    [Fact]
    public void A_recorded_report_with_an_invalid_signature_is_refused_for_its_signature()
    {
        var evidence = Load("negative/gpu/hopperAttestationReportInvalidSignature.txt", "negative/gpu/hopperCertChainExpired.txt");

        var (device, findings, _) = AuthenticDevice.Authenticate(evidence, Expect(null).Question, new VerifierCache());

        Assert.Null(device);
        Assert.Equal(["report.signature.valid"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    internal static DeviceExpectations Expect(string? nonce, string at = "2026-11-01T00:00:00Z") => new()
    {
        Nonce = nonce is not null && Nonce.TryParse(nonce, out var parsed, out _) ? parsed : null,
        Basis = new TrustBasis(new EvaluationTime(DateTimeOffset.ParseExact(at, "yyyy-MM-dd'T'HH:mm:ssZ", null, System.Globalization.DateTimeStyles.AssumeUniversal), TimeSource.Stated), TrustSet.Nvidia, RevocationChecking.DangerouslySkipped),
    };

    internal static DeviceEvidence Load(string evidence, string? chain)
    {
        var bytes = Recorded.Bytes("nvidia/" + evidence);
        if (chain is null)
        {
            Assert.True(EvidenceFile.TryParse(bytes, evidence, out var devices, out var fault), fault?.ToString());
            return devices.Single();
        }

        Assert.True(EvidenceText.TryReadReport(bytes, out var report, out var why), why?.ToString());
        return new DeviceEvidence { Source = evidence, Report = report, Chain = Recorded.Bytes("nvidia/" + chain) };
    }
}

using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Appraisal;

/// <summary>Every recorded vector with the verdict of its INDEX.md.</summary>
public class RecordedVerdictTests
{
    internal const string S1 = "switch/ls10_96.10.55.00.01_full_offline/switch_evidence_ls10.json";
    internal const string S1Nonce = "931d8dd0add203ac3d8b4fbde75e115278eefcdceac5b87671a748f32364dfcb";
    internal const string G1 = "gpu/hopper_545.00_full_offline/evidence_derived.json";
    internal const string G1Nonce = "4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e";
    private const string S1Folder = "switch/ls10_96.10.55.00.01_full_offline/";
    private const string G2 = "gpu/hopper_535.86.09/hopperAttestationReport.txt";
    private const string G2Chain = "gpu/hopper_535.86.09/hopperCertChain.txt";
    private const string G2Driver = "NV_GPU_DRIVER_GH100_535.86.09";
    private const string G2Vbios = "NV_GPU_VBIOS_1010_0200_882_96005E0001";
    private const string S1Bios = "NV_SWITCH_BIOS_5612_0002_890_9610550001";

    internal static Judged Switch => new Judged { Nonce = S1Nonce }.WithRimsOf("rims/fsstore_switch");

    internal static Judged Gpu => new Judged { Nonce = G1Nonce, At = "2024-06-01T00:00:00Z" }.WithRimsOf("rims/fsstore_545.00");

    [Theory]
    [InlineData(S1, null)]
    [InlineData(S1Folder + "switchAttestationReport.txt", S1Folder + "switchCertChain.txt")]
    public void S1_passes_with_31_of_31_measurements(string evidence, string? chain)
    {
        var verdict = Switch.Verdict(evidence, chain);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Empty(Judged.Failed(verdict));
        Assert.Empty(verdict.Appraisal.Missing);
        AssertMatched(31, 31, verdict);
        Assert.Equal("proven", verdict.Freshness);
        Assert.Equal(["revocation-skipped", "time-stated"], verdict.Appraisal.Weakened);
        Assert.Equal(("none", "built-in", "stated"), (verdict.Binding, verdict.Anchors, verdict.TimeSource));
        Assert.False(verdict.NvidiaOverallResult);
    }

    [Fact]
    public void Without_a_nonce_S1_passes_and_says_that_freshness_is_not_proven()
    {
        var verdict = (Switch with { Nonce = null }).Verdict(S1);

        Assert.Equal((VerdictKind.Pass, "not-proven"), (verdict.Kind, verdict.Freshness));
        Assert.Equal(["nonce-not-given", "revocation-skipped", "time-stated"], verdict.Appraisal.Weakened);
        Assert.Equal(CheckState.NotChecked, Judged.Finding(verdict, "report.nonce.match").State);
    }

    [Fact]
    public void A_wrong_nonce_fails_for_the_nonce_alone()
    {
        var verdict = (Switch with { Nonce = new string('0', 64) }).Verdict(S1);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["report.nonce.match"], Judged.Failed(verdict));
        Assert.Equal((S1Nonce, new string('0', 64)), (Judged.Finding(verdict, "report.nonce.match").Found, Judged.Finding(verdict, "report.nonce.match").Expected));
    }

    [Fact]
    public void One_switch_four_times_is_refused_as_a_duplicate()
    {
        var verdict = Switch.Verdict(S1Folder + "multi_switch_ls10.json");

        Assert.Equal(4, verdict.Appraisal.Devices.Length);
        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["set.devices.distinct"], Judged.Failed(verdict));
        Assert.Contains("devices 0, 1, 2, 3 are the same device", Judged.Finding(verdict, "set.devices.distinct").Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void G1_passes_with_33_of_33_measurements_while_its_signers_are_valid()
    {
        var verdict = Gpu.Verdict(G1);

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        AssertMatched(33, 33, verdict);
        // Index 35 counts only where NVDEC0 is on, and stands in the RIM whether it counts or not.
        Assert.True(verdict.Appraisal.Devices[0].Measurements!.Skipped is [] or [35]);
    }

    [Fact]
    public void G1_fails_today_because_its_RIM_signers_have_expired_and_for_nothing_else()
    {
        var verdict = (Gpu with { At = "2026-11-01T00:00:00Z" }).Verdict(G1);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["rim.driver.chain.current", "rim.vbios.chain.current"], Judged.Failed(verdict));
        Assert.All(Judged.Failed(verdict), id => Assert.Contains("expired", Judged.Finding(verdict, id).Reason, StringComparison.Ordinal));
        Assert.All(Judged.Failed(verdict), id => Assert.Contains("fetch the RIM again", Judged.Finding(verdict, id).Reason, StringComparison.Ordinal));
        AssertMatched(33, 33, verdict);
        Assert.DoesNotContain(verdict.Proven, sentence => sentence.Contains("measurement", StringComparison.Ordinal));
    }

    [Fact]
    public void G1_fails_before_its_certificates_began()
    {
        var verdict = (Gpu with { At = "2023-01-01T00:00:00Z" }).Verdict(G1);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Contains("rim.driver.chain.current", Judged.Failed(verdict));
        Assert.Contains("not valid yet", Judged.Finding(verdict, "rim.driver.chain.current").Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void G2_with_its_VBIOS_RIM_alone_is_incomplete_and_the_other_half_is_still_compared()
    {
        var verdict = G2Judge.WithRim(G2Vbios, $"rims/{G2Vbios}.xml").Verdict(G2, G2Chain);

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        Assert.Equal([("rim", G2Driver)], verdict.Appraisal.Missing.Select(item => (item.Kind, item.Id)));
        Assert.Equal((CheckState.Held, "12 of 12"), (Judged.Finding(verdict, "measurements.vbios.match").State, Judged.Finding(verdict, "measurements.vbios.match").Found));
        Assert.Equal(NotCheckedCause.Stopped, Judged.Finding(verdict, "measurements.driver.match").Cause);
    }

    [Fact]
    public void G2_with_the_other_VBIOS_RIM_fails_at_index_9_although_the_driver_RIM_is_missing()
    {
        var verdict = G2Judge.WithRim(G2Vbios, $"negative/rims/{G2Vbios}_measurement_mismatch.xml").Verdict(G2, G2Chain);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["measurements.vbios.match"], Judged.Failed(verdict));
        Assert.Equal([9], verdict.Appraisal.Devices[0].Measurements!.Mismatches.Select(mismatch => mismatch.Index));
        Assert.Equal([G2Driver], verdict.Appraisal.Missing.Select(item => item.Id));
    }

    [Theory]
    [InlineData("negative/rims/NV_GPU_DRIVER_GH100_535.86.09_measurement_mismatch.xml", "the digest of the document differs")]
    [InlineData("negative/rims/incorrect_signature_driver_rim.xml", "ds:SignatureValue does not verify")]
    public void A_doctored_driver_RIM_fails_for_its_signature_and_its_values_are_not_compared(string file, string reason)
    {
        var verdict = G2Judge.WithRim(G2Vbios, $"rims/{G2Vbios}.xml").WithRim(G2Driver, file).Verdict(G2, G2Chain);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["rim.driver.signature.valid"], Judged.Failed(verdict));
        Assert.StartsWith(reason, Judged.Finding(verdict, "rim.driver.signature.valid").Reason, StringComparison.Ordinal);
        Assert.Equal(12, verdict.Appraisal.Devices[0].Measurements!.Compared);
        Assert.Equal(NotCheckedCause.Stopped, Judged.Finding(verdict, "measurements.driver.match").Cause);
    }

    [Theory]
    [InlineData("invalid_signature")]
    [InlineData("measurement_mismatch")]
    public void A_doctored_switch_RIM_fails_for_its_signature_and_nothing_is_compared(string defect)
    {
        var verdict = new Judged { Nonce = S1Nonce }.WithRim(S1Bios, $"negative/rims/{S1Bios}_{defect}.xml").Verdict(S1);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Contains("rim.switch.signature.valid", Judged.Failed(verdict));
        Assert.Null(verdict.Appraisal.Devices[0].Measurements);
    }

    [Fact]
    public void A_genuine_RIM_of_another_version_offered_under_the_wanted_id_is_not_compared()
    {
        var verdict = G2Judge.WithRim(G2Vbios, $"rims/{G2Vbios}.xml").WithRim(G2Driver, "rims/NV_GPU_DRIVER_GH100_550.144.03.xml").Verdict(G2, G2Chain);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Contains("rim.driver.version.match", Judged.Failed(verdict));
        Assert.Equal(("550.144.03", "535.86.09"), (Judged.Finding(verdict, "rim.driver.version.match").Found, Judged.Finding(verdict, "rim.driver.version.match").Expected));
        Assert.Equal(12, verdict.Appraisal.Devices[0].Measurements!.Compared);
    }

    [Fact]
    public void A_genuine_GPU_RIM_offered_for_a_switch_fails_for_its_edition()
    {
        var verdict = new Judged { Nonce = S1Nonce }.WithRim(S1Bios, $"rims/{G2Vbios}.xml").Verdict(S1);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Contains("rim.switch.edition.match", Judged.Failed(verdict));
        Assert.Null(verdict.Appraisal.Devices[0].Measurements);
    }

    [Theory]
    [InlineData("gpu/hopper_590.12_single.json", null, "NV_GPU_DRIVER_GH100_590.12", "NV_GPU_VBIOS_G520_0200_885_9600A50001")]
    [InlineData("gpu/hopper_570.86.10_cert_hold.json", null, "NV_GPU_DRIVER_GH100_570.86.10", "NV_GPU_VBIOS_1010_0200_882_9600AF0001")]
    [InlineData("gpu/blackwell_575.32/blackwellAttestationReport.txt", "gpu/blackwell_575.32/blackwellCertChain.txt", "NV_GPU_CC_DRIVER_GB100_575.32", "NV_GPU_VBIOS_G525_0220_886_970088000F")]
    [InlineData("sdk2x/blackwell_evidence.cmw.json", null, "NV_GPU_CC_DRIVER_GB100_575.32", "NV_GPU_VBIOS_G525_0220_886_970088000F")]
    public void Evidence_without_its_RIMs_is_incomplete_and_names_them(string evidence, string? chain, string driver, string vbios)
    {
        var verdict = new Judged().Verdict(evidence, chain);

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        Assert.Empty(Judged.Failed(verdict));
        Assert.Equal([("rim", driver), ("rim", vbios)], verdict.Appraisal.Missing.Select(item => (item.Kind, item.Id)));
        Assert.Equal(CheckState.Held, Judged.Finding(verdict, "report.signature.valid").State);
        Assert.Equal(CheckState.Held, Judged.Finding(verdict, "report.fwid.match").State);
        var claims = Judged.Claims(verdict.Appraisal.Devices[0], ClaimsVersion.V4);
        Assert.Equal("not-run", claims.GetProperty("measres").GetString());
    }

    [Theory]
    [InlineData("sdk2x/blackwellFspAttestationReport.txt", "sdk2x/blackwellFspCertChain.txt")]
    [InlineData("sdk2x/blackwell_fsp_evidence.cmw.json", null)]
    [InlineData("sdk2x/rubin_evidence.cmw.json", null)]
    [InlineData("sdk2x/rubin_report_derived.txt", "sdk2x/rubin_chain_derived.pem")]
    public void Evidence_whose_reference_values_exist_only_as_CoRIM_is_incomplete_and_says_so(string evidence, string? chain)
    {
        var verdict = new Judged().Verdict(evidence, chain);

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        Assert.Empty(Judged.Failed(verdict));
        Assert.Equal(["corim", "corim"], verdict.Appraisal.Missing.Select(item => item.Kind));
        Assert.All(verdict.Appraisal.Missing, item => Assert.Contains("CoRIM only", item.Reason, StringComparison.Ordinal));
        Assert.NotNull(verdict.Appraisal.Devices[0].Device);
    }

    [Fact]
    public void G7_fails_for_its_signature_and_nothing_more_is_asked()
    {
        var verdict = new Judged().Verdict("negative/gpu/hopperAttestationReportInvalidSignature.txt", "negative/gpu/hopperCertChainExpired.txt");

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["report.signature.valid"], Judged.Failed(verdict));
        Assert.Empty(verdict.Appraisal.Devices[0].Rims);
    }

    [Fact]
    public void The_report_of_one_device_with_the_chain_of_another_fails_for_its_signature()
    {
        var verdict = new Judged().Verdict(G2, "gpu/hopper_545.00_full_offline/gpuAkCertChain.txt");

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["report.signature.valid"], Judged.Failed(verdict));
    }

    [Fact]
    public void Devices_of_different_sessions_are_no_set()
    {
        var verdict = (Switch with { Nonce = null }).Verdict([.. Judged.Load(S1), .. Judged.Load(G1)]);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        // Nor are they one machine.
        Assert.Equal(["set.nonce.same", "topology.gpus.match", "topology.switches.match"], Judged.Failed(verdict));
    }

    [Fact]
    public void No_evidence_fails()
    {
        var verdict = new Judged().Verdict([]);

        Assert.Equal(VerdictKind.Fail, verdict.Kind);
        Assert.Equal(["set.devices.present"], Judged.Failed(verdict));
    }

    [Fact]
    public void Nothing_chosen_is_refused()
    {
        var expected = new DeviceExpectations
        {
            Nonce = null,
            Basis = new TrustBasis(new EvaluationTime(EvaluationTime.ReleaseDate, TimeSource.None), TrustSet.Nvidia, RevocationChecking.None),
        };
        var cache = new VerifierCache();
        var result = DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate(Judged.Load(S1), expected, cache), new MachineCollateral { Rims = Switch.Rims }, expected, cache);

        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(result).Kind);
        Assert.Equal(["revocation.chosen", "time.source.chosen"], result.AllFindings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_finding_of_every_vector_has_an_id_that_is_listed()
    {
        Verdict[] all = [Switch.Verdict(S1), Gpu.Verdict(G1), G2Judge.Verdict(G2, G2Chain), new Judged().Verdict("sdk2x/rubin_evidence.cmw.json")];

        Assert.All(all.SelectMany(verdict => verdict.Appraisal.AllFindings), finding => Assert.Contains(finding.Id, DevicesAppraisal.CheckIds));
        Assert.Equal(DevicesAppraisal.CheckIds.Length, DevicesAppraisal.CheckIds.Distinct().Count());
    }

    private static Judged G2Judge => new() { At = "2024-12-20T00:00:00Z" };

    private static void AssertMatched(int matched, int compared, Verdict verdict)
    {
        var device = Assert.Single(verdict.Appraisal.Devices);
        Assert.Equal((matched, compared), (device.Measurements!.Matched, device.Measurements.Compared));
        Assert.Equal(DeviceKind.None == device.Kind, device.Device is null);
    }
}

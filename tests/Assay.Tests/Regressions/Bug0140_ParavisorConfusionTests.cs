using System.Text.Json.Nodes;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>
/// A VM of a known bare-metal image made a "vTPM" of its own, put the hash of its key into REPORTDATA, and passed with <c>boot-event</c>;
/// and the same VM passed by leaving out the log and the devices that betrayed it.
/// </summary>
public sealed class Bug0140_ParavisorConfusionTests
{
    private const string Challenge = "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=";
    private static readonly AssayCommand s_assay = new();

    private static string In(string name) => Cases.PathOf(Path.Combine("paravisor-confusion", name));

    [Theory]
    [InlineData("control.json", "tdx_control_collateral.json", "boot.gpu.attested")]
    [InlineData("forged.json", "tdx_collateral.json", "tdx.measurements.match")]
    public void On_TDX_forged_evidence_is_refused_as_the_honest_VM_without_a_GPU_is(string evidence, string collateral, string check) => IsRefused(check,
    [
        "--evidence", In(evidence), "--cpu-collateral", In(collateral), "--reference-values", In("ref.json"), "--anchors", In("m_anchors.json"), .. Devices,
        .. evidence is "forged.json" ? ["--event-log", In("tcg.bin"), In("gate.json"), "--gate-register", "13", "--require-secure-boot"] : Array.Empty<string>(),
    ]);

    [Fact]
    public void On_SNP_forged_evidence_is_refused_under_signed_reference_values() => IsRefused("snp.measurement.match",
    [
        "--evidence", In("forged_snp.json"), "--event-log", In("tcg.bin"), In("gate.json"), "--gate-register", "13", "--require-secure-boot", "--cpu-collateral", In("amd"),
        "--reference-values", In("ref_snp.jws"), "--reference-keys", In("ok.jwks"), "--anchors", In("s_anchors.json"), .. Devices,
    ]);

    [Theory]
    [InlineData("left_out_log.json", "boot.gpu.attested")]
    [InlineData("left_out.json", "boot.log.replayed")]
    public void A_gate_in_the_reference_values_demands_the_log_and_a_count(string evidence, string check)
    {
        string[] arguments = ["--evidence", In(evidence), "--cpu-collateral", In("bare_collateral.json"), "--reference-values", In("ref.json"), "--anchors", In("m_anchors.json")];

        Assert.Contains("composite.gpus.count", IsRefused(check, arguments));
        Assert.Contains("binding.level.met", IsRefused(check, arguments));
    }

    [Fact]
    public void A_recorded_clouds_guest_passes_weakened_by_its_unnamed_paravisor()
    {
        var answer = s_assay.Run("verify", "--cpu-evidence", Cases.PathOf("azure-snp-live/snp-live.json"), "--cpu-collateral", Cases.PathOf("azure-snp-live/snpcol"), "--at", "2026-08-01T00:00:00Z", "--dangerously-skip-revocation", "--format", "json");

        Assert.Equal(0, answer.ExitCode);
        Assert.Contains("paravisor-not-named", JsonNode.Parse(answer.Output)!["weakened"]!.AsArray().Select(item => item!.GetValue<string>()));
    }

    private static string[] Devices => ["--rim-store", In("rims"), "--ocsp-store", In("ocsp"), "--expect", "gpus=8,switches=4"];

    private static string[] IsRefused(string check, string[] arguments)
    {
        var answer = s_assay.Run(["verify", "--nonce", Challenge, "--at", "2026-11-28T23:00:00Z", "--format", "json", .. arguments]);

        Assert.True(answer.ExitCode == 1, answer.Output);
        var json = JsonNode.Parse(answer.Output)!;
        Assert.NotEqual("boot-event", json["binding"]!.GetValue<string>());
        string[] failed = [.. new[] { json, json["cpu"], json["boot"] }.OfType<JsonNode>().SelectMany(part => part["findings"]!.AsArray())
            .Where(item => item!["state"]!.GetValue<string>() == "failed").Select(item => item!["id"]!.GetValue<string>())];
        Assert.Contains(check, failed);
        return failed;
    }
}

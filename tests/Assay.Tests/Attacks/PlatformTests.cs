using System.Collections.Immutable;
using System.Text.Json.Nodes;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Checks;
using Assay.Evidence.Snp;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Composite;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Attacks;

/// <summary>
/// An attacker holds the attestation key of a genuine processor, read out on its memory bus: everything that it signs is genuine, and none of
/// it is in a machine that the relying party knows. Beside each attack stands the known machine.
/// </summary>
public sealed class PlatformTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>, IDisposable
{
    private static readonly AssayCommand s_assay = new();
    private readonly SimulatedCvm _vm = new();

    public void Dispose() => _vm.Dispose();

    [Fact]
    public void A_listed_machine_is_known_and_without_a_list_nothing_is_said_of_it()
    {
        var parts = _vm.Parts();

        var known = Judge(parts, Listed(parts));
        Assert.True(known.Passed, string.Join(' ', Failed(known)));
        Assert.Equal("known", known.PlatformWord);

        var unasked = Judge(parts, null);
        Assert.True(unasked.Passed);
        Assert.Equal("not-asked", unasked.PlatformWord);
    }

    [Fact]
    public void A_cloned_key_in_a_machine_that_is_not_listed_is_refused_though_every_signature_is_genuine()
    {
        var parts = _vm.Parts();
        var listed = Listed(parts) with { Tdx = [new TdxPlatform(Id(7), null)] };

        var result = Judge(parts, listed);

        Assert.Equal(["platform.processor.known"], Failed(result));
        Assert.Equal("unknown", result.PlatformWord);
        Assert.False(result.Passed);
    }

    [Fact]
    public void A_kind_without_a_list_has_no_known_machine()
    {
        var parts = _vm.Parts();
        var listed = Listed(parts);
        var snp = new ChipId([.. Enumerable.Repeat((byte)1, ChipId.Size)]);

        Assert.Equal(["platform.processor.known"], Failed(Judge(parts, listed with { Tdx = [], Snp = [snp] })));
        Assert.Equal(["platform.devices.known"], Failed(Judge(parts, listed with { Devices = [] })));
        Assert.Equal(["platform.processor.known", "platform.devices.known"], Failed(Judge(parts, new KnownPlatforms { Snp = [snp] })));
    }

    [Fact]
    public void Leaving_out_the_device_that_is_not_listed_makes_no_known_machine()
    {
        var parts = _vm.Parts();
        var alone = parts with { Devices = null, Boot = null };
        var demands = SimulatedCvm.Expected with { Gpus = null, Switches = null, Platforms = Listed(parts), DangerouslyAcceptedBinding = GpuBinding.None };

        var result = MachineJudgement.Appraise(alone, demands);

        Assert.Contains("platform.devices.known", Failed(result));
        Assert.Equal("unknown", result.PlatformWord);
        // Who says that no device belongs to it is not asked about any.
        Assert.DoesNotContain("platform.devices.known", Failed(MachineJudgement.Appraise(alone, demands with { Gpus = 0, Switches = 0 })));
    }

    [Fact]
    public void One_device_that_is_not_listed_is_enough()
    {
        var parts = _vm.Parts();
        var listed = Listed(parts);

        var result = Judge(parts, listed with { Devices = listed.Devices.RemoveAt(2) });

        Assert.Equal(["platform.devices.known"], Failed(result));
        Assert.Contains("device 2", result.Findings.Single(finding => finding.Id == "platform.devices.known").Reason, StringComparison.Ordinal);
        Assert.Equal("unknown", result.PlatformWord);
    }

    [Fact]
    public void An_instance_id_that_is_listed_must_be_the_certificates()
    {
        var parts = _vm.Parts();
        var (listed, platform) = (Listed(parts), Tdx(parts).Quote!.Platform);
        var ppid = listed.Tdx[0].Ppid;

        Assert.Equal("unknown", Judge(parts, listed with { Tdx = [new TdxPlatform(ppid, Id(9))] }).PlatformWord);
        if (!platform.PlatformInstanceId.IsEmpty)
        {
            Assert.Equal("known", Judge(parts, listed with { Tdx = [new TdxPlatform(ppid, Id(9)), new TdxPlatform(ppid, new Digest(platform.PlatformInstanceId.Span))] }).PlatformWord);
        }
    }

    [Fact]
    public void A_processor_that_is_left_out_or_not_authentic_is_no_known_machine()
    {
        var parts = _vm.Parts();
        var listed = Listed(parts);

        Assert.Equal("unknown", Judge(parts with { Cpu = null }, listed).PlatformWord);
        Assert.Contains("platform.processor.known", Failed(Judge(parts with { Cpu = null }, listed)));

        var forged = SimulatedCpu.Tdx(5, true, TdxFault.AlteredBody).Result();
        Assert.False(forged.IsAuthentic);
        var result = Judge(parts with { Cpu = SimulatedCvm.Cpu(forged) }, listed);
        Assert.Equal("unknown", result.PlatformWord);
        Assert.False(result.Passed);
    }

    [Theory]
    [InlineData(SnpLine.Milan, 3)]
    [InlineData(SnpLine.Turin, 5)]
    public void An_SNP_machine_is_known_by_the_chip_of_the_VCEK_that_verified_its_report(SnpLine line, int version)
    {
        var result = SimulatedCpu.Snp(line, version, false).Result();
        var chip = result.Report!.Endorsement.ChipId!;
        var other = new ChipId([.. Enumerable.Repeat((byte)5, ChipId.Size)]);

        Assert.Equal(CheckState.Held, result.PlatformAmong(new KnownPlatforms { Snp = [other, chip] }).State);
        Assert.Equal(CheckState.Failed, result.PlatformAmong(new KnownPlatforms { Snp = [other] }).State);
        Assert.Equal(CheckState.Failed, result.PlatformAmong(new KnownPlatforms { Tdx = [new TdxPlatform(Id(1), null)] }).State);
    }

    [Fact]
    public void A_masked_report_is_never_known_though_its_VCEK_names_a_listed_chip()
    {
        var judged = SimulatedCpu.Snp(SnpLine.Genoa, 5, false, SnpFault.MaskedChipId);
        var result = (judged with { With = expected => judged.With(expected) with { DangerouslyAcceptMaskedChipId = true } }).Result();
        var chip = result.Report!.Endorsement.ChipId!;

        Assert.True(result.Passed);
        Assert.Equal(["snp-masked-chip-id-accepted"], result.Weakened);
        Assert.Equal(CheckState.Failed, result.PlatformAmong(new KnownPlatforms { Snp = [chip] }).State);
    }

    [Fact]
    public void A_VLEK_is_never_known_whatever_chip_the_report_names()
    {
        var result = SimulatedCpu.Snp(SnpLine.Genoa, 5, true).Result();
        var named = result.Report!.Report.ChipId.IsMasked ? new ChipId([.. Enumerable.Repeat((byte)5, ChipId.Size)]) : result.Report.Report.ChipId;

        Assert.Equal(CheckState.Failed, result.PlatformAmong(new KnownPlatforms { Snp = [named] }).State);
    }

    [Fact]
    public void Measured_at_the_machine_it_is_known_and_the_list_of_one_file_refuses_the_evidence_of_another()
    {
        var (own, others) = (machine.Fresh() + ".json", machine.Fresh() + ".json");
        var evidence = Path.Combine(machine.Folder, "machine.json");
        var said = s_assay.Says(0, "measure", "--from", evidence, "--platform", "--name", "a", "--image-version", "1", "--sequence", "1", "--not-before", "2026-01-01T00:00:00Z", "--not-after", "2030-01-01T00:00:00Z", "--out", own);
        Assert.Contains("first reading over the network proves nothing", said, StringComparison.Ordinal);

        var manifest = JsonNode.Parse(File.ReadAllText(own))!;
        Assert.Equal(3, manifest["version"]!.GetValue<int>());
        Assert.Equal(12, manifest["platforms"]!["devices"]!.AsArray().Count);
        Assert.Equal((0, "known"), Verify(evidence, own));

        manifest["platforms"]!["tdx"]![0]!["ppid"] = new string('7', 32);
        manifest["platforms"]!["tdx"]![0]!.AsObject().Remove("piid");
        File.WriteAllText(others, manifest.ToJsonString());
        Assert.Equal((1, "unknown"), Verify(evidence, others));
    }

    private static (int Code, string Platform) Verify(string evidence, string references)
    {
        var folder = Path.GetDirectoryName(evidence)!;
        var answer = s_assay.Run(
            "verify", "--evidence", evidence, "--nonce", "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=", "--expect", "gpus=8,switches=4", "--reference-values", references, "--dangerously-accept-binding", "evidence-hash",
            "--cpu-collateral", Path.Combine(folder, "tdx_collateral.json"), "--anchors", Path.Combine(folder, "machine_anchors.json"), "--rim-store", Path.Combine(folder, "rims"), "--ocsp-store", Path.Combine(folder, "ocsp"),
            "--format", "json");
        return (answer.ExitCode, JsonNode.Parse(answer.Output)!["platform"]!.GetValue<string>());
    }

    private static KnownPlatforms Listed(MachineParts parts) => new()
    {
        Tdx = [new TdxPlatform(new Digest(Tdx(parts).Quote!.Platform.Ppid.Span), null)],
        Devices = [.. parts.Devices!.Devices.Select(device => device.Device!.Identity.Id)],
    };

    private static TdxResult Tdx(MachineParts parts) => (TdxResult)parts.Cpu!.Tee!;

    private static Digest Id(byte value) => new([.. Enumerable.Repeat(value, 16)]);

    private static MachineResult Judge(MachineParts parts, KnownPlatforms? listed) => MachineJudgement.Appraise(parts, SimulatedCvm.Expected with { Platforms = listed });

    private static string[] Failed(MachineResult result) => JudgedTdx.Failed(result.Findings);
}

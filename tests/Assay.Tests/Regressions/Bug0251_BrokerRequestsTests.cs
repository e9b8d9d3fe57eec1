using System.Text;
using System.Text.Json;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Cli;
using Assay.Tests.Composite;
using Assay.Tests.Cpu;
using Assay.Trust;

namespace Assay.Tests.Regressions;

/// <summary>251: what a guest of Confidential Containers sends to Trustee's key broker was named and not read.</summary>
public sealed class Bug0251_BrokerRequestsTests : IDisposable
{
    private const string Challenge = "bm9uY2Ugb2YgdGhlIGJyb2tlcg==";
    private static readonly AssayCommand s_assay = new();

    private readonly SimulatedCvm _vm = new();
    private SimulatedTdx? _tdx;
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-broker-").FullName;

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _vm.Dispose();
    }

    [Fact]
    public void A_request_of_a_TD_is_a_machine_with_its_key_and_challenge()
    {
        var log = SimulatedBoot.Create(_vm.Plan()).JsonLog();
        var machine = Read(Request($$"""{"quote":"{{Base64(SimulatedCpu.Tdx(5, true).Quote)}}","cc_eventlog":"{{Base64(log)}}","aa_eventlog":"INIT sha384/00"}"""));

        Assert.Equal(ProcessorEvidenceKind.TdxQuote, machine.Cpu!.Kind);
        Assert.Equal(log, machine.Cpu.EventLog?.ToArray());
        Assert.Equal(["aa_eventlog"], machine.Cpu.Unread);
        Assert.Equal(Challenge, machine.StatedNonce);
        Assert.Equal(_vm.Key, machine.Key?.ToArray());
        Assert.Empty(machine.Devices);
    }

    [Fact]
    public void The_evidence_alone_is_read_too()
    {
        var machine = Read($$"""{"primary_evidence":{"quote":"{{Base64(SimulatedCpu.Tdx(5, true).Quote)}}","cc_eventlog":null},"additional_evidence":""}""");

        Assert.Equal(ProcessorEvidenceKind.TdxQuote, machine.Cpu!.Kind);
        Assert.Null(machine.Key);
    }

    [Fact]
    public void A_report_brings_its_certificates_along()
    {
        var made = SimulatedSnp.Create(SimulatedCpu.Amd, SnpLine.Genoa, 5, vlek: false, SimulatedCpu.Data);
        var chain = string.Join(',', made.Certificates.Select(der => $$"""{"cert_type":"VCEK","data":"{{Base64(der)}}"}"""));
        var machine = Read(Request($$"""{"attestation_report":"{{Base64(made.Report)}}","cert_chain":[{{chain}}]}"""));

        Assert.Equal(ProcessorEvidenceKind.SnpReport, machine.Cpu!.Kind);
        Assert.Equal(3, machine.Cpu.Certificates.Length);
    }

    [Fact]
    public async Task The_processor_vouches_for_the_very_text_of_the_devices()
    {
        var devices = DevicesText();
        var quote = Quote(devices);

        var honest = await JudgeAsync(Request(quote, devices));
        Assert.Empty(JudgedTdx.Failed(honest.Machine!.Parts.Cpu!.Findings));
        Assert.Contains(honest.Machine.Findings, finding => finding is { Id: "binding.cpu.devices", State: CheckState.Held });
        Assert.Contains(honest.Machine.Findings, finding => finding is { Id: "binding.key.devices", State: CheckState.Held });

        // The same devices in another text: nobody vouched for it.
        var other = await JudgeAsync(Request(quote, devices + " "));
        Assert.Equal(["tdx.report-data.match"], JudgedTdx.Failed(other.Machine!.Parts.Cpu!.Findings));
    }

    [Fact]
    public async Task A_device_that_is_put_beside_the_request_is_not_vouched_for()
    {
        var devices = DevicesText();
        var machine = Read(Request(Quote(devices), devices));
        using var stranger = new SimulatedCvm();

        var verdict = await JudgeAsync(machine with { Devices = machine.Devices.Add(stranger.Evidence(_vm.Binding)[0]) });
        Assert.Equal(["tdx.report-data.match"], JudgedTdx.Failed(verdict.Machine!.Parts.Cpu!.Findings));
        verdict = await JudgeAsync(machine with { Devices = machine.Devices.RemoveAt(0) });
        Assert.Equal(["tdx.report-data.match"], JudgedTdx.Failed(verdict.Machine!.Parts.Cpu!.Findings));
    }

    [Fact]
    public async Task What_is_shown_and_not_read_is_said_in_the_verdict()
    {
        var quote = Quote("");
        var request = Request(quote[..^1] + ",\"aa_eventlog\":\"INIT sha384/00\"}");
        var text = """{"init-data":{"format":"toml","body":"version = \"0.1.0\""},""" + request[1..];

        var verdict = await JudgeAsync(text);

        Assert.Contains(verdict.NotProven, sentence => sentence.Contains("(aa_eventlog)", StringComparison.Ordinal));
        Assert.Contains(verdict.NotProven, sentence => sentence.Contains("init data", StringComparison.Ordinal));
        Assert.DoesNotContain((await JudgeAsync(Request(quote))).NotProven, sentence => sentence.Contains("init data", StringComparison.Ordinal) || sentence.Contains("aa_eventlog", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("""{"tee-evidence":{}}""", "primary_evidence")]
    [InlineData("""{"tee-evidence":{"primary_evidence":{"svn":"1","report_data":"AAAA"},"additional_evidence":""},"runtime-data":{}}""", "sample attester")]
    [InlineData("""{"tee-evidence":{"primary_evidence":{"ak_public":"","tpm_quote":{}}}}""", "a TPM outside a TEE")]
    [InlineData("""{"primary_evidence":{"quote":"QUOTE"},"additional_evidence":{"nvidia":{}}}""", "no longer has the exact characters")]
    [InlineData("""{"primary_evidence":{"quote":"QUOTE"},"additional_evidence":"{\"sampledevice\":{}}"}""", "of this kind is not supported")]
    [InlineData("""{"primary_evidence":{"quote":"QUOTE"},"additional_evidence":"[]"}""", "one member for each kind")]
    [InlineData("""{"primary_evidence":{"quote":"QUOTE"},"additional_evidence":"{\"nvidia\":{\"device_evidence_list\":[]}}"}""", "it contains no device")]
    [InlineData("""{"primary_evidence":{"quote":"QUOTE"},"gpus":[]}""", "unknown member")]
    [InlineData("""{"tee-evidence":{"primary_evidence":{"quote":"QUOTE"}},"evidence_list":[]}""", "unknown member")]
    [InlineData("""{"tee-evidence":{"primary_evidence":{"quote":"QUOTE"}}}""", "runtime-data")]
    [InlineData("""{"tee-evidence":{"primary_evidence":{"quote":"QUOTE"}},"runtime-data":7}""", "runtime-data: an object")]
    [InlineData("""{"intel_quote":"QUOTE","primary_evidence":{"quote":"QUOTE"}}""", "one form of evidence is expected")]
    [InlineData("""{"tee-evidence":{"primary_evidence":{"quote":"QUOTE"}},"runtime-data":{"nonce":"","tee-pubkey":{}}}""", "runtime-data.nonce")]
    [InlineData("""{"tee-evidence":{"primary_evidence":{"quote":"QUOTE"}},"runtime-data":{"nonce":"n","tee-pubkey":7}}""", "runtime-data.tee-pubkey")]
    public void What_nobody_would_judge_is_refused_by_name(string json, string named)
    {
        Assert.False(MachineEvidence.TryParse(Encoding.UTF8.GetBytes(json.Replace("QUOTE", Base64(SimulatedCpu.Tdx(5, true).Quote), StringComparison.Ordinal)), "file", out _, out var fault));
        Assert.Contains(named, fault.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_quote_has_no_second_evidence_beside_it()
    {
        var quote = Base64(SimulatedCpu.Tdx(5, true).Quote);

        Assert.False(ProcessorEvidence.TryParse(Encoding.UTF8.GetBytes($$$"""{"quote":"{{{quote}}}","primary_evidence":{"quote":"{{{quote}}}"}}"""), "file", out _, out var fault));
        Assert.Equal("primary_evidence", fault.Field);
    }

    [Fact]
    public void Verify_and_inspect_take_it()
    {
        var devices = DevicesText();
        var file = Path.Combine(_folder, "request.json");
        File.WriteAllText(file, Request(Quote(devices)[..^1] + ",\"aa_eventlog\":\"INIT sha384/00\"}", devices));

        var shown = s_assay.Says(0, "inspect", file);
        Assert.Contains(_vm.Binding.Thumbprint, shown, StringComparison.Ordinal);
        Assert.Contains("aa_eventlog: in the file, but not shown or verified", shown, StringComparison.Ordinal);
        Assert.Contains("assay verify --evidence FILE", s_assay.Says(2, "verify", "--cpu-evidence", file), StringComparison.Ordinal);
        var anchors = Path.Combine(_folder, "anchors.json");
        File.WriteAllBytes(anchors, CpuAnchors.ToJson("tests", SimulatedCpu.Intel, SimulatedCpu.Amd));
        Assert.Contains("\"aa_eventlog\"", s_assay.Run("inspect", file, "--format", "json").Output, StringComparison.Ordinal);
    }

    private string Request(string primary, string additional = "") =>
        $$$"""{"runtime-data":{"nonce":"{{{Challenge}}}","tee-pubkey":{{{Encoding.UTF8.GetString(_vm.Key)}}}},"tee-evidence":{"primary_evidence":{{{primary}}},"additional_evidence":{{{JsonSerializer.Serialize(additional)}}}}}""";

    private string DevicesText()
    {
        var list = _vm.Evidence(Binding).Select(device => $$"""{"arch":"{{device.DeclaredArchitecture}}","uuid":"unknown","evidence":"{{Base64(device.Report.ToArray())}}","certificate":"{{Base64(device.Chain.ToArray())}}"}""");
        return $$$"""{"nvidia": {"device_evidence_list":[{{{string.Join(',', list)}}}]}}""";
    }

    private KeyBinding Binding => KeyBinding.TryCreate(Challenge, _vm.Key, out var binding, out var fault) ? binding : throw new InvalidOperationException($"{fault}");

    private string Quote(string additional)
    {
        _tdx = SimulatedTdx.Create(SimulatedCpu.Intel, 5, is15: true, Binding.ReportData(additional));
        return $$"""{"quote":"{{Base64(_tdx.Quote)}}"}""";
    }

    private Task<Verdict> JudgeAsync(string request) => JudgeAsync(Read(request));

    private async Task<Verdict> JudgeAsync(MachineEvidence machine)
    {
        Assert.True(TdxCollateral.TryParse(_tdx!.Collateral, out var collateral, out var fault), fault?.ToString());
        var appraiser = new MachineAppraiser(CollateralSources.None, new VerifierCache()) { Given = new ProcessorCollateral { Tdx = collateral } };
        return await appraiser.AppraiseAsync(machine, new MachineExpectations { Basis = SimulatedCvm.Basis, Challenge = Challenge }, cancellation: TestContext.Current.CancellationToken);
    }

    private static MachineEvidence Read(string json)
    {
        Assert.Equal(ContentKind.MachineEvidence, FileContent.Of(Encoding.UTF8.GetBytes(json)).Kind);
        return MachineEvidence.TryParse(Encoding.UTF8.GetBytes(json), "request.json", out var machine, out var fault) ? machine : throw new InvalidOperationException($"{fault}");
    }

    private static string Base64(byte[] bytes) => Convert.ToBase64String(bytes);
}

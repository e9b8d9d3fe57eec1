using System.Text;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Tests.Cli;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>Evidence in other shapes than nvattest's array was refused with words about another thing.</summary>
public sealed class Bug0170_ShapesTests
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData("shapes/bom.json")]
    [InlineData("shapes/single-object.json")]
    [InlineData("wrappings/nras-single-payload.json")]
    [InlineData("wrappings/nras-v3-payload.json")]
    public void Evidence_of_devices_is_read_in_each_wrapping(string name)
    {
        Assert.True(EvidenceFile.TryParse(Cases.Bytes(name), "file", out var devices, out var fault), fault?.ToString());

        var device = Assert.Single(devices);
        Assert.True(SpdmReport.TryParse(device.Report.Span, out _, out fault), fault?.ToString());
        Assert.Equal("HOPPER", device.DeclaredArchitecture);
        Assert.NotNull(device.DeclaredNonce);
        Assert.Contains("device count  1", s_assay.Says(0, "inspect", Cases.PathOf(name)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("shapes/wrapped.b64", ProcessorEvidenceKind.TdxQuote)]
    [InlineData("shapes/snp-wrapped.b64", ProcessorEvidenceKind.SnpReport)]
    [InlineData("wrappings/quote-0x.hex", ProcessorEvidenceKind.TdxQuote)]
    [InlineData("wrappings/quote-b64url.txt", ProcessorEvidenceKind.TdxQuote)]
    [InlineData("wrappings/dstack-0x.json", ProcessorEvidenceKind.TdxQuote)]
    [InlineData("wrappings/coco-tdx.json", ProcessorEvidenceKind.TdxQuote)]
    [InlineData("wrappings/snp-envelope.json", ProcessorEvidenceKind.SnpReport)]
    public void Evidence_of_processors_is_read_in_each_wrapping(string name, ProcessorEvidenceKind kind)
    {
        Assert.True(ProcessorEvidence.TryParse(Cases.Bytes(name), "file", out var evidence, out var fault), fault?.ToString());

        Assert.Equal(kind, evidence.Kind);
        Assert.Equal(kind is ProcessorEvidenceKind.TdxQuote ? ContentKind.TdxQuote : ContentKind.SnpReport, FileContent.Of(evidence.Bytes.Span).Kind);
        Assert.Equal(3, s_assay.Run("verify", "--cpu-evidence", Cases.PathOf(name)).ExitCode);
    }

    [Fact]
    public void A_gateways_report_is_a_machine()
    {
        Assert.True(MachineEvidence.TryParse(Cases.Bytes("wrappings/gateway-report.json"), "file", out var machine, out var fault), fault?.ToString());

        Assert.Single(machine.Devices);
        Assert.Equal(ProcessorEvidenceKind.TdxQuote, machine.Cpu?.Kind);
        var answer = s_assay.Says(2, "verify", "--cpu-evidence", Cases.PathOf("wrappings/gateway-report.json"));
        Assert.Contains("--evidence FILE", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_quote_is_read_as_platform_and_evidence()
    {
        var quote = Encoding.UTF8.GetString(Cases.Bytes("wrappings/coco-tdx.json"));

        Assert.True(ProcessorEvidence.TryParse(Bytes("{\"platform\":\"tdx\",\"evidence\":" + quote + "}"), "file", out var evidence, out var fault), fault?.ToString());
        Assert.Equal(ProcessorEvidenceKind.TdxQuote, evidence.Kind);
        Assert.False(ProcessorEvidence.TryParse(Bytes("{\"platform\":\"snp\",\"evidence\":" + quote + "}"), "file", out _, out fault));
        Assert.Equal("platform", fault.Field);
        Assert.False(ProcessorEvidence.TryParse(Bytes("{\"platform\":\"tdx\",\"evidence\":{\"platform\":\"tdx\",\"evidence\":" + quote + "}}"), "file", out _, out fault));
        Assert.Equal("evidence", fault.Field);
    }

    [Fact]
    public void What_travels_along_is_used_or_refused()
    {
        var quote = Convert.ToBase64String(Cases.Bytes("hex-crls/quote.bin"));
        var log = Cases.Bytes("zero-padded-log/zero.bin");

        Assert.True(ProcessorEvidence.TryParse(Bytes($$"""{"quote":"{{quote}}","cc_eventlog":"{{Convert.ToBase64String(log)}}"}"""), "file", out var evidence, out var fault), fault?.ToString());
        Assert.Equal(log, evidence.EventLog?.ToArray());
        Assert.Empty(evidence.Unread);
        Assert.True(ProcessorEvidence.TryParse(Bytes($$"""{"quote":"{{quote}}","aa_eventlog":"INIT"}"""), "file", out evidence, out fault), fault?.ToString());
        Assert.Equal(["aa_eventlog"], evidence.Unread);
        Assert.False(ProcessorEvidence.TryParse(Bytes($$"""{"quote":"{{quote}}","event_log":7}"""), "file", out _, out fault));
        Assert.Equal("event_log", fault.Field);
    }

    [Fact]
    public void Certificates_in_an_envelope_count_as_collateral()
    {
        var folder = "snp-without-minimum";
        var report = Encoding.ASCII.GetString(Cases.Bytes($"{folder}/report_milan.hex"));
        var vcek = string.Join(',', Cases.Bytes($"{folder}/col/vcek_milan.der"));
        var chain = Convert.ToBase64String(Cases.Bytes($"{folder}/col/cert_chain_milan"));
        var file = Path.GetTempFileName();
        try
        {
            File.WriteAllText(file, $$"""{"attestation_report":"{{report}}","cert_chain":[{"cert_type":"VCEK","data":[{{vcek}}]},{"cert_type":"ASK","data":"{{chain}}"}]}""");

            var answer = s_assay.Says(0, "verify", "--cpu-evidence", file, "--at", "2024-06-01T00:00:00Z", "--dangerously-skip-revocation");

            Assert.Contains("PASS", answer, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public void A_report_in_fields_is_named_with_the_cure()
    {
        Assert.False(ProcessorEvidence.TryParse("""{"attestation_report":{"version":2},"cert_chain":null}"""u8, "file", out _, out var fault));
        Assert.Contains("its signed bytes are gone", fault.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Devices_are_read_as_attesters_send_them()
    {
        Assert.True(EvidenceFile.TryParse(Cases.Bytes("shapes/single-object.json"), "file", out var devices, out _));
        var (report, chain) = (devices[0].Report.ToArray(), devices[0].Chain);
        byte[] terminated = [.. report, 0];
        var pem = System.Text.Json.JsonSerializer.Serialize(Encoding.ASCII.GetString(chain.Span));
        var attested = $$"""{"device_evidence_list":[{"arch":"Hopper","uuid":"GPU-0","evidence":"{{Convert.ToBase64String(terminated)}}","certificate":{{pem}}}]}""";
        var collected = $$"""{"evidences":[{"arch":"HOPPER","evidence":"{{Convert.ToHexStringLower(report)}}","certificate":{{pem}}}],"result_code":0}""";
        var answered = $$"""{"bundles":[{"vendor":"nvidia","format":"nvidia-nvattest-collect-evidence-json-v1","evidence":"{{Convert.ToHexStringLower(Bytes(collected))}}"}]}""";

        foreach (var json in (string[])[attested, collected, answered])
        {
            Assert.True(EvidenceFile.TryParse(Bytes(json), "file", out var read, out var fault), fault?.ToString());
            Assert.True(SpdmReport.TryParse(Assert.Single(read).Report.Span, out var parsed, out fault), fault?.ToString());
            Assert.Equal(report, parsed.Bytes.ToArray());
            Assert.True(Pem.TryDecode(read[0].Chain.Span, out var blocks, out fault), fault?.ToString());
            Assert.Equal(5, blocks.Length);
        }

        foreach (var json in (string[])[answered.Replace("collect-evidence", "boottime", StringComparison.Ordinal), attested.Replace("]}", "],\"evidences\":[]}", StringComparison.Ordinal), answered.Replace(Convert.ToHexStringLower(Bytes(collected)), Convert.ToHexStringLower(Bytes(answered)), StringComparison.Ordinal)])
        {
            Assert.False(EvidenceFile.TryParse(Bytes(json), "file", out _, out var fault));
            Assert.NotNull(fault);
        }
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}

using System.Text;
using Assay.Evidence.Tdx;
using Assay.Inspection;
using Assay.Simulator;
using Assay.Tests.Boot;
using Assay.Tests.Cpu;
using Assay.Tests.Reference.Manifest;
using Spectre.Console;
using static Assay.Tests.Cli.Inspection.Inspections;

namespace Assay.Tests.Cli.Inspection;

/// <summary>Files of processors and boots, told apart by content: recorded ones, simulated ones, and hostile ones.</summary>
public class CpuInspectionTests
{
    public static TheoryData<string, string, string[]> Files => new()
    {
        { "tdx/tdx_quote", "tdx_quote", ["MRTD", "RTMR3", "sept ve disable", "Intel SGX PCK Certificate", "is Intel SGX Root CA, by its fingerprint"] },
        { "tdx/tdx_quote_outdated", "tdx_quote", ["TDX 1.5", "MRSERVICETD", "TEE TCB SVN 2"] },
        { "tdx/quote-from-tappd.hex", "tdx_quote", ["MRTD", "version"] },
        { "snp/dstack/report.bin", "snp_report", ["Milan", "(bl 4 tee 0 snp 23 ucode 213)", "ciphertext hiding dram"] },
        { "snp/trustee/test-report.bin", "snp_report", ["the layout depends on the product", "VCEK"] },
        { "eventlog/dstack_ccel.bin", "event_log", ["274c2344116db7c663470693b5ba62b8621eac28cb41d2f816ddf188f9f423f900a1c44d32386fd3c993dc814e62af9d", "EV_EFI_HANDOFF_TABLES2", "SecureBoot = not set"] },
        { "dstack/quote-report.json", "tdx_quote", ["MRTD", "runtime: system-ready", "LATE"] },
        { "dstack/quote-report.eventlog.json", "event_log", ["runtime: system-ready", "the boundary", "LATE", "runtime: LIUM_MINER_HOTKEY"] },
        { "tpm/gcp_tpm_eventlog.bin", "event_log", ["0cca9ec161b09288802e5a112255d21340ed5b797f5fe29cecccfd8f67b9f802", "GCE NonHostInfo", "not extended"] },
        { "az-vtpm/az-snp-vtpm/evidence-v1.json", "azure_vtpm_evidence", ["report data is of runtime data", "PCR selections", "SEV-VCEK"] },
        { "az-vtpm/az-tdx-vtpm/evidence-v1.json", "azure_vtpm_evidence", ["TDREPORT", "Intel SGX PCK Certificate"] },
        { "az-vtpm/az-snp-vtpm/hcl-report.bin", "hcl_report", ["hardware report", "secure boot"] },
        { "az-vtpm/az-snp-vtpm/tpm-quote.msg", "tpm_quote", ["0, 1, 2, 3, 4, 5, 6, 7, 14", "861327613 ms"] },
        { "tdx/tdx_quote_outdated_collateral.json", "tdx_collateral", ["90C06F000000", "module TDX 03", "INTEL-SA-01036", "Intel SGX TCB Signing", "PCK CRL"] },
    };

    [Theory]
    [MemberData(nameof(Files))]
    public void A_recorded_file_is_told_by_its_content(string path, string kind, string[] expected)
    {
        var shown = Inspected(Recorded.Bytes($"cpu/{path}"));

        Assert.Equal(kind, shown.Name);
        var text = Text(shown);
        Assert.All(expected, word => Assert.Contains(word, text, StringComparison.OrdinalIgnoreCase));
        using var json = Json(shown);
        Assert.Equal(kind, json.RootElement.GetProperty("kind").GetString());
    }

    [Fact]
    public void Hexadecimal_and_binary_show_the_same()
    {
        var quote = SimulatedCpu.Tdx(5, true).Quote;
        var report = SimulatedCpu.Snp(SnpLine.Turin, 5, false).Report;
        foreach (var bytes in new[] { quote, report })
        {
            var hex = Convert.ToHexStringLower(bytes);
            Assert.Equal(Text(Inspected(bytes)), Text(Inspected(Encoding.ASCII.GetBytes(hex + "\n"))));
            Assert.Equal(Text(Inspected(bytes)), Text(Inspected(Encoding.ASCII.GetBytes(string.Join("\r\n", hex.Chunk(64).Select(line => new string(line)))))));
        }
    }

    [Fact]
    public void Json_has_every_register_in_full_and_flags_as_booleans()
    {
        var judged = SimulatedCpu.Tdx(4, false);
        Assert.True(TdxQuote.TryParse(judged.Quote, out var quote, out _));
        using var json = Json(Inspected(judged.Quote));

        var body = json.RootElement.GetProperty("td_report");
        Assert.Equal(quote.Body.MrTd.ToString(), body.GetProperty("mrtd").GetString());
        Assert.Equal([.. quote.Body.Rtmr.Select(value => value.ToString())], Enumerable.Range(0, 4).Select(register => body.GetProperty($"rtmr{register}").GetString()));
        Assert.True(body.GetProperty("tdattributes").GetProperty("sept_ve_disable").GetBoolean());
        Assert.False(body.GetProperty("tdattributes").GetProperty("debug").GetBoolean());
        Assert.Equal(3, json.RootElement.GetProperty("chain").GetArrayLength());
    }

    [Fact]
    public void Events_of_the_gate_are_shown_by_their_type_and_late_ones_as_late()
    {
        var boot = SimulatedBoot.Create(BootWorld.Plan);
        foreach (var log in new[] { boot.JsonLog(), boot.JsonPcrLog() })
        {
            using var json = Json(Inspected(log));
            var events = json.RootElement.GetProperty("events").EnumerateArray().Where(item => item.TryGetProperty("name", out _)).ToDictionary(item => item.GetProperty("name").GetString()!);
            Assert.StartsWith("expectation ", events["gpu-policy"].GetProperty("meaning").GetString(), StringComparison.Ordinal);
            Assert.StartsWith("by assay: ", events["gpu-attestation"].GetProperty("meaning").GetString(), StringComparison.Ordinal);
            Assert.Equal("yes", events["gpu-policy"].GetProperty("data_proven").GetString());
            Assert.False(events["system-ready"].GetProperty("late").GetBoolean());
        }

        // Whoever runs in the guest can extend the register too: the name of ours that he chooses comes too late.
        var late = Encoding.UTF8.GetString(boot.JsonLog()).TrimEnd().TrimEnd(']')
            + """,{"imr":3,"event_type":134217729,"event":"model","event_payload":"00","version":2}]""";
        using var forged = Json(Inspected(Encoding.UTF8.GetBytes(late)));
        var last = forged.RootElement.GetProperty("events").EnumerateArray().Last();
        Assert.True(last.GetProperty("late").GetBoolean());
        Assert.StartsWith("not what the name demands", last.GetProperty("meaning").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_name_that_its_digest_does_not_prove_is_not_shown_and_no_boundary()
    {
        var log = $$"""[{"imr":3,"event_type":134217729,"digest":"{{new string('a', 96)}}","event":"system-ready","event_payload":""}]""";
        using var json = Json(Inspected(Encoding.UTF8.GetBytes(log)));
        Assert.False(json.RootElement.GetProperty("has_boundary").GetBoolean());
        var only = json.RootElement.GetProperty("events")[0];
        Assert.Equal("no", only.GetProperty("data_proven").GetString());
        Assert.True(only.GetProperty("unproven").GetBoolean());
        Assert.Equal(1, json.RootElement.GetProperty("unproven_event_count").GetInt32());
        Assert.DoesNotContain("system-ready", json.RootElement.GetRawText(), StringComparison.Ordinal);
        var text = Text(Inspected(Encoding.UTF8.GetBytes(log)));
        Assert.DoesNotContain("system-ready", text, StringComparison.Ordinal);
        Assert.Contains("unproven", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Reference_values_are_shown_signed_or_not()
    {
        var plain = Text(Inspected(ManifestWorld.Whole.ToCanonicalJson()));
        Assert.Contains("trainer", plain, StringComparison.Ordinal);
        Assert.Contains("TDX: 8 GPUs", plain, StringComparison.Ordinal);
        Assert.Contains("PCRs: uefi", plain, StringComparison.Ordinal);

        using var signed = Json(Inspected([.. ManifestWorld.Signed, (byte)'\n']));
        Assert.True(signed.RootElement.GetProperty("signed").GetBoolean());
        Assert.Equal(ManifestWorld.Key.PublicKey.KeyId, signed.RootElement.GetProperty("kid").GetString());
        Assert.Equal(7, signed.RootElement.GetProperty("sequence").GetInt64());

        // A token begins like a signed manifest, and is none.
        Assert.Equal("inspect.unknown", Refused(ManifestWorld.Jws("""{"alg":"ES384","kid":"k","typ":"JWT"}""", "{}"u8.ToArray(), ManifestWorld.Key)).Id);
    }

    [Fact]
    public void Names_and_payloads_of_strangers_do_not_draw_on_the_terminal()
    {
        var log = $$"""[{"imr":3,"event_type":134217729,"event":"a\u001b[2J\u202eb","event_payload":"1b5b324a"},{"imr":0,"event_type":5,"digest":"{{new string('b', 96)}}","event":"","event_payload":"{{Convert.ToHexStringLower("\u001b[31mred\u0007"u8)}}"}]""";
        var text = Text(Inspected(Encoding.UTF8.GetBytes(log)));
        Assert.DoesNotContain(text, character => character != '\n' && (char.IsControl(character) || character == '\u202e'));
        Assert.Contains(@"a\u{1b}[2J\u{202e}b", text, StringComparison.Ordinal);
    }

    [Fact]
    public void No_truncation_or_flipped_byte_makes_inspection_throw()
    {
        var boot = SimulatedBoot.Create(BootWorld.Plan);
        byte[][] files =
        [
            SimulatedCpu.Tdx(4, false).Quote, SimulatedCpu.Snp(SnpLine.Milan, 3, true).Report, boot.JsonLog(), boot.TcgLog(), boot.LegacyLog(), boot.CcelLog()[..4096],
            SimulatedTdx.Create(SimulatedCpu.Intel, 4, is15: false, SimulatedCpu.Data).Collateral, ManifestWorld.Whole.ToCanonicalJson(), ManifestWorld.Signed,
            .. Recorded.Present ? new[] { Recorded.Bytes("cpu/az-vtpm/az-snp-vtpm/hcl-report.bin"), Recorded.Bytes("cpu/az-vtpm/az-snp-vtpm/tpm-quote.msg"), Recorded.Bytes("cpu/az-vtpm/az-tdx-vtpm/evidence-v1.json") } : [],
        ];
        foreach (var file in files)
        {
            for (var offset = 0; offset < file.Length; offset += 1 + (file.Length / 100))
            {
                Survives(file[..offset]);
                byte[] flipped = [.. file];
                flipped[offset] ^= 0x41;
                Survives(flipped);
            }
        }
    }
}

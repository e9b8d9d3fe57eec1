using System.Security.Cryptography;
using System.Text;
using Assay.Cli.Inspection;
using Assay.Inspection;
using Assay.Simulator;
using Assay.Tests.Trust.Revocation;
using static Assay.Tests.Cli.Inspection.Inspections;
using Single = Assay.Tests.Trust.Revocation.Single;

namespace Assay.Tests.Cli.Inspection;

/// <summary>What <c>assay inspect</c> shows of each kind of file, and what it says of those that it cannot read.</summary>
public class InspectionTests
{
    private static readonly Identity s_root = Identity.Root("Assay Test CA");
    private static readonly Identity s_device = s_root.Issue("device", Identity.Signs);

    [Theory]
    [InlineData("gpu/hopper_590.12_single.json", "evidence", "device 0", "590.12", "96.00.A5.00.01", "PPCIE, protected PCIe", "3A53B743D811E977 (×5)", "GH100 A01 GSP FMC LF", "is NVIDIA's Device Identity CA, by its fingerprint")]
    [InlineData("gpu/hopper_535.86.09/hopperAttestationReport.txt", "report", "535.86.09", "GET_MEASUREMENTS", "measurements (64 blocks)")]
    [InlineData("gpu/blackwell_575.32/blackwellAttestationReport.txt", "report", "97.00.88.00.0F", "575.32")]
    [InlineData("gpu/blackwell_575.32/blackwellCertChain.txt", "certificates", "certificate 4: NVIDIA Device Identity CA", "vendor NVIDIA, model GB100 A01 GSP, version 01", "FWID d090cab1b6e6ff", "DMTF device NVIDIA:GB100:48B02DD4C0CB1539")]
    [InlineData("sdk2x/rubin_evidence.cmw.json", "evidence", "NVDAOD header", "FSP_UCODE_SVN", "CBOR tag 570", "(1263 bytes)", "253    252")]
    [InlineData("sdk2x/blackwell_evidence.cmw.json", "evidence", "place                  gpu_0")]
    [InlineData("sdk2x/blackwellFspAttestationReport.txt", "report", "absent: the device sent none", "dc1c611c173dd03e", "measurements (52 blocks)")]
    [InlineData("sdk2x/sample_nvdaod_transcript.txt", "report", "620.12", "NVDAOD header", "SPT, single-GPU passthrough")]
    [InlineData("switch/ls10_96.10.55.00.01_full_offline/switchAttestationReport.txt", "report", "DEVICE_PDI", "96.10.55.00.01", "locked")]
    [InlineData("switch/ls10_96.10.55.00.01_full_offline/switchCertChain.txt", "certificates", "LS_10 A01 FSP FMC LF", "CompositeDeviceID")]
    [InlineData("rims/NV_GPU_DRIVER_GH100_550.144.03.xml", "rim", "550.144.03", "measurements (21 active of 64)", "digests equal    yes", "HCC RIM L4 Signer", "is NVIDIA's CoRIM signing Root CA")]
    [InlineData("roots/nvidia-corim-root-ca001.pem", "certificates", "is NVIDIA's CoRIM Root CA001, by its fingerprint")]
    public void Recorded_files_show_their_key_lines_and_are_whole_in_json(string file, string kind, params string[] expected)
    {
        var node = Inspected(Recorded.Bytes($"nvidia/{file}"));

        var text = Text(node);
        Assert.Contains("nothing is verified", text, StringComparison.Ordinal);
        Assert.All(expected, line => Assert.Contains(line, text, StringComparison.Ordinal));
        using var json = Json(node);
        Assert.Equal(kind, json.RootElement.GetProperty("kind").GetString());
        Assert.Contains("nothing is verified", json.RootElement.GetProperty("note").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_recorded_file_of_a_known_kind_is_shown_and_every_other_refused()
    {
        var known = Directory.EnumerateFiles(Recorded.PathOf("nvidia"), "*", SearchOption.AllDirectories)
            .Where(file => file.Contains("eport", StringComparison.Ordinal) || file.Contains("hain.txt", StringComparison.Ordinal)
                || file.EndsWith(".xml", StringComparison.Ordinal) || file.EndsWith(".cmw.json", StringComparison.Ordinal) || file.EndsWith(".pem", StringComparison.Ordinal));

        Assert.All(known, file => Assert.NotEmpty(Text(Inspected(File.ReadAllBytes(file)))));
        Assert.Equal("inspect.unknown", Refused(Recorded.Bytes("nvidia/INDEX.md")).Id);
        Assert.Equal("inspect.unknown", Refused(Recorded.Bytes("nvidia/sdk2x/rubin_spdm_toc_derived.cbor")).Id);
        Assert.Equal("inspect.unknown", Refused(Recorded.Bytes("nvidia/claims/switch_decoded.json")).Id);
    }

    [Fact]
    public void Json_has_every_value_in_full()
    {
        var report = Recorded.Hex("nvidia/sdk2x/rubin_report_derived.txt");

        using var json = Json(Inspected(report));

        var blocks = json.RootElement.GetProperty("measurements").EnumerateArray().ToArray();
        Assert.Equal(65, blocks.Length);
        var contents = blocks[^1];
        Assert.Equal((253, 252, "raw"), (contents.GetProperty("index").GetInt32(), contents.GetProperty("rim_index").GetInt32(), contents.GetProperty("form").GetString()));
        Assert.Equal(Recorded.Bytes("nvidia/sdk2x/rubin_spdm_toc_derived.cbor"), Convert.FromHexString(contents.GetProperty("value").GetString()!));
        var signature = json.RootElement.GetProperty("signature");
        Assert.Equal(Convert.ToHexStringLower(report[^96..]), signature.GetProperty("r").GetString() + signature.GetProperty("s").GetString());
        Assert.All(json.RootElement.GetProperty("opaque_data").GetProperty("fields").EnumerateArray(), field =>
            Assert.Equal(2 * field.GetProperty("size").GetInt32(), field.GetProperty("raw").GetString()!.Length));
    }

    [Fact]
    public void A_report_is_the_same_in_binary_hexadecimal_and_base64()
    {
        var report = Recorded.Hex("nvidia/gpu/hopper_535.86.09/hopperAttestationReport.txt");
        var binary = Text(Inspected(report));

        Assert.Equal(binary, Text(Inspected(Encoding.ASCII.GetBytes(Convert.ToHexString(report)))));
        Assert.Equal(binary, Text(Inspected(Encoding.ASCII.GetBytes(Convert.ToBase64String(report)))));
    }

    [Fact]
    public void A_rim_lists_alternatives_and_keeps_fillers_for_json()
    {
        var node = Inspected(Recorded.Bytes("nvidia/rims/NV_GPU_DRIVER_GH100_550.144.03.xml"));

        using var json = Json(node);
        var measurements = json.RootElement.GetProperty("measurements").EnumerateArray().ToArray();
        Assert.Equal((64, 21), (measurements.Length, measurements.Count(measurement => measurement.GetProperty("active").GetBoolean())));
        Assert.Equal(4, measurements[35].GetProperty("alternatives").GetArrayLength());
        Assert.Equal(36, measurements[35].GetProperty("wire_index").GetInt32());
    }

    [Fact]
    public void An_ocsp_response_shows_its_answers()
    {
        var revoked = new Single(s_device.Certificate, s_root.Certificate) { Status = Assay.Trust.Revocation.CertificateStatus.Revoked, Reason = 1 };
        var der = new Answer(s_root, revoked) { Certificates = [s_root.Certificate], Extensions = [(Forge.NonceOid, false, Forge.Nonce([1, 2, 3, 4, 5, 6, 7, 8]))] }.Encode();

        var text = Text(Inspected(der));

        Assert.Contains(": OCSP response;", text, StringComparison.Ordinal);
        Assert.Contains("keyCompromise", text, StringComparison.Ordinal);
        Assert.Contains("0102030405060708", text, StringComparison.Ordinal);
        Assert.Contains(s_device.Certificate.SerialNumberDecimal, text, StringComparison.Ordinal);
        Assert.Contains("Unauthorized", Text(Inspected([0x30, 0x03, 0x0A, 0x01, 0x06])), StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_and_a_certificate_are_read_from_der_and_pem()
    {
        var list = new RevokedList(s_root) { Entries = [(s_device.Certificate.SerialNumber.ToArray(), 6, []), ([1, 2], null, [])] }.Encode();
        var certificate = s_device.Certificate.Raw.ToArray();

        foreach (var bytes in new[] { list, Encoding.ASCII.GetBytes(PemEncoding.WriteString("X509 CRL", list)) })
        {
            var text = Text(Inspected(bytes));
            Assert.Contains("certificateHold", text, StringComparison.Ordinal);
            Assert.Contains("entry count", text, StringComparison.Ordinal);
        }

        foreach (var bytes in new[] { certificate, Encoding.ASCII.GetBytes(PemEncoding.WriteString("CERTIFICATE", certificate)) })
        {
            Assert.Contains(s_device.Certificate.Fingerprint.ToString(), Text(Inspected(bytes)), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Anchors_show_their_roots_and_whose_they_are_not()
    {
        using var authority = SimulatedAuthority.Create(Forge.Now);

        var text = Text(Inspected(SimulatedAnchors.ToJson(authority, "a simulator's")));

        Assert.Contains("simulated", text, StringComparison.Ordinal);
        Assert.Contains("RIM roots", text, StringComparison.Ordinal);
        Assert.Contains("its fingerprint is not that of a root of NVIDIA, Intel or AMD", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", "inspect.unknown", "the file is empty")]
    [InlineData("hello", "inspect.unknown", "this is text of an unknown kind")]
    [InlineData("{\"version\":2}", "inspect.unknown", "this is JSON of an unknown kind")]
    [InlineData("[{]", "inspect.unknown", "this is malformed JSON (line 1)")]
    [InlineData("{\"version\":1,\"kind\":\"mine\",\"device\":[]}", "inspect.malformed", "anchors: kind:")]
    [InlineData("<rim>", "inspect.unknown", "this is XML that is not a RIM")]
    [InlineData("-----BEGIN CERTIFICATE-----\n%%\n", "inspect.malformed", "certificates: PEM:")]
    [InlineData("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "inspect.malformed", "certificate 0:")]
    [InlineData("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "inspect.malformed", "CRL:")]
    [InlineData("11e001ff", "inspect.malformed", "report: request.Nonce: truncated: 32 bytes are needed, 0 are left (stopped at byte 4)")]
    public void What_cannot_be_read_is_refused_with_the_nearest_fault(string content, string id, string message)
    {
        var faults = new FaultLog();
        Inspector.Inspect(Encoding.UTF8.GetBytes(content), "a file", faults);

        var fault = Assert.Single(faults.Faults);
        Assert.Equal(id, fault.Id);
        Assert.Contains(message, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_cannot_be_read_does_not_hide_the_others()
    {
        var faults = new FaultLog();
        var chain = Convert.ToBase64String(Encoding.ASCII.GetBytes(PemEncoding.WriteString("CERTIFICATE", s_device.Certificate.Raw.Span)));
        var file = $$"""[{"evidence":"EeA=","certificate":"{{chain}}"}]""";

        var text = Text(Inspector.Inspect(Encoding.ASCII.GetBytes(file), "a file", faults)!);

        Assert.Contains("malformed: request.Param1: truncated", text, StringComparison.Ordinal);
        Assert.Contains("certificate 0: device", text, StringComparison.Ordinal);
        Assert.Equal(("inspect.malformed", "a file: device 0: report: request.Param1: truncated: 1 bytes are needed, 0 are left (stopped at byte 2)"), Assert.Single(faults.Faults));
    }

    [Fact]
    public void Control_characters_never_reach_a_terminal()
    {
        const string hostile = "\u001b[2J\u0007\u009b31m\u202eevil\r\n[red]";
        using var writer = new StringWriter();

        new InspectionPrinter(Unfolded(writer)).Print(InspectionNode.Group(
            hostile,
            InspectionNode.Text(hostile, hostile),
            InspectionNode.Group(hostile, InspectionNode.Text("value", "plain", hostile)),
            InspectionNode.Table(hostile, InspectionNode.Group("row", InspectionNode.Text(hostile, hostile)))), hostile);

        var lines = writer.ToString();
        Assert.DoesNotContain(lines, character => character != '\n' && (char.IsControl(character) || character == '\u202e'));
        Assert.Contains(@"\u{1b}[2J\u{7}\u{9b}31m\u{202e}evil\u{d}\u{a}[red]", lines, StringComparison.Ordinal);
    }

    [Fact]
    public void Hostile_names_in_faults_and_files_are_neutralised()
    {
        var faults = new FaultLog();
        Inspector.Inspect("{\"version\":1,\"\\u001b[31m\":0}"u8.ToArray(), "a\u001b[2J", faults);

        Assert.DoesNotContain(Assert.Single(faults.Faults).Message, char.IsControl);
    }

    [Fact]
    public async Task The_command_ends_with_2_where_nothing_can_be_shown()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "<rim>", TestContext.Current.CancellationToken);

        Assert.Equal(2, await Assay.Cli.CommandLine.RunAsync(["inspect", file]));
        Assert.Equal(2, await Assay.Cli.CommandLine.RunAsync(["inspect", file + ".absent"]));
        File.Delete(file);
    }

    [Fact]
    public void No_truncation_or_flipped_byte_makes_inspection_throw()
    {
        byte[][] files =
        [
            new Answer(s_root, new Single(s_device.Certificate, s_root.Certificate)) { Certificates = [s_root.Certificate] }.Encode(),
            new RevokedList(s_root) { Entries = [([1, 2], 1, [])] }.Encode(),
            s_device.Certificate.Raw.ToArray(),
            .. Recorded.Present ? new[] { Recorded.Hex("nvidia/sdk2x/rubin_report_derived.txt"), Recorded.Bytes("nvidia/sdk2x/blackwellFspCertChain.txt") } : [],
        ];

        foreach (var file in files)
        {
            for (var offset = 0; offset < file.Length; offset += 1 + (file.Length / 400))
            {
                Survives(file[..offset]);
                byte[] flipped = [.. file];
                flipped[offset] ^= 0x41;
                Survives(flipped);
            }
        }
    }
}

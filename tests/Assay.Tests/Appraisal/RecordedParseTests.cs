using System.Globalization;
using System.Text.Json;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;

namespace Assay.Tests.Appraisal;

/// <summary>What NVIDIA's SDK reads in recorded reports, field by field.</summary>
public class RecordedParseTests
{
    [Fact]
    public void The_switch_report_has_the_response_fields_that_the_SDK_reads()
    {
        var report = Parse("nvidia/switch/ls10_96.10.55.00.01_full_offline/switchAttestationReport.txt");
        using var file = JsonDocument.Parse(Recorded.Bytes("nvidia/parsed/switch_spdm_parsed_output.json"));
        var theirs = file.RootElement;

        Assert.Equal(Hex(theirs.GetProperty("Nonce")), Convert.ToHexStringLower(report.ResponderNonce.Span));
        Assert.Equal(Hex(theirs.GetProperty("Signature")), Convert.ToHexStringLower(report.Signature.Span));
        Assert.Equal(theirs.GetProperty("NumberOfBlocks").GetInt32(), report.Blocks.Length);
        Assert.Equal(theirs.GetProperty("MeasurementRecordLength").GetInt32(), report.Blocks.Sum(block => 7 + block.Value.Length));
        Assert.Equal(theirs.GetProperty("OpaqueLength").GetInt32(), report.Opaque.Fields.Sum(field => 4 + field.Data.Length));
        var blocks = theirs.GetProperty("MeasurementRecord").GetProperty("MeasurementBlocks").EnumerateObject().ToDictionary(block => int.Parse(block.Name, CultureInfo.InvariantCulture), block => block.Value);
        Assert.Equal(blocks.Count, report.Blocks.Length);
        foreach (var block in report.Blocks)
        {
            Assert.Equal(blocks[block.Index].GetProperty("DMTFSpecMeasurementValueType").GetInt32(), block.ValueType);
            Assert.Equal(blocks[block.Index].GetProperty("DMTFSpecMeasurementValueSize").GetInt32(), block.Value.Length);
            Assert.Equal(Hex(blocks[block.Index].GetProperty("DMTFSpecMeasurementValue")), Convert.ToHexStringLower(block.Value.Span));
        }

        AssertOpaque(theirs.GetProperty("OpaqueData").GetProperty("OpaqueDataField"), report.Opaque);
    }

    [Fact]
    public void The_switch_report_has_the_request_fields_that_the_SDK_reads()
    {
        var report = Parse("nvidia/switch/ls10_96.10.55.00.01_full_offline/switchAttestationReport.txt");
        using var theirs = JsonDocument.Parse(Recorded.Bytes("nvidia/parsed/switch_spdm_req_parsed_output.json"));
        var bytes = report.Bytes.Span;
        (string Name, int Offset)[] single = [("SPDMVersion", 0), ("RequestResponseCode", 1), ("Param1", 2), ("Param2", 3), ("SlotIDParam", 36)];

        foreach (var (name, offset) in single)
        {
            Assert.Equal(Hex(theirs.RootElement.GetProperty(name)), bytes[offset].ToString("x2", CultureInfo.InvariantCulture));
        }

        Assert.Equal(Hex(theirs.RootElement.GetProperty("Nonce")), report.Nonce.ToString());
    }

    [Fact]
    public void The_sample_with_a_NVDAOD_header_has_the_fields_of_its_index()
    {
        var report = Parse("nvidia/sdk2x/sample_nvdaod_transcript.txt");
        Assert.Equal((OpaqueForm.Nvdaod, 2, 0), (report.Opaque.Form, report.Opaque.Major, report.Opaque.Minor));
        Assert.True(DeviceFields.TryReadGpu(report.Opaque, out var fields, out var fault), fault?.ToString());

        Assert.Equal(
            ("620.12", "96.00.D9.00.0F", "G520", "0201", true, false, GpuMode.Spt, 2UL),
            (fields.DriverVersion, fields.VbiosVersion, fields.Project, fields.ProjectSku, fields.NvDec0Enabled, fields.ProtectedPcie, fields.Mode, fields.OpaqueVersion));
        Assert.True(OpaqueFields.TryNumber(report.Opaque.Find(37), out var svn) && svn == 0);
        Assert.Equal("0002", Convert.ToHexString(report.Opaque.Find(OpaqueFields.OpaqueDataVersion)!.Data.Span));
    }

    [Fact]
    public void The_Rubin_report_has_the_fields_of_its_index()
    {
        var report = Parse("nvidia/sdk2x/rubin_report_derived.txt");
        Assert.Equal((OpaqueForm.Nvdaod, 2, 0), (report.Opaque.Form, report.Opaque.Major, report.Opaque.Minor));
        Assert.True(DeviceFields.TryReadGpu(report.Opaque, out var fields, out var fault), fault?.ToString());

        Assert.Equal(
            ("620.54", "99.00.23.00.00", "G550", "0200", "887", "GR100", true, (bool?)null, GpuMode.Mpt),
            (fields.DriverVersion, fields.VbiosVersion, fields.Project, fields.ProjectSku, fields.ChipSku, fields.ChipInfo, fields.NvDec0Enabled, fields.ProtectedPcie, fields.Mode));
        Assert.Equal(65, report.Blocks.Length);
        var contents = report.Blocks.Single(block => block.Index == 0xFD);
        Assert.Equal((0x8A, 1263, true), (contents.ValueType, contents.Value.Length, contents.IsRaw));
        Assert.Equal("0F0F", Convert.ToHexString(report.Opaque.Find(33)!.Data.Span));
    }

    [Fact]
    public void The_report_of_Blackwells_FSP_has_no_opaque_data()
    {
        var report = Parse("nvidia/sdk2x/blackwellFspAttestationReport.txt");

        Assert.Equal((OpaqueForm.Absent, 0, 52), (report.Opaque.Form, report.Opaque.Fields.Length, report.Blocks.Length));
        Assert.True(report.Blocks.Select(block => block.Value.Length).Distinct().Count() > 1);
    }

    private static void AssertOpaque(JsonElement theirs, OpaqueData opaque)
    {
        string Field(ushort type) => Convert.ToHexStringLower(opaque.Find(type)!.Data.Span);
        Assert.Equal(Hex(theirs.GetProperty("OPAQUE_FIELD_ID_DEVICE_PDI")), Field(22));
        Assert.Equal(Hex(theirs.GetProperty("OPAQUE_FIELD_ID_VBIOS_VERSION")), Field(6));
        Assert.Equal(Hex(theirs.GetProperty("OPAQUE_FIELD_ID_SWITCH_LOCK_STATUS")), Field(25));
        Assert.Equal(Hex(theirs.GetProperty("OPAQUE_FIELD_ID_SWITCH_POSITION_ID")), Field(24));
        var connected = string.Concat(new[] { "OPAQUE_FIELD_ID_SWITCH_GPU_PDIS", "OPAQUE_FIELD_ID_SWITCH_PORT" }.SelectMany(name => theirs.GetProperty(name).EnumerateArray()).Select(Hex));
        Assert.Equal(connected, Field(26));
        // The counters are 32-bit numbers, of which the SDK shows the value.
        var counters = opaque.Find(12)!.Data.ToArray();
        var expected = theirs.GetProperty("OPAQUE_FIELD_ID_MSRSCNT").EnumerateArray().Select(count => count.GetInt32()).ToArray();
        Assert.Equal(expected, counters.Chunk(counters.Length / expected.Length).Select(chunk => (int)chunk[0]));
        Assert.True(DeviceFields.TryReadSwitch(opaque, out var fields, out var fault), fault?.ToString());
        Assert.Equal(("96.10.55.00.01", "203EB31AD9ED0008", 8), (fields.VbiosVersion, fields.OwnPdi?.ToString(), fields.GpuPdis.Length));
    }

    private static SpdmReport Parse(string file)
    {
        Assert.True(EvidenceText.TryReadReport(Recorded.Bytes(file), out var bytes, out var fault), fault?.ToString());
        Assert.True(SpdmReport.TryParse(bytes, out var report, out fault), fault?.ToString());
        return report;
    }

    private static string Hex(JsonElement text) => text.GetString()![2..];
}

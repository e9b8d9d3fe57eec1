using System.Text.Json;
using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;
using Assay.Simulator;
using Assay.Tests.Appraisal;
using Assay.Tests.Properties;
using Assay.Tests.Simulator;
using Assay.Trust;
using Assay.Wire;
using OpaqueData = Assay.Evidence.Spdm.OpaqueData;
using SpdmReport = Assay.Evidence.Spdm.SpdmReport;

namespace Assay.Tests.Vectors;

/// <summary>Reports and opaque data with one defect each (vectors/reports), and NVIDIA's cases of the NVDAOD header.</summary>
public class ReportVectorTests
{
    private const string Cases = "nvidia/sdk2x/opaque_cases_derived.json";

    private static readonly List<Vector> s_vectors = Vector.Load("reports");

    public static TheoryData<string> Names => [.. s_vectors.Select(vector => vector.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void A_vector_ends_as_it_says(string name)
    {
        var vector = s_vectors.Single(candidate => candidate.Name == name);

        var outcome = Outcome(vector);

        Assert.True(vector.Expect == outcome, $"{name}: expected \"{vector.Expect}\", found \"{outcome}\"");
    }

    [Fact]
    public void There_are_vectors_that_are_read_and_many_more_that_are_not()
    {
        Assert.InRange(s_vectors.Count(vector => vector.Expect == "read"), 5, 15);
        Assert.InRange(s_vectors.Count(vector => vector.Expect != "read"), 20, 1000);
    }

    [Theory]
    [InlineData("structure: report\nsource: x\nexpect: read\nwhatever: 1\n\n00")]
    [InlineData("structure: report\nsource: x\nsource: y\nexpect: read\n\n00")]
    [InlineData("structure: report\nsource: x\n\n00")]
    [InlineData("structure: report\nsource: x\nexpect: read\n00")]
    [InlineData("structure: report\nsource: x\nexpect: read\n\nzz")]
    public void A_vector_that_does_not_describe_itself_is_refused(string text) =>
        Assert.Throws<FormatException>(() => Vector.Parse("bad", text));

    [Theory]
    [InlineData("hdr_0_2", 0, 2)]
    [InlineData("legacy", 0, 0)]
    [InlineData("hdr_major1_field34_99_ignored", 1, 0)]
    public void A_header_that_the_SDK_reads_is_read(string name, int major, int minor)
    {
        Assert.True(OpaqueData.TryParse(Header(name), out var opaque, out var fault), fault?.ToString());
        Assert.Equal((major, minor), (opaque.Major, opaque.Minor));
        Assert.True(DeviceFields.TryReadGpu(opaque, out var fields, out fault), fault?.ToString());
        Assert.Equal((ulong)major, fields.OpaqueVersion);
    }

    [Fact]
    public void A_header_of_another_profile_is_refused()
    {
        Assert.False(OpaqueData.TryParse(Header("profile_1"), out _, out var fault));
        Assert.Equal("profile: not 0 (stopped at byte 8)", fault.ToString());
    }

    [Theory]
    [InlineData(1, CheckState.Held)]
    [InlineData(2, CheckState.Held)]
    [InlineData(3, CheckState.Failed)]
    [InlineData(255, CheckState.Failed)]
    public void A_major_version_above_2_is_not_supported_although_it_is_signed(byte major, CheckState expected)
    {
        using var device = SimulatedDevice.Create(Simulated.Authority, DeviceProfile.HopperNvdaod with { NvdaodMajor = major });
        var evidence = new DeviceEvidence
        {
            Source = "simulated",
            Report = device.Report(SimulatorFixture.Nonce),
            Chain = System.Text.Encoding.ASCII.GetBytes(device.ChainPem),
        };

        var (authentic, findings, _) = AuthenticDevice.Authenticate(evidence, (new Judged { Trust = Simulated.Trust }).Expectations().Question, new VerifierCache());

        Assert.Equal(expected, findings.Single(finding => finding.Id == "report.version.supported").State);
        Assert.Equal(expected is CheckState.Held, authentic is not null);
        if (major == 3)
        {
            Assert.True(OpaqueData.TryParse(Header("hdr_major_3_rejected"), out var opaque, out _));
            Assert.Equal(3, opaque.Major);
        }
    }

    [Theory]
    [InlineData("type_255_kept_raw")]
    [InlineData("type_38_NVLE_STATUS_kept_raw")]
    public void A_type_that_means_nothing_to_us_is_kept_raw(string name)
    {
        var one = Case(name);
        var type = one.GetProperty("type").GetUInt16();
        var data = one.TryGetProperty("dataHex", out var hex) ? Convert.FromHexString(hex.GetString()!) : [0xAB, 0xCD];
        byte[] bytes = [.. "NVDAOD"u8, 0, 0, 2, 0, 0, 0, (byte)type, (byte)(type >> 8), 0x85, 0, (byte)data.Length, 0, .. data];

        Assert.True(OpaqueData.TryParse(bytes, out var opaque, out var fault), fault?.ToString());
        var field = Assert.Single(opaque.Fields);
        Assert.Equal((type, (ushort?)0x85), (field.Type, field.ValueType));
        Assert.Equal(data, field.Data.ToArray());
        Assert.True(DeviceFields.TryReadGpu(opaque, out _, out fault), fault?.ToString());
    }

    [Fact]
    public void Every_header_case_of_the_SDK_is_asked_above() =>
        Assert.Equal(
            ["hdr_0_2", "hdr_major1_field34_99_ignored", "hdr_major_3_rejected", "legacy", "profile_1", "type_255_kept_raw", "type_38_NVLE_STATUS_kept_raw"],
            All().Select(one => one.GetProperty("case").GetString()!).Order(StringComparer.Ordinal));

    private static string Outcome(Vector vector)
    {
        ParseFault? fault;
        var read = vector.Structure switch
        {
            "report" => SpdmReport.TryParse(vector.Bytes, out _, out fault),
            "opaque" => OpaqueData.TryParse(vector.Bytes, out _, out fault),
            var other => throw new FormatException($"{vector.Name}: the structure \"{other}\" is unknown"),
        };
        return read ? "read" : fault!.ToString();
    }

    private static byte[] Header(string name) => Convert.FromHexString(Case(name).GetProperty("opaqueHex").GetString()!);

    private static JsonElement Case(string name) => All().Single(one => one.GetProperty("case").GetString() == name);

    private static IEnumerable<JsonElement> All()
    {
        using var file = JsonDocument.Parse(Recorded.Bytes(Cases));
        return [.. file.RootElement.GetProperty("opaqueHeader").EnumerateArray().Select(one => one.Clone())];
    }
}

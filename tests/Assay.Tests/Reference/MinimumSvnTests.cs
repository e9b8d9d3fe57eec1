using System.Collections.Immutable;
using System.Text.Json;
using Assay.Reference;

namespace Assay.Tests.Reference;

public class MinimumSvnTests
{
    private const string Cases = "nvidia/sdk2x/opaque_cases_derived.json";

    public static TheoryData<string> CaseNames => Recorded.Present ? [.. All().Select(one => one.GetProperty("case").GetString()!)] : ["match_include"];

    [Theory]
    [MemberData(nameof(CaseNames))]
    public void A_case_of_the_SDK_ends_as_it_says(string name)
    {
        var one = All().Single(candidate => candidate.GetProperty("case").GetString() == name);
        if (one.TryGetProperty("error", out var error))
        {
            var conflicting = MinimumSvnMatching.Match([Floor(one.GetProperty("driver"))], [Floor(one.GetProperty("vbios"))], Report([(37, 0x87, "ffff"), (40, 0x87, "ffff")]));
            Assert.Equal(error.ValueKind is not JsonValueKind.Null, conflicting.Fault is not null);
            Assert.Equal(conflicting.Fault is null, conflicting.Holds);
            return;
        }

        ImmutableArray<MinimumSvn> rim = one.GetProperty("rim") is { ValueKind: JsonValueKind.Object } golden ? [Floor(golden)] : [];
        var match = MinimumSvnMatching.Match(rim, [], Report(Fields(one.GetProperty("field"))));

        Assert.Null(match.Fault);
        var expected = one.GetProperty("mismatch");
        Assert.Equal(expected.ValueKind is JsonValueKind.False, match.Holds);
        if (expected.ValueKind is JsonValueKind.Object)
        {
            AssertMismatch(expected, Assert.Single(match.Mismatches));
        }

        if (one.TryGetProperty("attesterClaims", out var claims))
        {
            Assert.Equal(claims.EnumerateObject().ToDictionary(claim => claim.Name, claim => claim.Value.GetInt32()), match.AttesterClaims.ToDictionary());
        }

        Assert.True(!one.TryGetProperty("attesterClaimPresent", out var present) || match.AttesterClaims.ContainsKey(present.GetString()!));
    }

    [Theory]
    [InlineData(null, "0500")]
    [InlineData((ushort)0x87, "05")]
    [InlineData((ushort)0x87, "050000")]
    public void A_field_of_another_form_counts_as_missing(ushort? valueType, string data)
    {
        var match = MinimumSvnMatching.Match([], [new MinimumSvn(37, "A", 0, true)], _ => new OpaqueValue(valueType, Convert.FromHexString(data)));

        Assert.Equal([new MinimumSvnMismatch(37, "A", "MIN_SVN", 0, null, null)], match.Mismatches);
        Assert.Empty(match.AttesterClaims);
    }

    [Fact]
    public void Numbers_are_little_endian()
    {
        var match = MinimumSvnMatching.Match([new MinimumSvn(1, "A", 256, true)], [], _ => new OpaqueValue(0x87, new byte[] { 0x00, 0x01 }));

        Assert.True(match.Holds);
        Assert.Equal(256, match.AttesterClaims["A"]);
    }

    [Fact]
    public void Floors_are_read_from_a_RIM_and_inactive_ones_do_not_count()
    {
        var rim = RecordedRimTests.Parse(System.Text.Encoding.UTF8.GetBytes(WithFloors(
            "<ns0:Resource type=\"Measurement\" index=\"4133\" active=\"True\" o:minSvn=\"5\" o:includeInResult=\"true\" name=\"FSP_UCODE_MIN_SVN\"/>",
            "<ns0:Resource index=\"4096\" active=\"True\" o:minSvn=\"65535\" name=\"ZERO\"/>",
            "<ns0:Resource index=\"4136\" active=\"False\" name=\"LATER\"/>")));

        Assert.Equal([new MinimumSvn(0, "ZERO", 65535, false), new MinimumSvn(37, "FSP_UCODE_MIN_SVN", 5, true)], rim.MinimumSvns);
        Assert.Equal(64, rim.Measurements.Length);
    }

    [Theory]
    [InlineData("index=\"4133\" active=\"True\" name=\"A\"", "Resource.minSvn: missing")]
    [InlineData("index=\"4133\" active=\"True\" minSvn=\"5\" name=\"A\"", "Resource.minSvn: missing")]
    [InlineData("index=\"4133\" active=\"True\" o:minSvn=\"0x5\" name=\"A\"", "Resource.minSvn: not a canonical")]
    [InlineData("index=\"4133\" active=\"True\" o:minSvn=\"65536\" name=\"A\"", "Resource.minSvn: 65536 is above")]
    [InlineData("index=\"4133\" active=\"True\" o:minSvn=\"5\"", "Resource.name: missing")]
    [InlineData("index=\"4133\" active=\"true\" o:minSvn=\"5\" name=\"A\"", "Resource.active")]
    [InlineData("index=\"4133\" active=\"True\" o:minSvn=\"5\" name=\"A\" o:includeInResult=\"1\"", "Resource.includeInResult")]
    [InlineData("index=\"4133\" active=\"True\" o:minSvn=\"5\" name=\"A\" ns2:Hash0=\"00\"", "Resource: an attribute that is not known")]
    public void A_malformed_floor_is_refused(string attributes, string fault) =>
        Assert.Contains(fault, RimText.Outcome(WithFloors($"<ns0:Resource {attributes}/>")), StringComparison.Ordinal);

    [Theory]
    [InlineData("4133", "B", "Resource.index: appears twice in one RIM")]
    [InlineData("4134", "A", "two active floors of one name")]
    public void Two_floors_for_one_thing_are_refused(string index, string name, string fault) =>
        Assert.Contains(
            fault,
            RimText.Outcome(WithFloors("<ns0:Resource index=\"4133\" active=\"True\" o:minSvn=\"5\" name=\"A\"/>", $"<ns0:Resource index=\"{index}\" active=\"True\" o:minSvn=\"5\" name=\"{name}\"/>")),
            StringComparison.Ordinal);

    private static string WithFloors(params string[] resources) => RimText.Driver
        .With("xmlns:ns2=", "xmlns:o=\"https://docs.nvidia.com/attestation/specs/latest/opaque-data.html\" xmlns:ns2=")
        .With("</ns0:Payload>", string.Concat(resources) + "</ns0:Payload>");

    private static void AssertMismatch(JsonElement expected, MinimumSvnMismatch mismatch)
    {
        if (expected.TryGetProperty("runtimeValueAbsent", out _))
        {
            Assert.Null(mismatch.RuntimeValue);
            Assert.Null(mismatch.RuntimeType);
            return;
        }

        Assert.Equal(expected.GetProperty("id").GetInt32(), mismatch.Id);
        Assert.Equal(expected.GetProperty("name").GetString(), mismatch.Name);
        Assert.Equal(expected.GetProperty("goldenType").GetString(), mismatch.GoldenType);
        Assert.Equal(expected.GetProperty("goldenValue").GetInt32(), mismatch.GoldenValue);
        Assert.Equal(expected.GetProperty("runtimeValue").GetInt32(), mismatch.RuntimeValue);
        Assert.NotNull(mismatch.RuntimeType);
    }

    private static List<JsonElement> All()
    {
        using var file = JsonDocument.Parse(Recorded.Bytes(Cases));
        return [.. file.RootElement.GetProperty("opaqueCompare").EnumerateArray().Select(one => one.Clone())];
    }

    private static MinimumSvn Floor(JsonElement rim) => new(
        rim.GetProperty("typeId").GetInt32(),
        rim.GetProperty("name").GetString()!,
        rim.TryGetProperty("minSvn", out var minimum) ? minimum.GetInt32() : 0,
        rim.TryGetProperty("includeInResult", out var include) && include.GetBoolean());

    private static (int Type, ushort ValueType, string Data)[] Fields(JsonElement field) => field.ValueKind is not JsonValueKind.Object ? [] :
        [(field.GetProperty("type").GetInt32(), Convert.ToUInt16(field.GetProperty("valueType").GetString()!, 16), field.GetProperty("dataHex").GetString()!)];

    private static OpaqueLookup Report((int Type, ushort ValueType, string Data)[] fields) => type =>
        fields.Where(field => field.Type == type).Select(field => (OpaqueValue?)new OpaqueValue(field.ValueType, Convert.FromHexString(field.Data))).FirstOrDefault();
}

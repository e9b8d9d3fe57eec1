using System.Collections.Immutable;
using Assay.Reference;
using Assay.Wire;

namespace Assay.Tests.Reference;

public class MeasurementMatchingTests
{
    private static readonly ImmutableArray<GoldenMeasurement> s_driver = [Golden(7, "aa"), Golden(35, "bb", "cc"), Inactive(3)];
    private static readonly ImmutableArray<GoldenMeasurement> s_firmware = [Golden(3, "dd"), Golden(9, "ee")];

    [Fact]
    public void Every_active_golden_value_of_both_RIMs_is_compared()
    {
        var match = MeasurementMatching.Match(s_driver, s_firmware, Runtime((3, "dd"), (7, "aa"), (9, "ee"), (35, "cc"), (40, "01"), (41, "00")), nvdec0Status: 0xAA);

        Assert.True(match.Holds, match.Fault);
        Assert.Equal((4, 4), (match.Compared, match.Matched));
        Assert.Equal([40], match.Unreferenced);
        Assert.Equal([41], match.UnreferencedZero);
        Assert.Empty(match.Skipped);
    }

    [Fact]
    public void Mismatches_name_the_driver_first_and_ascend()
    {
        var match = MeasurementMatching.Match(s_driver, s_firmware, Runtime((3, "de"), (7, "aaaa"), (9, "ee")), nvdec0Status: null);

        Assert.False(match.Holds);
        Assert.Equal((4, 1), (match.Compared, match.Matched));
        Assert.Equal(
            [
                new MeasurementMismatch(7, 1, "aa", 2, "aaaa", "Driver", "Measurement_7"),
                new MeasurementMismatch(35, 1, "bb", 0, "NA", "Driver", "Measurement_35"),
                new MeasurementMismatch(3, 1, "dd", 1, "de", "Firmware", "Measurement_3"),
            ],
            match.Mismatches);
    }

    [Theory]
    [InlineData(0x55, true)]
    [InlineData(0xAA, false)]
    public void Index_35_is_skipped_where_NVDEC0_is_off(byte status, bool holds)
    {
        var match = MeasurementMatching.Match(s_driver, null, Runtime((7, "aa"), (35, "ff")), status);

        Assert.Equal(holds, match.Holds);
        Assert.Equal(holds ? [35] : [], match.Skipped);
        Assert.Empty(match.Unreferenced);
    }

    [Fact]
    public void An_unknown_NVDEC0_status_is_a_fault()
    {
        var match = MeasurementMatching.Match(s_driver, null, Runtime((7, "aa"), (35, "bb")), nvdec0Status: 0x00);

        Assert.False(match.Holds);
        Assert.Equal("NVDEC0_STATUS is 00; AA or 55 is expected", match.Fault);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void One_RIM_alone_is_compared(bool driver)
    {
        var match = driver
            ? MeasurementMatching.Match(s_driver, null, Runtime((7, "aa"), (35, "bb"), (9, "ee")), null)
            : MeasurementMatching.Match(null, s_firmware, Runtime((3, "dd"), (9, "ee"), (7, "aa")), null);

        Assert.True(match.Holds, match.Fault);
        Assert.Equal(2, match.Compared);
        Assert.Equal(driver ? [9] : [7], match.Unreferenced);
    }

    [Fact]
    public void An_index_active_in_both_RIMs_is_a_conflict()
    {
        var match = MeasurementMatching.Match(s_driver, s_firmware.Add(Golden(7, "aa")), Runtime((7, "aa")), null);

        Assert.False(match.Holds);
        Assert.Equal([7], match.Conflicts);
        Assert.Equal("indexes 7 are active in both RIMs", match.Fault);
    }

    [Fact]
    public void Nothing_to_compare_is_no_match()
    {
        var runtime = Runtime((7, "aa"));
        MeasurementMatch[] outcomes =
        [
            MeasurementMatching.Match((ImmutableArray<GoldenMeasurement>?)null, null, runtime, null),
            MeasurementMatching.Match([], null, runtime, null),
            MeasurementMatching.Match([Inactive(7)], null, runtime, null),
            MeasurementMatching.Match([Inactive(7)], [Golden(7, "aa")], runtime, null),
            MeasurementMatching.Match([Golden(35, "aa")], null, runtime, 0x55),
            new MeasurementMatch(),
        ];

        Assert.All(outcomes, outcome => Assert.False(outcome.Holds));
        Assert.All(outcomes[..^1], outcome => Assert.NotNull(outcome.Fault));
    }

    [Fact]
    public void A_value_that_only_begins_like_the_golden_one_does_not_match()
    {
        Assert.False(MeasurementMatching.Match([Golden(1, "aabb")], null, Runtime((1, "aa")), null).Holds);
        Assert.False(MeasurementMatching.Match([Golden(1, "aa")], null, Runtime((1, "aabb")), null).Holds);
        Assert.False(MeasurementMatching.Match([Golden(1, "aa")], null, Runtime((1, "")), null).Holds);
    }

    [Fact]
    public void The_doctored_VBIOS_RIM_differs_from_the_genuine_at_index_9()
    {
        var genuine = RecordedRimTests.Parse(Recorded.Bytes("nvidia/rims/NV_GPU_VBIOS_1010_0200_882_96005E0001.xml"));
        var doctored = RecordedRimTests.Parse(Recorded.Bytes("nvidia/negative/rims/NV_GPU_VBIOS_1010_0200_882_96005E0001_measurement_mismatch.xml"));
        var runtime = genuine.Measurements.ToDictionary(golden => golden.Index, golden => (ReadOnlyMemory<byte>)golden.Alternatives[^1].Bytes.ToArray());

        Assert.True(MeasurementMatching.Match(null, genuine.Measurements, runtime, null) is { Holds: true, Compared: 12 });
        Assert.Equal([9], MeasurementMatching.Match(null, doctored.Measurements, runtime, null).Mismatches.Select(mismatch => mismatch.Index));
    }

    private static GoldenMeasurement Golden(int index, params string[] values) =>
        new(index, true, [.. values.Select(value => new Digest(Convert.FromHexString(value)))], $"Measurement_{index}", values[0].Length / 2);

    private static GoldenMeasurement Inactive(int index) => Golden(index, "00") with { Active = false };

    private static Dictionary<int, ReadOnlyMemory<byte>> Runtime(params (int Index, string Value)[] blocks) =>
        blocks.ToDictionary(block => block.Index, block => (ReadOnlyMemory<byte>)Convert.FromHexString(block.Value));
}

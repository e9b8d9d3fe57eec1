using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Simulator;

namespace Assay.Tests.Simulator;

public class SimulatedReportTests(SimulatorFixture simulator) : IClassFixture<SimulatorFixture>
{
    private const int RequestSize = 37;
    private const int SignatureSize = 96;

    public static TheoryData<string> Names => [.. Profiles.Keys];

    private static Dictionary<string, DeviceProfile> Profiles { get; } = new(StringComparer.Ordinal)
    {
        ["Hopper, early"] = DeviceProfile.HopperEarly,
        ["Hopper 570"] = DeviceProfile.Hopper570,
        ["Hopper 580"] = DeviceProfile.Hopper580,
        ["Hopper, NVDAOD"] = DeviceProfile.HopperNvdaod,
        ["Blackwell"] = DeviceProfile.Blackwell,
        ["Blackwell 575"] = DeviceProfile.Blackwell with { DriverVersion = "575.32", OpaqueDataVersion = 0, ChipInfo = null, Mode = null },
        ["LS10"] = DeviceProfile.Ls10,
    };

    [Theory]
    [MemberData(nameof(Names))]
    public void A_report_verifies_with_the_key_of_the_leaf_certificate(string name)
    {
        using var device = SimulatedDevice.Create(simulator.Authority, Profiles[name]);
        var report = device.Report(SimulatorFixture.Nonce);

        using var leaf = X509Certificate2.CreateFromPem(device.ChainPem);
        using var key = leaf.GetECDsaPublicKey();
        Assert.True(key?.VerifyData(
            report.AsSpan(0, report.Length - SignatureSize),
            report.AsSpan(report.Length - SignatureSize),
            HashAlgorithmName.SHA384,
            DSASignatureFormat.IeeeP1363FixedFieldConcatenation));
    }

    // Sizes and field orders of the recorded reports with these versions.
    [Theory]
    [InlineData("Hopper, early", 4049, "6 14 15 16 17 18 19 3 4 12 13 11")]
    [InlineData("Hopper 570", 4117, "6 14 15 16 17 18 19 3 4 12 13 11 20 21")]
    [InlineData("Hopper, NVDAOD", 4178, "6 14 15 16 17 18 19 3 4 12 13 11 37 20 21 34 36")]
    [InlineData("Blackwell 575", 4121, "6 14 15 16 17 18 19 3 4 12 13 11 20 33 34")]
    [InlineData("LS10", 2168, "6 22 12 26 23 24 25")]
    public void A_report_has_the_size_and_fields_of_the_recorded_one(string name, int size, string fields)
    {
        using var device = SimulatedDevice.Create(simulator.Authority, Profiles[name]);
        var report = device.Report(SimulatorFixture.Nonce);

        var read = Opaque(report);
        Assert.Equal(size, report.Length);
        Assert.Equal(fields, string.Join(' ', read.Select(field => field.Type)));
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void A_report_answers_the_nonce_it_was_given_with_a_new_one_of_its_own(string name)
    {
        using var device = SimulatedDevice.Create(simulator.Authority, Profiles[name]);
        var one = device.Report(SimulatorFixture.Nonce);
        var other = device.Report(SimulatorFixture.Nonce);

        Assert.Equal(SimulatorFixture.Nonce, one[4..36]);
        Assert.Equal(one[..(RequestSize + 8 + RecordSize(one))], other[..(RequestSize + 8 + RecordSize(other))]);
        Assert.NotEqual(ResponderNonce(one), ResponderNonce(other));
    }

    [Theory]
    [InlineData("Hopper 580")]
    [InlineData("Blackwell")]
    public void Field_20_repeats_the_identity_that_the_leaf_certifies(string name)
    {
        using var device = SimulatedDevice.Create(simulator.Authority, Profiles[name]);

        var fwid = Opaque(device.Report(SimulatorFixture.Nonce)).Single(field => field.Type == 20).Data;
        Assert.True(device.Certificate.Der.Span.IndexOf(fwid) > 0);
    }

    [Fact]
    public void The_vbios_version_is_written_in_the_recorded_byte_order()
    {
        using var device = SimulatedDevice.Create(simulator.Authority, DeviceProfile.Hopper580);

        var version = Opaque(device.Report(SimulatorFixture.Nonce)).Single(field => field.Type == 6).Data;
        Assert.Equal("00A5009601000000", Convert.ToHexString(version));
    }

    [Fact]
    public void Equal_firmware_measures_equally_and_another_driver_does_not()
    {
        var one = Record(DeviceProfile.Hopper580);
        var newer = Record(DeviceProfile.Hopper580 with { DriverVersion = "580.105.08" });
        int[] changed = [.. Enumerable.Range(0, 64).Where(index => !one.AsSpan(index * 55, 55).SequenceEqual(newer.AsSpan(index * 55, 55)))];

        Assert.Equal(one, Record(DeviceProfile.Hopper580));
        Assert.Equal([7, .. Enumerable.Range(21, 20)], changed);
    }

    [Fact]
    public void A_deviation_changes_that_measurement_only()
    {
        var deviating = DeviceProfile.Ls10 with { Deviations = DeviceProfile.Ls10.Deviations.Add(9, new byte[48]) };

        var difference = Record(DeviceProfile.Ls10).Zip(Record(deviating)).Select((pair, offset) => (pair, offset))
            .Where(entry => entry.pair.First != entry.pair.Second).Select(entry => entry.offset / 55).Distinct();
        Assert.Equal([9], difference);
    }

    private byte[] Record(DeviceProfile profile)
    {
        using var device = SimulatedDevice.Create(simulator.Authority, profile);
        var report = device.Report(SimulatorFixture.Nonce);
        return report[(RequestSize + 8)..(RequestSize + 8 + RecordSize(report))];
    }

    private static int RecordSize(byte[] report) => report[42] | report[43] << 8 | report[44] << 16;

    private static byte[] ResponderNonce(byte[] report) => report[(RequestSize + 8 + RecordSize(report))..][..32];

    internal static List<(int Type, byte[] Data)> Opaque(byte[] report)
    {
        var rest = report.AsSpan()[(RequestSize + 8 + RecordSize(report) + 32)..^SignatureSize];
        Assert.Equal(BinaryPrimitives.ReadUInt16LittleEndian(rest) + 2, rest.Length);
        rest = rest[2..];
        var tagged = rest.StartsWith("NVDAOD"u8);
        rest = tagged ? rest[12..] : rest;
        var fields = new List<(int, byte[])>();
        while (!rest.IsEmpty)
        {
            var header = tagged ? 6 : 4;
            var size = BinaryPrimitives.ReadUInt16LittleEndian(rest[(header - 2)..]);
            fields.Add((BinaryPrimitives.ReadUInt16LittleEndian(rest), rest.Slice(header, size).ToArray()));
            rest = rest[(header + size)..];
        }

        return fields;
    }
}

using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>The RIM that has the reference value of a measurement.</summary>
internal enum MeasurementSource
{
    None,
    Driver,
    Vbios,
    SwitchBios,
}

/// <summary>
/// What a device of a profile measures: SHA-384 of a text that names the firmware and the index,
/// so that equal firmware measures equally everywhere and nothing is listed by hand. Indices are 0-based.
/// </summary>
internal static class Measurements
{
    public const int Size = SHA384.HashSizeInBytes;

    private const int GpuBlocks = 64;
    private const int SwitchBlocks = 31;

    public static int BlockCount(DeviceFamily family) => family is DeviceFamily.Ls10 ? SwitchBlocks : GpuBlocks;

    /// <summary>The active sets of recorded RIMs. A Blackwell VBIOS owns index 7, which on Hopper is the driver's.</summary>
    public static ImmutableArray<int> Active(DeviceFamily family, MeasurementSource source) => (family, source) switch
    {
        (DeviceFamily.Hopper, MeasurementSource.Driver) => [7, .. Enumerable.Range(21, 20)],
        (DeviceFamily.Hopper, MeasurementSource.Vbios) => [.. Enumerable.Range(0, 7), .. Enumerable.Range(8, 5)],
        (DeviceFamily.Blackwell, MeasurementSource.Driver) => [.. Enumerable.Range(21, 20), 52],
        (DeviceFamily.Blackwell, MeasurementSource.Vbios) => [.. Enumerable.Range(0, 14), .. Enumerable.Range(15, 6)],
        (DeviceFamily.Ls10, MeasurementSource.SwitchBios) => [.. Enumerable.Range(0, SwitchBlocks)],
        _ => [],
    };

    /// <summary>What the device reports, by 0-based index; zero where nothing is measured.</summary>
    public static ImmutableArray<byte[]> Of(DeviceProfile profile)
    {
        var values = new byte[BlockCount(profile.Family)][];
        Array.Fill(values, new byte[Size]);
        foreach (var source in Enum.GetValues<MeasurementSource>())
        {
            foreach (var index in Active(profile.Family, source))
            {
                values[index] = Reference(profile, source, index);
            }
        }

        foreach (var (index, value) in profile.Deviations)
        {
            values[index] = value.ToArray();
        }

        return [.. values];
    }

    public static byte[] Reference(DeviceProfile profile, MeasurementSource source, int index) =>
        Derive(profile, source, $"{index}");

    /// <summary>A value that the RIM allows at this index and that no simulated device reports.</summary>
    public static byte[] Alternative(DeviceProfile profile, MeasurementSource source, int index, int number) =>
        Derive(profile, source, $"{index}/alternative {number}");

    /// <summary>The firmware identity that the leaf certifies and field 20 repeats.</summary>
    public static byte[] Fwid(DeviceProfile profile) => Derive(profile, Owner(profile.Family), "FWID");

    private static MeasurementSource Owner(DeviceFamily family) =>
        family is DeviceFamily.Ls10 ? MeasurementSource.SwitchBios : MeasurementSource.Vbios;

    private static byte[] Derive(DeviceProfile profile, MeasurementSource source, string what)
    {
        var firmware = source is MeasurementSource.Driver
            ? $"driver {profile.DriverVersion}"
            : $"firmware {profile.Project}/{profile.ProjectSku}/{profile.ChipSku}/{profile.VbiosVersion}";
        return SHA384.HashData(Encoding.UTF8.GetBytes($"Assay.Simulator/{profile.Family}/{firmware}/{profile.Label}/{what}"));
    }
}

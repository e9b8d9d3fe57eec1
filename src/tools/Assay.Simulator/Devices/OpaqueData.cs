using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Assay.Simulator;

/// <summary>The opaque data of each family, its fields in the order of the recorded reports.</summary>
internal static class OpaqueData
{
    private const byte Yes = 0xAA;
    private const byte No = 0x55;
    private const int LongChipSku = 9;
    private const int LongChipSkuMod = 5;
    private const int ProjectSize = 5;
    private const int SwitchCounters = 26;

    public static byte[] OfGpu(DeviceProfile profile, ReadOnlySpan<byte> fwid, ReadOnlySpan<byte> switchPdis, bool[] measured)
    {
        var writer = new OpaqueWriter(profile.Layout).Header(profile.NvdaodMajor);
        WriteIdentity(writer, profile);
        writer.Text(OpaqueField.DriverVersion, profile.DriverVersion)
            .Field(OpaqueField.GpuInfo, profile.Family is DeviceFamily.Blackwell ? [0xA0, 1, 0, 0, 0, 0, 0, 0] : [0x80, 1, 0, 0, 0, 0, 0, 0])
            .Field(OpaqueField.MeasurementCounts, Counters(measured))
            .U32(OpaqueField.CprInfo, profile.Family is DeviceFamily.Blackwell ? 0x0004_0000u : 0x0001_C000u)
            .Field(OpaqueField.Nvdec0Status, [profile.Nvdec0Status]);
        WriteAdditions(writer, profile, fwid, switchPdis);
        return writer.ToArray();
    }

    /// <param name="profile">Gives the VBIOS version, which a switch reports as bare text.</param>
    /// <param name="pdi">The switch's own identifier, natural order.</param>
    /// <param name="gpuPdis">Eight GPU identifiers, natural order, then one byte per port: GPU number or 0xFF.</param>
    /// <param name="position">Its place on the board.</param>
    /// <param name="measured">Which blocks hold a measurement.</param>
    public static byte[] OfSwitch(DeviceProfile profile, ReadOnlySpan<byte> pdi, ReadOnlySpan<byte> gpuPdis, ushort position, bool[] measured) =>
        new OpaqueWriter(profile.Layout).Header(profile.NvdaodMajor)
            .Field(OpaqueField.VbiosVersion, Encoding.ASCII.GetBytes(profile.VbiosVersion))
            .Field(OpaqueField.Pdi, profile.ReportedPdi is { } other ? other.Span : pdi)
            .Field(OpaqueField.MeasurementCounts, Counters(measured.AsSpan(0, SwitchCounters)))
            .Field(OpaqueField.SwitchGpuPdis, gpuPdis)
            .U16(OpaqueField.DisabledPorts, 0x00EC)
            .U16(OpaqueField.SwitchPosition, position)
            .U16(OpaqueField.SwitchLockStatus, 1)
            .ToArray();

    private static void WriteIdentity(OpaqueWriter writer, DeviceProfile profile) => writer
        .Field(OpaqueField.VbiosVersion, GpuVbiosVersion(profile.VbiosVersion))
        .U32(OpaqueField.BoardId, profile.BoardId)
        .Text(OpaqueField.ChipSku, profile.ChipSku, profile.ShortSkuFields ? 0 : LongChipSku)
        .Text(OpaqueField.ChipSkuMod, "0", profile.ShortSkuFields ? 0 : LongChipSkuMod)
        .Text(OpaqueField.Project, profile.Project, ProjectSize)
        .Text(OpaqueField.ProjectSku, profile.ProjectSku, ProjectSize)
        .Field(OpaqueField.ProjectSkuMod, profile.Family is DeviceFamily.Blackwell ? "0\0"u8 : [0, 0]);

    /// <summary>The fields that came with later firmware.</summary>
    private static void WriteAdditions(OpaqueWriter writer, DeviceProfile profile, ReadOnlySpan<byte> fwid, ReadOnlySpan<byte> switchPdis)
    {
        if (profile is { Layout: OpaqueLayout.Nvdaod, FspUcodeSvn: { } svn })
        {
            writer.U16(OpaqueField.FspUcodeSvn, svn);
        }

        if (profile.ReportsFwid)
        {
            writer.Field(OpaqueField.Fwid, profile.ReportedFwid is { } other ? other.Span : fwid);
        }

        if (profile.ReportsProtectedPcie)
        {
            writer.Field(OpaqueField.ProtectedPcieStatus, [profile.ReportedProtectedPcie ?? profile.Mode is GpuMode.ProtectedPcie ? Yes : No]);
        }

        if (!switchPdis.IsEmpty)
        {
            writer.Field(OpaqueField.Pdi, switchPdis);
        }

        if (profile.Family is DeviceFamily.Blackwell)
        {
            writer.U16(OpaqueField.SysEnableStatus, 0x0707);
        }

        if (profile.ChipInfo is { } chip)
        {
            writer.Text(OpaqueField.ChipInfo, chip);
        }

        if (profile.OpaqueDataVersion is { } version)
        {
            writer.U16(OpaqueField.OpaqueDataVersion, version);
        }

        if (profile.Mode is { } mode)
        {
            writer.U16(OpaqueField.FeatureFlag, (ushort)mode);
        }
    }

    /// <summary>b3.b2.b1.b0.b4 in hex: the inverse of how verifiers print the eight bytes.</summary>
    private static byte[] GpuVbiosVersion(string version)
    {
        var parts = version.Split('.');
        ArgumentOutOfRangeException.ThrowIfNotEqual(parts.Length, 5, nameof(version));
        var numbers = Array.ConvertAll(parts, part => byte.Parse(part, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        return [numbers[3], numbers[2], numbers[1], numbers[0], numbers[4], 0, 0, 0];
    }

    /// <summary>One u32 per block: how often it was extended. Never part of a verdict.</summary>
    private static byte[] Counters(ReadOnlySpan<bool> measured)
    {
        var counters = new byte[measured.Length * sizeof(uint)];
        for (var index = 0; index < measured.Length; index++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(counters.AsSpan(index * sizeof(uint)), measured[index] ? 1u : 0u);
        }

        return counters;
    }
}

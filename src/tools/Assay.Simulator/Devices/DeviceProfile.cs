using System.Collections.Immutable;

namespace Assay.Simulator;

/// <summary>The opaque data of a report: a bare list of fields, or one under the NVDAOD header.</summary>
public enum OpaqueLayout
{
    /// <summary>type u16, size u16, data; all little-endian.</summary>
    Plain,

    /// <summary>A 12-byte header (magic, profile, major, minor), then type u16, value-type u16, size u16, data.</summary>
    Nvdaod,
}

/// <summary>How many GPUs the confidential guest sees, as field 36 (FEATURE_FLAG) says it.</summary>
public enum GpuMode
{
    /// <summary>SPT: one GPU passed through.</summary>
    SinglePassthrough = 0,

    /// <summary>MPT: several GPUs passed through.</summary>
    MultiPassthrough = 1,

    /// <summary>PPCIE: protected PCIe with NVSwitches; field 21 then says 0xAA.</summary>
    ProtectedPcie = 2,
}

/// <summary>
/// What a device runs and which fields its reports carry. The presets are the field sets of recorded reports;
/// change one with a <c>with</c> expression. Measurements follow from the versions, so a RIM made from the same profile matches.
/// </summary>
public sealed record DeviceProfile
{
    public required DeviceFamily Family { get; init; }

    /// <summary>The VBIOS version as verifiers print it, for example <c>96.00.A5.00.01</c>.</summary>
    public required string VbiosVersion { get; init; }

    /// <summary>The driver version, ASCII; empty on a switch.</summary>
    public string DriverVersion { get; init; } = string.Empty;

    public string Project { get; init; } = "G520";
    public string ProjectSku { get; init; } = "0200";
    public string ChipSku { get; init; } = "885";
    public uint BoardId { get; init; } = 1079;

    /// <summary>Short SKU fields (4 and 2 bytes), as firmware before 570 wrote them, instead of 9 and 5.</summary>
    public bool ShortSkuFields { get; init; }

    /// <summary>Whether the report repeats the certified firmware identity in field 20.</summary>
    public bool ReportsFwid { get; init; } = true;

    /// <summary>Whether the report has field 21 (PROTECTED_PCIE_STATUS).</summary>
    public bool ReportsProtectedPcie { get; init; } = true;

    /// <summary>Field 34, two bytes little-endian; null leaves it out.</summary>
    public ushort? OpaqueDataVersion { get; init; }

    /// <summary>Field 36; null leaves it out.</summary>
    public GpuMode? Mode { get; init; }

    /// <summary>Field 11: 0x55 disabled, 0xAA enabled.</summary>
    public byte Nvdec0Status { get; init; } = 0x55;

    /// <summary>Field 35, ASCII; null leaves it out.</summary>
    public string? ChipInfo { get; init; }

    /// <summary>Field 37 (value-type 0x87), two bytes little-endian, only under the NVDAOD header; null leaves it out.</summary>
    public ushort? FspUcodeSvn { get; init; }

    public OpaqueLayout Layout { get; init; }

    /// <summary>NVDAOD header: major version. Real reports say 2.</summary>
    public byte NvdaodMajor { get; init; } = 2;

    /// <summary>What field 20 says instead of the certified firmware identity (48 bytes); null: the truth.</summary>
    public ReadOnlyMemory<byte>? ReportedFwid { get; init; }

    /// <summary>What field 22 of a switch says instead of its own identifier (8 bytes, natural order); null: the truth.</summary>
    public ReadOnlyMemory<byte>? ReportedPdi { get; init; }

    /// <summary>What field 21 says instead of what <see cref="Mode"/> implies; null: the truth.</summary>
    public bool? ReportedProtectedPcie { get; init; }

    /// <summary>When the device's two certificates end; null: never, as the real ones.</summary>
    public DateTimeOffset? CertifiedUntil { get; init; }

    /// <summary>Distinguishes devices of the same versions, which otherwise measure alike.</summary>
    public string Label { get; init; } = string.Empty;

    /// <summary>Measurements that deviate from the reference: 0-based index to 48 bytes.</summary>
    public ImmutableSortedDictionary<int, ReadOnlyMemory<byte>> Deviations { get; init; } =
        ImmutableSortedDictionary<int, ReadOnlyMemory<byte>>.Empty;

    /// <summary>Hopper of 2023 (545.00): no FWID, no field 21, no opaque version.</summary>
    public static DeviceProfile HopperEarly { get; } = new()
    {
        Family = DeviceFamily.Hopper,
        DriverVersion = "545.00",
        VbiosVersion = "96.00.5E.00.01",
        Project = "1010",
        ChipSku = "882",
        BoardId = 945,
        ShortSkuFields = true,
        ReportsFwid = false,
        ReportsProtectedPcie = false,
    };

    /// <summary>Hopper with driver 570: fields 20 and 21.</summary>
    public static DeviceProfile Hopper570 { get; } = new()
    {
        Family = DeviceFamily.Hopper,
        DriverVersion = "570.86.10",
        VbiosVersion = "96.00.AF.00.01",
        Project = "1010",
        ChipSku = "882",
        BoardId = 945,
    };

    /// <summary>Hopper with driver 580: also fields 34 and 36.</summary>
    public static DeviceProfile Hopper580 { get; } = new()
    {
        Family = DeviceFamily.Hopper,
        DriverVersion = "580.95.05",
        VbiosVersion = "96.00.A5.00.01",
        OpaqueDataVersion = 1,
        Mode = GpuMode.SinglePassthrough,
    };

    /// <summary>Hopper of an HGX machine under protected PCIe; field 22 comes from <see cref="SimulatedMachine"/>.</summary>
    public static DeviceProfile HopperProtectedPcie { get; } = Hopper580 with { Mode = GpuMode.ProtectedPcie };

    /// <summary>Hopper with driver 620: NVDAOD header, NVDEC0 enabled, field 37.</summary>
    public static DeviceProfile HopperNvdaod { get; } = new()
    {
        Family = DeviceFamily.Hopper,
        DriverVersion = "620.12",
        VbiosVersion = "96.00.D9.00.0F",
        ProjectSku = "0201",
        ChipSku = "884",
        BoardId = 1077,
        Layout = OpaqueLayout.Nvdaod,
        OpaqueDataVersion = 0x0200,
        Mode = GpuMode.SinglePassthrough,
        Nvdec0Status = 0xAA,
        FspUcodeSvn = 5,
    };

    /// <summary>Blackwell with opaque data version 1: fields 20, 33, 34, 35 and 36.</summary>
    public static DeviceProfile Blackwell { get; } = new()
    {
        Family = DeviceFamily.Blackwell,
        DriverVersion = "580.95.05",
        VbiosVersion = "97.00.88.00.0F",
        Project = "G525",
        ProjectSku = "0220",
        ChipSku = "886",
        BoardId = 1647,
        ReportsProtectedPcie = false,
        OpaqueDataVersion = 1,
        Mode = GpuMode.SinglePassthrough,
        ChipInfo = "GB100",
    };

    /// <summary>The LS10 switch of the recorded set.</summary>
    public static DeviceProfile Ls10 { get; } = new()
    {
        Family = DeviceFamily.Ls10,
        VbiosVersion = "96.10.55.00.01",
        ReportsFwid = false,
        ReportsProtectedPcie = false,
    };
}

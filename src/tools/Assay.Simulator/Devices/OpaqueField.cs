namespace Assay.Simulator;

/// <summary>Field numbers of opaque data. 22 means another thing on a GPU than on a switch.</summary>
internal enum OpaqueField : ushort
{
    None = 0,
    DriverVersion = 3,
    GpuInfo = 4,
    VbiosVersion = 6,
    Nvdec0Status = 11,
    MeasurementCounts = 12,
    CprInfo = 13,
    BoardId = 14,
    ChipSku = 15,
    ChipSkuMod = 16,
    Project = 17,
    ProjectSku = 18,
    ProjectSkuMod = 19,
    Fwid = 20,
    ProtectedPcieStatus = 21,

    /// <summary>GPU: 18 x 8 bytes, the switch at each NVLink, byte-reversed. Switch: its own 8 bytes, natural order.</summary>
    Pdi = 22,
    DisabledPorts = 23,
    SwitchPosition = 24,
    SwitchLockStatus = 25,
    SwitchGpuPdis = 26,
    SysEnableStatus = 33,
    OpaqueDataVersion = 34,
    ChipInfo = 35,
    FeatureFlag = 36,
    FspUcodeSvn = 37,
}

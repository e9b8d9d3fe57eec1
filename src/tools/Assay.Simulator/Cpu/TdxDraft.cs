using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>What a simulated TD, its platform and Intel's statements about them say. Faults change one thing each.</summary>
internal sealed record TdxDraft
{
    public required int Version { get; init; }
    public required bool Is15 { get; init; }
    public TdxFault Fault { get; init; }

    public byte[] TeeTcbSvn { get; init; } = [6, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    public byte[] MrSignerSeam { get; init; } = new byte[48];
    public ulong SeamAttributes { get; init; }
    public required ulong TdAttributes { get; init; }
    public ulong Xfam { get; init; } = 0x602E7;
    public required byte[] MrTd { get; init; }

    /// <summary>What the host stated at launch.</summary>
    public required byte[] MrConfigId { get; init; }
    public required byte[][] Rtmr { get; init; }
    public byte[] ReportData { get; init; } = new byte[64];
    public byte[] MrServiceTd { get; init; } = new byte[48];

    public byte[] CpuSvn { get; init; } = [3, 3, 2, 2, 4, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0];
    public int PceSvn { get; init; } = 13;
    public string PceId { get; init; } = "0000";
    public string Fmspc { get; init; } = "90C06F000000";

    public byte[] QeMrSigner { get; init; } = SHA256.HashData("simulated quoting enclave"u8);
    public byte QeFlags { get; init; } = 0x15;
    public ushort QeProduct { get; init; } = 2;
    public ushort QeSvn { get; init; } = 6;

    public static TdxDraft Of(int version, bool is15, byte[] reportData, TdxFault fault, TdxGuest? guest = null)
    {
        guest ??= TdxGuest.BareMetal;
        var draft = new TdxDraft
        {
            Version = version,
            Is15 = is15,
            ReportData = reportData,
            Fault = fault,
            TdAttributes = guest.Attributes,
            MrTd = guest.MrTd.ToArray(),
            MrConfigId = guest.MrConfigId.ToArray(),
            Rtmr = [.. guest.Rtmr.Select(register => register.ToArray())],
        };
        return fault switch
        {
            TdxFault.PlatformOutOfDate => draft with { PceSvn = 11 },
            TdxFault.PlatformRelaunchAdvised => draft with { PceSvn = 10 },
            TdxFault.PlatformRelaunchAdvisedConfiguration => draft with { PceSvn = 9 },
            TdxFault.PlatformRevoked => draft with { PceSvn = 5 },
            TdxFault.NoTcbLevel => draft with { PceSvn = 4 },
            TdxFault.ForeignModule => draft with { MrSignerSeam = SHA384.HashData("another"u8) },
            TdxFault.ModuleAttributes => draft with { SeamAttributes = 1 },
            TdxFault.UnknownModule => draft with { TeeTcbSvn = [6, 7, .. draft.TeeTcbSvn[2..]] },
            TdxFault.ModuleOutOfDate => draft with { TeeTcbSvn = [5, .. draft.TeeTcbSvn[1..]] },
            TdxFault.ModuleBelowAll => draft with { TeeTcbSvn = [1, .. draft.TeeTcbSvn[1..]] },
            TdxFault.ForeignQe => draft with { QeMrSigner = SHA256.HashData("another"u8) },
            TdxFault.DebugQe => draft with { QeFlags = 0x17 },
            TdxFault.OtherEnclave => draft with { QeProduct = 1 },
            TdxFault.QeOutOfDate => draft with { QeSvn = 4 },
            TdxFault.Debug => draft with { TdAttributes = draft.TdAttributes | 1 },
            TdxFault.UnknownAttribute => draft with { TdAttributes = draft.TdAttributes | 1UL << 20 },
            TdxFault.UnknownXfam => draft with { Xfam = draft.Xfam | 1UL << 40 },
            TdxFault.SeptVeEnabled => draft with { TdAttributes = 0 },
            TdxFault.Migratable => draft with { TdAttributes = draft.TdAttributes | 1UL << 29 },
            TdxFault.ServiceTd => draft with { MrServiceTd = SHA384.HashData("migration TD"u8) },
            TdxFault.OtherImage => draft with { MrTd = SHA384.HashData("another firmware"u8) },
            TdxFault.OtherRegister => draft with { Rtmr = [draft.Rtmr[0], SHA384.HashData("another kernel"u8), .. draft.Rtmr[2..]] },
            TdxFault.OtherReportData => draft with { ReportData = [.. SHA512.HashData(reportData)] },
            _ => draft,
        };
    }
}

using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>The TDREPORT from which the quote was made.</summary>
public sealed partial class SimulatedTdx
{
    /// <summary>
    /// 1024 bytes, little-endian: REPORTMACSTRUCT 256, TEE_TCB_INFO 239, reserved 17, TDINFO_STRUCT 512. Its MAC is random: only the CPU that
    /// made a TDREPORT can check it.
    /// </summary>
    internal byte[] WriteTdReport()
    {
        byte[] tcb =
        [
            .. U64(0x301FF), .. _draft.TeeTcbSvn, .. SHA384.HashData("simulated TDX module"u8), .. _draft.MrSignerSeam, .. U64(_draft.SeamAttributes), .. new byte[111],
        ];
        byte[] td =
        [
            .. U64(_draft.TdAttributes), .. U64(_draft.Xfam), .. _draft.MrTd, .. new byte[48], .. new byte[48], .. new byte[48],
            .. _draft.Rtmr.SelectMany(register => register), .. new byte[112],
        ];
        byte[] mac =
        [
            0x81, 0, 0, 0, .. new byte[12], .. _draft.CpuSvn, .. SHA384.HashData(tcb), .. SHA384.HashData(td), .. _draft.ReportData,
            .. new byte[32], .. RandomNumberGenerator.GetBytes(32),
        ];
        return [.. mac, .. tcb, .. new byte[17], .. td];
    }
}

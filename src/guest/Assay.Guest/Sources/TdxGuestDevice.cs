using System.Runtime.InteropServices;

namespace Assay.Guest.Sources;

/// <summary>
/// <c>/dev/tdx_guest</c>: TDX_CMD_GET_REPORT0 (linux/tdx-guest.h): 64 bytes of REPORTDATA in, a TDREPORT of 1024 out. A TDREPORT is authenticated by a key of
/// this very processor and proves nothing to others: it is recorded, never shown as evidence. Never seen on hardware.
/// </summary>
internal static unsafe class TdxGuestDevice
{
    /// <summary>The request's number.</summary>
    public const uint GetReport = 0xC4405401;

    private const int DataSize = 64;
    private const int ReportSize = 1024;

    /// <summary>A TDREPORT over 64 bytes.</summary>
    public static byte[] Report(ReadOnlySpan<byte> data, string path = "/dev/tdx_guest")
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(data.Length, DataSize);
        if (!File.Exists(path))
        {
            throw new GuestException("source.tsm.absent", $"{path} is not there", "boot a kernel of 6.2 or later with CONFIG_TDX_GUEST_DRIVER in a TDX guest");
        }

        using var device = DeviceFile.Open(path, Failed);
        var exchange = new byte[DataSize + ReportSize];
        data.CopyTo(exchange);
        fixed (byte* request = exchange)
        {
            return DeviceFile.Control(device, GetReport, request) == 0 ? exchange[DataSize..] : throw Failed($"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastSystemError())}");
        }
    }

    private static GuestException Failed(string reason) => new("source.tsm.failed", reason, "run as root, and see the kernel's messages about tdx_guest");
}

using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Assay.Collateral.Files;

namespace Assay.Guest.Sources;

/// <summary>
/// The processor's reports: configfs-tsm (Linux 6.7, Documentation/ABI/testing/configfs-tsm-report), and <c>/dev/sev-guest</c> where a kernel has no
/// more. A TDX quote exists through configfs alone: what <c>/dev/tdx_guest</c> gives is a TDREPORT, which proves nothing to others.
/// </summary>
internal sealed class TsmReports(string configfs = "/sys/kernel/config/tsm/report", string sevGuest = "/dev/sev-guest", string firmwareLog = "/sys/firmware/acpi/tables/data/CCEL") : ICpuSource
{
    private const int LargestReport = 64 * 1024;
    private const int LargestLog = 1024 * 1024;
    private const int Tries = 8;
    private const int DataSize = 64;

    public CpuReport Report(ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(data.Length, DataSize);
        return Directory.Exists(configfs) ? OfConfigfs(data.ToArray())
            : File.Exists(sevGuest) ? new CpuReport("snp", SevGuest.Report(sevGuest, data))
            : throw new GuestException("source.tsm.absent", $"neither {configfs} nor {sevGuest} is there", "boot a kernel of 6.7 or later with CONFIG_TSM_REPORTS in a TDX or SNP guest, and mount configfs");
    }

    public byte[] FirmwareLog() => !File.Exists(firmwareLog) ? []
        : BoundedFile.TryRead(firmwareLog, LargestLog, out var bytes, out var whyNot) ? bytes.ToArray()
        : throw Failed(whyNot);

    private CpuReport OfConfigfs(byte[] data)
    {
        // A name of our own, and a generation that tells when somebody writes into it meanwhile.
        var folder = Path.Combine(configfs, $"assay-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(8))}");
        try
        {
            Directory.CreateDirectory(folder);
            for (var attempt = 0; attempt < Tries; attempt++)
            {
                var before = Generation(folder);
                using (var stream = new FileStream(Path.Combine(folder, "inblob"), FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0))
                {
                    stream.Write(data);
                }

                var report = Read(folder, "outblob", LargestReport);
                if (Generation(folder) == before + 1)
                {
                    return new CpuReport(ProviderOf(folder), report);
                }
            }

            throw Failed($"{folder}: somebody else writes into it");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed($"{folder}: {exception.Message}");
        }
        finally
        {
            TryRemove(folder);
        }
    }

    private static string ProviderOf(string folder) => Encoding.ASCII.GetString(Read(folder, "provider", LargestReport)).Trim() switch
    {
        "tdx_guest" => "tdx",
        "sev_guest" => "snp",
        var other => throw new GuestException("source.tsm.unsupported", $"reports come from {other}", "use a TDX or SNP guest", other, "tdx_guest or sev_guest"),
    };

    private static long Generation(string folder) =>
        long.TryParse(Encoding.ASCII.GetString(Read(folder, "generation", LargestReport)).Trim(), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : throw Failed($"{folder}/generation is no number");

    private static byte[] Read(string folder, string name, int most)
    {
        var path = Path.Combine(folder, name);
        using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
        var buffer = new byte[most + 1];
        var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        return length <= most ? buffer[..length] : throw Failed($"{path} is larger than {most} bytes");
    }

    private static void TryRemove(string folder)
    {
        try
        {
            Directory.Delete(folder);
        }
        catch (IOException)
        {
            // It goes with the boot.
        }
    }

    private static GuestException Failed(string reason) => new("source.tsm.failed", reason, "run as root, and see the kernel's messages about tsm");

    /// <summary>SNP_GET_REPORT of <c>/dev/sev-guest</c> (linux/sev-guest.h): 96 bytes in, 4000 out, the report at offset 32.</summary>
    internal static unsafe class SevGuest
    {
        public const uint GetReport = 0xC0205300;
        private const int RequestSize = 96;
        private const int ResponseSize = 4000;
        private const int ReportOffset = 32;
        private const int ReportSize = 1184;

        public static byte[] Report(string path, ReadOnlySpan<byte> data)
        {
            using var device = DeviceFile.Open(path, Failed);
            var (request, response) = (new byte[RequestSize], new byte[ResponseSize]);
            data.CopyTo(request);
            fixed (byte* requested = request, answered = response)
            {
                // msg_version (one byte, padded to eight), two addresses, exitinfo2.
                var call = stackalloc ulong[4] { 1, (ulong)requested, (ulong)answered, 0 };
                if (DeviceFile.Control(device, GetReport, call) != 0)
                {
                    throw Failed(string.Create(CultureInfo.InvariantCulture, $"{path}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastSystemError())}, firmware error {call[3]:x}"));
                }
            }

            var (status, size) = (BinaryPrimitives.ReadUInt32LittleEndian(response), BinaryPrimitives.ReadUInt32LittleEndian(response.AsSpan(4)));
            return status == 0 && size == ReportSize ? response[ReportOffset..(ReportOffset + ReportSize)]
                : throw Failed(string.Create(CultureInfo.InvariantCulture, $"{path}: status {status}, {size} bytes"));
        }
    }
}

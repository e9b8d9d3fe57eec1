using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>
/// RTMR3 of a TD (Linux 6.16, Documentation/ABI/testing/sysfs-devices-virtual-misc-tdx_guest): one write of exactly 48 bytes extends, a read shows the
/// value. RTMR0 and RTMR1 are firmware's, RTMR2 the boot loader's: they are not touched.
/// </summary>
internal sealed class RtmrRegister(string path = "/sys/devices/virtual/misc/tdx_guest/measurements/rtmr3:sha384") : IMeasuredRegister
{
    private const int Size = 48;

    public RegisterKind Kind => RegisterKind.Rtmr;

    public int Index => 3;

    public TcgHash Bank => TcgHash.Sha384;

    public Digest Read()
    {
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
            var value = new byte[Size + 1];
            return stream.ReadAtLeast(value, value.Length, throwOnEndOfStream: false) == Size ? new Digest(value.AsSpan(0, Size)) : throw Failed($"{path} does not hold {Size} bytes");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed($"{path}: {exception.Message}");
        }
    }

    public void Extend(RuntimeEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        try
        {
            using var stream = new FileStream(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            stream.Write(item.Digest(Bank).Bytes);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed($"{path}: {exception.Message}");
        }
    }

    private static GuestException Failed(string reason) => new("source.rtmr.failed", reason, "boot a kernel of 6.16 or later in a TD, and run as root");
}

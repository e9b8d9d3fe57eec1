using System.Collections.Immutable;
using System.Text;
using Assay.Collateral.Files;

namespace Assay.Guest.Sources;

/// <summary>The PCI bus as sysfs shows it (<c>/sys/bus/pci/devices</c>): what is plugged in, whatever a driver makes of it.</summary>
internal sealed class SysfsBus(string root = "/sys/bus/pci/devices") : IBusSource
{
    private const int LargestAttribute = 64;
    private const int MostDevices = 4096;

    public ImmutableArray<BusDevice> Devices()
    {
        try
        {
            return [.. Directory.EnumerateDirectories(root).Take(MostDevices).Order(StringComparer.Ordinal).Select(folder => new BusDevice(Path.GetFileName(folder), Read(folder, "vendor"), Read(folder, "class")))];
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw Failed($"{root}: {exception.Message}");
        }
    }

    // 0x10de, 0x030200.
    private static string Read(string folder, string name)
    {
        var path = Path.Combine(folder, name);
        return !BoundedFile.TryRead(path, LargestAttribute, out var bytes, out var whyNot) ? throw Failed(whyNot)
            : Encoding.ASCII.GetString(bytes.Span).Trim() is ['0', 'x', .. var digits] ? digits
            : throw Failed($"{path} is no number");
    }

    private static GuestException Failed(string reason) => new("source.pci.failed", reason, "mount sysfs on /sys");
}

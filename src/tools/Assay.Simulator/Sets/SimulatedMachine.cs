using System.Collections.Immutable;

namespace Assay.Simulator;

/// <summary>
/// GPUs and NVSwitches that know each other: field 22 of each GPU lists the switches at its 18 NVLinks (byte-reversed),
/// field 26 of each switch lists up to eight GPUs (natural order) and which of them hangs on each of its 64 ports.
/// </summary>
public sealed class SimulatedMachine : IDisposable
{
    private const int LinksPerGpu = 18;
    private const int PortsPerSwitch = 64;
    private const int GpusPerSwitch = 8;
    private const int PdiSize = 8;
    private const byte Unconnected = 0xFF;

    private SimulatedMachine(ImmutableArray<SimulatedDevice> gpus, ImmutableArray<SimulatedDevice> switches) =>
        (Gpus, Switches) = (gpus, switches);

    public ImmutableArray<SimulatedDevice> Gpus { get; }

    public ImmutableArray<SimulatedDevice> Switches { get; }

    /// <summary>The GPUs, then the switches.</summary>
    public ImmutableArray<SimulatedDevice> Devices => [.. Gpus, .. Switches];

    /// <summary>An HGX board: eight GPUs and four switches unless said otherwise.</summary>
    public static SimulatedMachine Create(
        SimulatedAuthority authority, DeviceProfile gpu, DeviceProfile nvSwitch, int gpus = GpusPerSwitch, int switches = 4) =>
        Create(authority, gpu, nvSwitch, gpus, switches, (profile, _) => profile);

    /// <param name="authority">Certifies the devices.</param>
    /// <param name="gpu">What the GPUs run.</param>
    /// <param name="nvSwitch">What the switches run.</param>
    /// <param name="gpus">How many GPUs.</param>
    /// <param name="switches">How many switches.</param>
    /// <param name="special">What the device of an index (GPUs first) runs instead.</param>
    internal static SimulatedMachine Create(
        SimulatedAuthority authority, DeviceProfile gpu, DeviceProfile nvSwitch, int gpus, int switches, Func<DeviceProfile, int, DeviceProfile> special)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(gpu);
        ArgumentNullException.ThrowIfNull(nvSwitch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(gpus, GpusPerSwitch);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(switches, LinksPerGpu);

        byte[][] gpuPdis = [.. Enumerable.Range(0, gpus).Select(_ => SimulatedDevice.RandomPdi())];
        byte[][] switchPdis = [.. Enumerable.Range(0, switches).Select(_ => SimulatedDevice.RandomPdi())];
        var links = Links(switchPdis);
        return new SimulatedMachine(
            [.. gpuPdis.Select((pdi, index) => SimulatedDevice.Create(authority, special(gpu, index), pdi, links, position: 0))],
            [
                .. switchPdis.Select((pdi, position) =>
                    SimulatedDevice.Create(authority, special(nvSwitch, gpus + position), pdi, Ports(gpuPdis), (ushort)position)),
            ]);
    }

    /// <summary>Forgets every device's keys.</summary>
    public void Dispose()
    {
        foreach (var device in Devices)
        {
            device.Dispose();
        }
    }

    private static byte[] Links(byte[][] switchPdis) => switchPdis.Length == 0
        ? []
        : [.. Enumerable.Range(0, LinksPerGpu).SelectMany(link => switchPdis[link % switchPdis.Length].AsEnumerable().Reverse())];

    private static byte[] Ports(byte[][] gpuPdis)
    {
        var field = new byte[GpusPerSwitch * PdiSize + PortsPerSwitch];
        for (var gpu = 0; gpu < gpuPdis.Length; gpu++)
        {
            gpuPdis[gpu].CopyTo(field, gpu * PdiSize);
        }

        // Every other pair of ports is wired, so that the field shows both connected and unconnected ones.
        for (var port = 0; port < PortsPerSwitch; port++)
        {
            var wired = gpuPdis.Length > 0 && (port & 2) == 0;
            field[GpusPerSwitch * PdiSize + port] = wired ? (byte)(port / 2 % gpuPdis.Length) : Unconnected;
        }

        return field;
    }
}

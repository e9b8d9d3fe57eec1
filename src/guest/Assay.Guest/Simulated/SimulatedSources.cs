using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Net.Sockets;
using System.Text.Json;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Guest.Sources;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Guest.Simulated;

/// <summary>
/// Twins of the hardware: another process on a unix socket (S-29), a length of 32 bits and JSON each way. Compiled in with
/// <c>-p:SimulatedSources=true</c> alone.
/// </summary>
internal sealed class SimulatedSources : IGpuSource, ISwitchSource, ICpuSource, IMeasuredRegister, IBusSource, IDisposable
{
    private const int LargestAnswer = 16 * 1024 * 1024;
    private const string Cure = "see that assay-sim guest-sources runs";

    private readonly Lock _lock = new();
    private readonly NetworkStream _stream;

    private SimulatedSources(NetworkStream stream) => _stream = stream;

    public RegisterKind Kind => RegisterKind.Rtmr;

    public int Index => 3;

    public TcgHash Bank => TcgHash.Sha384;

    /// <summary>Connects, and takes the simulator's anchors for the only ones.</summary>
    public static GuestSources Connect(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Connect(new UnixDomainSocketEndPoint(path));
        }
        catch (SocketException exception)
        {
            socket.Dispose();
            throw new GuestException("source.simulated.failed", $"{path}: {exception.Message}", Cure);
        }

        var self = new SimulatedSources(new NetworkStream(socket, ownsSocket: true));
        using var hello = self.Ask("hello");
        if (!TrustSet.TryParse(System.Text.Encoding.UTF8.GetBytes(hello.RootElement.GetProperty("anchors").GetString()!), out var trust, out var fault) || trust.Kind is not TrustSetKind.Simulated)
        {
            throw new GuestException("source.simulated.failed", $"its anchors are not a simulator's: {fault}", Cure);
        }

        var tpm = hello.RootElement.TryGetProperty("tpm", out var port) ? new SimulatedTpm(port.GetInt32()) : null;
        return new GuestSources
        {
            Gpus = self,
            Switches = self,
            Cpu = self,
            Vtpm = tpm is null ? null : new AzureVtpm(tpm, new AzureMetadata(hello.RootElement.GetProperty("metadata").GetString()!), self),
            Tpm = tpm is null ? null : () => tpm,
            Register = pcr => pcr is not { } index ? self : tpm is not null ? new TpmRegister(tpm, index) : throw new GuestException("source.register", "the simulator has no TPM", "configure \"rtmr3\""),
            Bus = self,
            Trust = trust,
            Announce = step => self.Ask("step", writer => writer.WriteString("name", step)).Dispose(),
            Owned = self,
        };
    }

    GpuSystem IGpuSource.Read()
    {
        using var answer = Ask("gpu.system");
        var root = answer.RootElement;
        return new GpuSystem(
            root.GetProperty("count").GetInt32(), root.GetProperty("ccFeature").GetInt32() == 1, root.GetProperty("devTools").GetInt32() == 1, root.GetProperty("multiGpu").GetInt32() == 1,
            root.GetProperty("driver").GetString()!);
    }

    ImmutableArray<DeviceEvidence> IGpuSource.Collect(Nonce nonce) => Evidence("gpu.evidence", nonce, DeviceKind.Gpu);

    public bool IsReady()
    {
        using var answer = Ask("gpu.ready");
        return answer.RootElement.GetProperty("ready").GetInt32() == 1;
    }

    public void SetReady(bool ready) => Ask("gpu.set-ready", writer => writer.WriteNumber("ready", ready ? 1 : 0)).Dispose();

    public ImmutableArray<int> Modes()
    {
        using var answer = Ask("switch.system");
        return [.. answer.RootElement.GetProperty("tnvl").EnumerateArray().Select(mode => mode.GetInt32())];
    }

    ImmutableArray<DeviceEvidence> ISwitchSource.Collect(Nonce nonce) => Evidence("switch.evidence", nonce, DeviceKind.Switch);

    public CpuReport Report(ReadOnlySpan<byte> data)
    {
        var hexadecimal = Convert.ToHexStringLower(data);
        using var answer = Ask("cpu.report", writer => writer.WriteString("data", hexadecimal));
        return new CpuReport(answer.RootElement.GetProperty("tee").GetString()!, answer.RootElement.GetProperty("report").GetBytesFromBase64());
    }

    public byte[] FirmwareLog()
    {
        using var answer = Ask("cpu.log");
        return answer.RootElement.GetProperty("log").GetBytesFromBase64();
    }

    Digest IMeasuredRegister.Read()
    {
        using var answer = Ask("register.read");
        return new Digest(Convert.FromHexString(answer.RootElement.GetProperty("value").GetString()!));
    }

    public void Extend(RuntimeEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        Ask("register.extend", writer => writer.WriteString("digest", item.Digest(Bank).ToString())).Dispose();
    }

    public ImmutableArray<BusDevice> Devices()
    {
        using var answer = Ask("pci");
        return [.. answer.RootElement.GetProperty("devices").EnumerateArray().Select(device => new BusDevice(
            device.GetProperty("address").GetString()!, device.GetProperty("vendor").GetString()!, device.GetProperty("class").GetString()!))];
    }

    public void Dispose() => _stream.Dispose();

    private ImmutableArray<DeviceEvidence> Evidence(string operation, Nonce nonce, DeviceKind kind)
    {
        using var answer = Ask(operation, writer => writer.WriteString("nonce", nonce.ToString()));
        return [.. answer.RootElement.GetProperty("devices").EnumerateArray().Select((device, index) => new DeviceEvidence
        {
            Source = $"{(kind is DeviceKind.Gpu ? "GPU" : "switch")} {index}",
            Report = device.GetProperty("report").GetBytesFromBase64(),
            Chain = device.GetProperty("chain").GetBytesFromBase64(),
            DeclaredKind = kind,
        })];
    }

    private JsonDocument Ask(string operation, Action<Utf8JsonWriter>? write = null)
    {
        using var request = new MemoryStream();
        using (var writer = new Utf8JsonWriter(request))
        {
            writer.WriteStartObject();
            writer.WriteString("op", operation);
            write?.Invoke(writer);
            writer.WriteEndObject();
        }

        var document = JsonDocument.Parse(Exchange(operation, request.ToArray()));
        if (document.RootElement.TryGetProperty("error", out var error))
        {
            var (code, message) = (error.GetString(), document.RootElement.GetProperty("message").GetString()!);
            document.Dispose();
            throw new GuestException($"source.{operation.Split('.')[0]}.{code}", message, Cure);
        }

        return document;
    }

    private byte[] Exchange(string operation, byte[] request)
    {
        try
        {
            lock (_lock)
            {
                var length = new byte[sizeof(uint)];
                BinaryPrimitives.WriteInt32BigEndian(length, request.Length);
                _stream.Write(length);
                _stream.Write(request);
                _stream.ReadExactly(length);
                var answer = new byte[Math.Min(BinaryPrimitives.ReadUInt32BigEndian(length), LargestAnswer)];
                _stream.ReadExactly(answer);
                return answer;
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            throw new GuestException("source.simulated.failed", $"{operation}: {exception.Message}", Cure);
        }
    }
}

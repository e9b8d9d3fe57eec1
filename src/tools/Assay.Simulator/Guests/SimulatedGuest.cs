using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Assay.Simulator;

/// <summary>A paravisor's vTPM beside the hardware: what answers, and whose roots judge the reports of its machine.</summary>
/// <param name="Port">A loopback port that takes raw commands, as swtpm's data socket.</param>
/// <param name="MetadataUrl">The cloud's metadata service.</param>
/// <param name="Anchors">In the place of the hardware's own.</param>
public sealed record SimulatedVtpm(int Port, string MetadataUrl, ReadOnlyMemory<byte> Anchors);

/// <summary>
/// The hardware that a guest's boot gate sees, as one object with a state: bus, driver with its ready state, switches, a simulated TD with its RTMRs.
/// A guest that was compiled with simulated sources asks it over a socket (S-29). It is honest but for <see cref="Fault"/>.
/// </summary>
public sealed class SimulatedGuest : IDisposable
{
    private const int RegisterSize = 48;
    private const int ReportDataSize = 64;
    private const int Locked = 3;

    private readonly Lock _lock = new();
    private readonly SimulatedWorld _world;
    private readonly SimulatedAuthority _authority;
    private readonly SimulatedIntel _intel;
    private readonly SimulatedBoot _firmware;
    private readonly ConcurrentDictionary<string, int> _operations = new(StringComparer.Ordinal);
    private readonly ManualResetEventSlim _released = new(initialState: true);
    private byte[] _register = new byte[RegisterSize];
    private SimulatedTdx? _platform;
    private ReadOnlyMemory<byte> _launched;
    private TdxFault _platformFault;
    private bool _ready;
    private string? _holdAt;

    /// <param name="world">Its devices. They stay the caller's.</param>
    /// <param name="authority">Who certifies them.</param>
    /// <param name="intel">Who signs its quotes.</param>
    public SimulatedGuest(SimulatedWorld world, SimulatedAuthority authority, SimulatedIntel intel)
    {
        ArgumentNullException.ThrowIfNull(world);
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentNullException.ThrowIfNull(intel);
        (_world, _authority, _intel) = (world, authority, intel);
        _firmware = SimulatedBoot.Create(new SimulatedBootPlan { Devices = [], Policy = new byte[RegisterSize] });
    }

    /// <summary>What goes wrong from now on.</summary>
    public GuestFault Fault { get; set; }

    /// <summary>What is wrong with the platform and the TD, and with Intel's statements about them, from the next quote on.</summary>
    public TdxFault Platform { get; set; }

    /// <summary>MRCONFIGID, which the host chose at launch: 48 bytes.</summary>
    public ReadOnlyMemory<byte> MrConfigId { get; set; } = new byte[RegisterSize];

    /// <summary>Null: there is no TPM, and the guest's register is RTMR3.</summary>
    public SimulatedVtpm? Vtpm { get; set; }

    /// <summary>A GPU that is there no longer, as after a hot-unplug; −1 for none.</summary>
    public int Unplugged { get; set; } = -1;

    /// <summary>The GPUs' ready state.</summary>
    public bool IsReady => Volatile.Read(ref _ready);

    /// <summary>RTMR3.</summary>
    public ReadOnlyMemory<byte> Register
    {
        get
        {
            lock (_lock)
            {
                return _register;
            }
        }
    }

    /// <summary>RTMR0 to RTMR2, which firmware and kernel wrote.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> FirmwareRegisters => _firmware.Rtmrs[..3];

    /// <summary>The collateral that judges its quotes; empty before the first one.</summary>
    public ReadOnlyMemory<byte> Collateral
    {
        get
        {
            lock (_lock)
            {
                return _platform?.Collateral;
            }
        }
    }

    /// <summary>Intel's service for its platform; null before the first quote.</summary>
    public SimulatedPcs? ProcessorServices
    {
        get
        {
            lock (_lock)
            {
                return _platform is null ? null : SimulatedPcs.Of(_platform);
            }
        }
    }

    /// <summary>Anchors of its devices and its processor, as an anchors file.</summary>
    public byte[] Anchors => CpuAnchors.ToJson("simulated guest", _intel, null, _authority);

    /// <summary>How often each operation was asked for.</summary>
    public IReadOnlyDictionary<string, int> Operations => _operations;

    /// <summary>The steps that the gate announced, in their order.</summary>
    public ConcurrentQueue<string> Steps { get; } = new();

    /// <summary>The gate waits when it announces this step, until <see cref="Release"/>; null: it waits nowhere.</summary>
    public string? HoldAt
    {
        get => _holdAt;
        set
        {
            _holdAt = value;
            _released.Reset();
        }
    }

    /// <summary>Lets a gate that waits go on.</summary>
    public void Release()
    {
        _holdAt = null;
        _released.Set();
    }

    /// <summary>The power goes off and on: RTMR3 and the ready state begin anew.</summary>
    public void Reboot()
    {
        lock (_lock)
        {
            _register = new byte[RegisterSize];
            _ready = false;
            Steps.Clear();
        }
    }

    /// <summary>The answer to one request: JSON in, JSON out. What cannot be done is <c>{"error":…}</c>.</summary>
    public byte[] Answer(ReadOnlyMemory<byte> request)
    {
        using var document = JsonDocument.Parse(request);
        var root = document.RootElement;
        var operation = root.GetProperty("op").GetString()!;
        _operations.AddOrUpdate(operation, 1, (_, count) => count + 1);
        if (operation == "step")
        {
            Step(root.GetProperty("name").GetString()!);
            return Json.Write(writer => { writer.WriteStartObject(); writer.WriteEndObject(); });
        }

        lock (_lock)
        {
            return Json.Write(writer =>
            {
                writer.WriteStartObject();
                if (WhyNot(operation) is { } whyNot)
                {
                    writer.WriteString("error", whyNot.Code);
                    writer.WriteString("message", whyNot.Message);
                }
                else
                {
                    Answer(operation, root, writer);
                }

                writer.WriteEndObject();
            });
        }
    }

    /// <summary>Ends a wait.</summary>
    public void Dispose()
    {
        Release();
        _released.Dispose();
    }

    private int Gpus => _world.Devices.Count(device => device.Profile.Family is not DeviceFamily.Ls10) - (Fault is GuestFault.MissingGpu ? 1 : 0) - (Unplugged >= 0 ? 1 : 0);

    private int Switches => _world.Devices.Count(device => device.Profile.Family is DeviceFamily.Ls10);

    private (string Code, string Message)? WhyNot(string operation) => (Fault, operation) switch
    {
        (GuestFault.NoDriver, "gpu.system" or "gpu.evidence" or "gpu.ready" or "gpu.set-ready") => ("absent", "libnvidia-ml.so.1 is not there"),
        (GuestFault.NoSwitchLibrary, "switch.system" or "switch.evidence") => ("absent", "libnvidia-nscq.so.2 is not there"),
        (GuestFault.DeadGpu, "gpu.evidence") => ("failed", "GPU 1: nvmlDeviceGetConfComputeGpuAttestationReport: GPU is lost"),
        (GuestFault.NoReport, "cpu.report") => ("failed", "outblob: device or resource busy"),
        (GuestFault.RegisterRefuses, "register.extend") => ("failed", "rtmr3:sha384: input/output error"),
        (GuestFault.ReadyRefuses, "gpu.set-ready") => ("failed", "nvmlSystemSetConfComputeGpusReadyState: insufficient permissions"),
        _ => null,
    };

    private void Answer(string operation, JsonElement request, Utf8JsonWriter writer)
    {
        switch (operation)
        {
            case "hello": Greet(writer); break;
            case "pci": Bus(writer); break;
            case "gpu.system": Driver(writer); break;
            case "gpu.evidence": Evidence(request, writer, switches: false); break;
            case "gpu.ready": writer.WriteNumber("ready", _ready || Fault is GuestFault.ReadySticks ? 1 : 0); break;
            case "gpu.set-ready": _ready = Fault is GuestFault.ReadyIgnores ? _ready : request.GetProperty("ready").GetInt32() == 1; break;
            case "switch.system": SwitchDriver(writer); break;
            case "switch.evidence": Evidence(request, writer, switches: true); break;
            case "cpu.report": Report(request, writer); break;
            case "cpu.log": writer.WriteString("log", Convert.ToBase64String(_firmware.CcelLog())); break;
            case "register.read": writer.WriteString("value", Convert.ToHexStringLower(Touched())); break;
            case "register.extend": Extend(Convert.FromHexString(request.GetProperty("digest").GetString()!)); break;
            default: writer.WriteString("error", "unknown"); writer.WriteString("message", $"no operation {operation}"); break;
        }
    }

    private void Greet(Utf8JsonWriter writer)
    {
        writer.WriteString("anchors", Encoding.UTF8.GetString(Vtpm is null ? Anchors : Vtpm.Anchors.Span));
        if (Vtpm is not null)
        {
            writer.WriteNumber("tpm", Vtpm.Port);
            writer.WriteString("metadata", Vtpm.MetadataUrl);
        }
    }

    private void Step(string name)
    {
        Steps.Enqueue(name);
        if (_holdAt == name)
        {
            _released.Wait();
        }
    }

    private byte[] Touched()
    {
        if (Fault is GuestFault.RegisterTouched && !_register.AsSpan().ContainsAnyExcept((byte)0))
        {
            Extend(SHA384.HashData("somebody else"u8));
        }

        return _register;
    }

    private void Extend(byte[] digest) => _register = Fault is GuestFault.RegisterIgnores ? _register : SHA384.HashData([.. _register, .. digest]);

    private void Bus(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("devices");
        for (var gpu = 0; gpu < Gpus; gpu++)
        {
            Device(writer, $"0000:{gpu + 1:x2}:00.0", "10de", "030200");
        }

        for (var bridge = 0; bridge < Switches; bridge++)
        {
            Device(writer, $"0000:{bridge + 0x40:x2}:00.0", "10de", "068000");
        }

        if (Fault is GuestFault.ForeignDisplay)
        {
            Device(writer, "0000:70:00.0", "1234", "030000");
        }

        writer.WriteEndArray();
    }

    private static void Device(Utf8JsonWriter writer, string address, string vendor, string kind)
    {
        writer.WriteStartObject();
        writer.WriteString("address", address);
        writer.WriteString("class", kind);
        writer.WriteString("vendor", vendor);
        writer.WriteEndObject();
    }

    private void Driver(Utf8JsonWriter writer)
    {
        writer.WriteNumber("count", Gpus - (Fault is GuestFault.DriverMissesGpu ? 1 : 0));
        var isProtected = _world.Devices[0].Profile.Mode is GpuMode.ProtectedPcie && Fault is not (GuestFault.CcOff or GuestFault.DevTools or GuestFault.NotProtected);
        writer.WriteNumber("ccFeature", Fault is GuestFault.CcOff ? 0 : isProtected ? 0 : 1);
        writer.WriteNumber("devTools", Fault is GuestFault.DevTools ? 1 : 0);
        writer.WriteNumber("multiGpu", isProtected ? 1 : 0);
        writer.WriteString("driver", _world.Devices[0].Profile.DriverVersion);
    }

    private void SwitchDriver(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("tnvl");
        for (var index = 0; index < Switches; index++)
        {
            writer.WriteNumberValue(Fault is GuestFault.SwitchUnlocked && index == 1 ? 0 : Locked);
        }

        writer.WriteEndArray();
    }

    private void Evidence(JsonElement request, Utf8JsonWriter writer, bool switches)
    {
        var nonce = Convert.FromHexString(request.GetProperty("nonce").GetString()!);
        SimulatedEvidence[] all = [.. _world.Evidence(Fault is GuestFault.Replayed ? SHA256.HashData("the last boot"u8) : nonce).Where(entry => entry.Arch == "LS10" == switches)];
        all = switches ? all : [.. all.Where((_, index) => index != Unplugged).Skip(Fault is GuestFault.MissingGpu ? 1 : 0)];
        all = Fault is GuestFault.Twice && !switches && all.Length > 1 ? [all[0], all[0], .. all[2..]] : all;
        writer.WriteStartArray("devices");
        foreach (var entry in all)
        {
            writer.WriteStartObject();
            writer.WriteString("chain", Convert.ToBase64String(Fault is GuestFault.EmptyChain ? [] : Encoding.ASCII.GetBytes(entry.ChainPem)));
            writer.WriteString("report", Convert.ToBase64String(entry.Report.Span));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private void Report(JsonElement request, Utf8JsonWriter writer)
    {
        var data = Convert.FromHexString(request.GetProperty("data").GetString()!);
        var answered = Fault is GuestFault.OtherReport ? new byte[ReportDataSize] : data;
        // One platform for all quotes of a launch; the host chooses MRCONFIGID anew for each.
        if (_platform is null || !_launched.Span.SequenceEqual(MrConfigId.Span) || _platformFault != Platform)
        {
            (_platform, _launched, _platformFault) = (SimulatedTdx.Create(_intel, 5, is15: true, answered, Platform, guest: new TdxGuest { MrConfigId = MrConfigId }), MrConfigId, Platform);
        }

        var made = _platform.Again(answered, [.. FirmwareRegisters, _register]);
        writer.WriteString("report", Convert.ToBase64String(made.Quote));
        writer.WriteString("tee", "tdx");
    }
}

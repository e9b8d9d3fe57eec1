using System.Collections.Immutable;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Guest.Sources;
using Assay.Simulator;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>The simulated hardware as sources of the release's own types, in this process: for what a test must do with a clock or between two machines.</summary>
internal sealed class HardwareInProcess(SimulatedGuest hardware) : IGpuSource, ISwitchSource, ICpuSource, IMeasuredRegister, IBusSource
{
    public RegisterKind Kind => RegisterKind.Rtmr;

    public int Index => 3;

    public TcgHash Bank => TcgHash.Sha384;

    public GuestSources Sources => new()
    {
        Gpus = this,
        Switches = this,
        Cpu = this,
        Register = _ => this,
        Bus = this,
        Trust = TrustSet.TryParse(hardware.Anchors, out var trust, out var fault) ? trust : throw new InvalidOperationException($"{fault}"),
    };

    GpuSystem IGpuSource.Read()
    {
        var answer = Ask("gpu.system");
        return new GpuSystem(answer["count"]!.GetValue<int>(), answer["ccFeature"]!.GetValue<int>() == 1, answer["devTools"]!.GetValue<int>() == 1, answer["multiGpu"]!.GetValue<int>() == 1, "580");
    }

    ImmutableArray<DeviceEvidence> IGpuSource.Collect(Nonce nonce) => Evidence("gpu.evidence", nonce, DeviceKind.Gpu);

    public bool IsReady() => Ask("gpu.ready")["ready"]!.GetValue<int>() == 1;

    public void SetReady(bool ready) => Ask("gpu.set-ready", ("ready", ready ? 1 : 0));

    public ImmutableArray<int> Modes() => [.. Ask("switch.system")["tnvl"]!.AsArray().Select(mode => mode!.GetValue<int>())];

    ImmutableArray<DeviceEvidence> ISwitchSource.Collect(Nonce nonce) => Evidence("switch.evidence", nonce, DeviceKind.Switch);

    public CpuReport Report(ReadOnlySpan<byte> data) => new("tdx", Convert.FromBase64String(Ask("cpu.report", ("data", Convert.ToHexStringLower(data)))["report"]!.GetValue<string>()));

    public byte[] FirmwareLog() => Convert.FromBase64String(Ask("cpu.log")["log"]!.GetValue<string>());

    Digest IMeasuredRegister.Read() => new(Convert.FromHexString(Ask("register.read")["value"]!.GetValue<string>()));

    public void Extend(RuntimeEvent item)
    {
        ArgumentNullException.ThrowIfNull(item);
        Ask("register.extend", ("digest", item.Digest(Bank).ToString()));
    }

    public ImmutableArray<BusDevice> Devices() =>
        [.. Ask("pci")["devices"]!.AsArray().Select(device => new BusDevice(device!["address"]!.GetValue<string>(), device["vendor"]!.GetValue<string>(), device["class"]!.GetValue<string>()))];

    private ImmutableArray<DeviceEvidence> Evidence(string operation, Nonce nonce, DeviceKind kind) =>
    [
        .. Ask(operation, ("nonce", nonce.ToString()))["devices"]!.AsArray().Select((device, index) => new DeviceEvidence
        {
            Source = $"{kind} {index}",
            Report = Convert.FromBase64String(device!["report"]!.GetValue<string>()),
            Chain = Convert.FromBase64String(device["chain"]!.GetValue<string>()),
            DeclaredKind = kind,
        }),
    ];

    private JsonObject Ask(string operation, params ReadOnlySpan<(string Name, JsonNode Value)> members)
    {
        var request = new JsonObject { ["op"] = operation };
        foreach (var (name, value) in members)
        {
            request[name] = value;
        }

        return JsonNode.Parse(hardware.Answer(Encoding.UTF8.GetBytes(request.ToJsonString())))!.AsObject();
    }
}

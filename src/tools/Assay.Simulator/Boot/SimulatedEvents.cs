using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>An event of a simulated boot: what is hashed, and what the log shows.</summary>
/// <param name="Rtmr">0 to 3.</param>
/// <param name="Pcr">0 to 23.</param>
/// <param name="Type">The TCG's or dstack's number.</param>
/// <param name="Measured">What the digest is over.</param>
/// <param name="Data">What the log shows.</param>
/// <param name="Name">A runtime event's name; null for firmware's.</param>
internal sealed record SimulatedEvent(int Rtmr, int Pcr, uint Type, byte[] Measured, byte[] Data, string? Name = null)
{
    /// <summary>Changes of the log alone: the registers never see them.</summary>
    public byte[]? LoggedData { get; init; }

    public string? LoggedName { get; init; }

    public bool BreaksDigest { get; init; }
}

/// <summary>The events that firmware, kernel and gate write, in their order.</summary>
internal static class SimulatedEvents
{
    public const int GatePcr = 13;

    private const uint Runtime = 0x08000001;
    private const uint Separator = 0x04;
    private const uint EventTag = 0x06;
    private const uint ConfigFlags = 0x0A;
    private const uint VariableDriverConfig = 0x80000001;
    private const uint BootServicesApplication = 0x80000003;
    private const uint Action = 0x80000007;

    private static readonly byte[] s_global = Convert.FromHexString("61DFE48BCA93D211AA0D00E098032B8C");
    private static readonly byte[] s_imageSecurity = Convert.FromHexString("CBB219D73A3D9645A3BCDAD00E67656F");

    public static IEnumerable<SimulatedEvent> Firmware(SimulatedBootPlan plan)
    {
        var secureBoot = Variable(s_global, "SecureBoot", plan.SecureBoot is { } value ? [value] : []);
        if (plan.Fault is BootFault.RelabelledSecureBoot)
        {
            yield return Variable(s_global, "SecureBoot", [1]);
            secureBoot = secureBoot with { Type = ConfigFlags, Data = [] };
        }

        yield return secureBoot;
        yield return Variable(s_global, "PK", [1, 2, 3]);
        yield return Variable(s_global, "KEK", [4, 5, 6]);
        yield return Variable(s_imageSecurity, "db", [7, 8]);
        yield return Variable(s_imageSecurity, "dbx", [9]);
        yield return new(0, 7, Separator, [0, 0, 0, 0], [0, 0, 0, 0]);
        yield return new(1, 4, BootServicesApplication, "simulated boot loader"u8.ToArray(), new byte[32]);
        yield return Acted(4, "Calling EFI Application from Boot Option");
        yield return new(1, 4, Separator, [0, 0, 0, 0], [0, 0, 0, 0]);
        yield return new(2, 9, EventTag, Encoding.Unicode.GetBytes("console=hvc0 root=/dev/dm-0\0"), Tag(0x8F3B22ED, "LOADED_IMAGE::LoadOptions\0"));
        yield return new(2, 9, EventTag, "simulated initrd"u8.ToArray(), Tag(0x8F3B22EC, "Linux initrd\0"));
        yield return Acted(5, "Exit Boot Services Invocation");
        yield return Acted(5, "Exit Boot Services Returned with Success");
    }

    public static IEnumerable<SimulatedEvent> Gate(SimulatedBootPlan plan)
    {
        var events = Honest(plan).ToList();
        var policy = events.FindIndex(item => item.Name == "gpu-policy");
        var outcome = events.FindIndex(item => item.Name == "gpu-attestation");
        switch (plan.Fault)
        {
            case BootFault.LateEvent:
                events = [.. events.Where((_, index) => index != outcome), events[outcome]];
                break;
            case BootFault.DoubleEvent:
                events.Insert(outcome + 1, events[outcome]);
                break;
            case BootFault.MissingEvent:
                events.RemoveAt(outcome);
                break;
            case BootFault.WrongOrder:
                (events[policy], events[outcome]) = (events[outcome], events[policy]);
                break;
            case BootFault.BrokenDigest:
                events[outcome] = events[outcome] with { BreaksDigest = true };
                break;
            case BootFault.TamperedPayload:
                // Another device under the digest of the first: what a forger would like to show.
                events[outcome] = events[outcome] with { LoggedData = Attestation(plan with { Fault = BootFault.SwappedDevice }) };
                break;
            case BootFault.NoBoundary:
                events.RemoveAll(item => item.Name == "system-ready");
                break;
            case BootFault.Skipped:
                events[outcome] = Event("gpu-skipped", [], plan);
                break;
            case BootFault.DstackGate:
                events[policy] = Event("gpu-policy-hash", SHA256.HashData("{}"u8), plan);
                events[outcome] = Event("gpu-attestation", DstackAttestation(plan), plan);
                break;
            case BootFault.LoosePayload:
                events[outcome] = Event("gpu-attestation", [.. Attestation(plan), (byte)' '], plan);
                break;
            case BootFault.RenamedEvent:
                Rename("model", "storage-fs");
                break;
            case BootFault.HiddenBoundary:
                Rename("system-ready", "storage-fs");
                break;
            case BootFault.ForeignLateEvent:
                events.Add(Event("LIUM_MINER_HOTKEY", "5D35ptg"u8.ToArray(), plan));
                break;
        }

        return events;

        void Rename(string name, string shown)
        {
            var index = events.FindIndex(item => item.Name == name);
            events[index] = events[index] with { LoggedName = shown };
        }
    }

    /// <summary>The preimage of a runtime event's digest.</summary>
    public static byte[] Preimage(string name, byte[] payload, int version)
    {
        if (version == 2)
        {
            return Encoding.UTF8.GetBytes($$"""{"name":"{{name}}","payload":"{{Hex(payload)}}","type":134217729}""");
        }

        var type = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(type, Runtime);
        return [.. type, (byte)':', .. Encoding.UTF8.GetBytes(name), (byte)':', .. payload];
    }

    private static IEnumerable<SimulatedEvent> Honest(SimulatedBootPlan plan)
    {
        if (plan.OnDstack)
        {
            yield return Event("system-preparing", [], plan);
            yield return Event("app-id", new byte[20], plan);
            yield return Event("compose-hash", new byte[32], plan);
        }

        yield return Event("gpu-policy", plan.Fault is BootFault.OtherPolicy ? SHA384.HashData(plan.Policy.Span) : plan.Policy.ToArray(), plan);
        yield return Event("gpu-attestation", Attestation(plan), plan);
        if (plan.Model is { } model)
        {
            yield return Event("model", Encoding.UTF8.GetBytes($$"""{"digest":"{{Hex(model.Span)}}","version":1}"""), plan);
        }

        if (plan.Workload is { } workload)
        {
            yield return Event("workload", Encoding.UTF8.GetBytes($$"""{"digest":"{{Hex(workload.Span)}}","kind":"compose","version":1}"""), plan);
        }

        if (plan.OnDstack)
        {
            yield return Event("instance-id", new byte[20], plan);
            yield return Event("boot-mr-done", [], plan);
        }

        if (plan.Booted)
        {
            yield return Event("system-ready", [], plan);
        }
    }

    private static byte[] Attestation(SimulatedBootPlan plan)
    {
        var devices = plan.Fault is BootFault.SwappedDevice ? [SimulatedBootDevice.Random(), .. plan.Devices.Skip(1)] : plan.Devices.ToArray();
        var list = string.Join(',', devices.Select(device => (Id: Hex(device.Id.Span), Device: device)).OrderBy(item => item.Id, StringComparer.Ordinal).Select(item =>
            $$"""{"evidence":"{{Hex(item.Device.Evidence.Span)}}","id":"{{item.Id}}","kind":"{{item.Device.Kind}}","ueid":"{{item.Device.Ueid}}"}"""));
        var other = new string('1', 96);
        var mode = plan.Fault is BootFault.DevTools ? "devtools" : plan.Cc;
        return Encoding.UTF8.GetBytes(string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"bundle":{"digest":"{{other}}","sequence":7},"cc":"{{mode}}","claims":"{{other}}","devices":[{{list}}],"evaluatedAt":{{plan.EvaluatedAt.ToUnixTimeSeconds()}},"nonce":"{{Hex(plan.Nonce.Span)}}","policy":"{{other}}","provider":"assay","rims":[{"id":"NV_GPU_DRIVER_GH100_580.00","sha384":"{{other}}"}],"tee-pubkey-thumbprint":"{{plan.Thumbprint}}","timeSource":"system","version":1}"""));
    }

    private static byte[] DstackAttestation(SimulatedBootPlan plan) => Encoding.UTF8.GetBytes(string.Create(
        CultureInfo.InvariantCulture,
        $$"""{"version":2,"provider":"nvidia","devices":{{plan.Devices.Length}},"cc_mode":"on","devtools":false,"evidence_sha256":"{{new string('2', 64)}}"}"""));

    private static SimulatedEvent Event(string name, byte[] payload, SimulatedBootPlan plan) =>
        new(3, GatePcr, Runtime, Preimage(name, payload, plan.EventVersion), payload, name);

    private static SimulatedEvent Variable(byte[] vendor, string name, byte[] data)
    {
        var sizes = new byte[2 * sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(sizes, (ulong)name.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(sizes.AsSpan(sizeof(ulong)), (ulong)data.Length);
        byte[] whole = [.. vendor, .. sizes, .. Encoding.Unicode.GetBytes(name), .. data];
        return new(0, 7, VariableDriverConfig, whole, whole);
    }

    private static SimulatedEvent Acted(int pcr, string text) => new(1, pcr, Action, Encoding.ASCII.GetBytes(text), Encoding.ASCII.GetBytes(text));

    private static byte[] Tag(uint tag, string text)
    {
        var head = new byte[2 * sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(head, tag);
        BinaryPrimitives.WriteUInt32LittleEndian(head.AsSpan(sizeof(uint)), (uint)text.Length);
        return [.. head, .. Encoding.ASCII.GetBytes(text)];
    }

    private static string Hex(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(bytes);
}

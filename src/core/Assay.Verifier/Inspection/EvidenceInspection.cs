using System.Collections.Immutable;
using Assay.Binding;
using Assay.Evidence.Files;

namespace Assay.Inspection;

/// <summary>An evidence file in any of its forms: each device's report and chain.</summary>
internal static class EvidenceInspection
{
    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (!EvidenceFile.TryParse(file, name, out var devices, out var fault))
        {
            faults.Malformed($"{name}: evidence", fault!);
            return null;
        }

        return Devices(devices, name, faults);
    }

    /// <summary>Our bundle: challenge, key, processor with its log, devices.</summary>
    /// <param name="file">JSON.</param>
    /// <param name="name">For messages.</param>
    /// <param name="faults">What cannot be read.</param>
    /// <param name="processor">Shows a quote or report.</param>
    public static InspectionNode?[]? ReadMachine(byte[] file, string name, FaultLog faults, Func<byte[], string, FaultLog, (string Kind, InspectionNode?[]? Parts)?> processor)
    {
        if (!MachineEvidence.TryParse(file, name, out var machine, out var fault))
        {
            faults.Malformed($"{name}: evidence", fault);
            return null;
        }

        var cpu = machine.Cpu is { } evidence ? processor(evidence.Bytes.ToArray(), $"{name}: cpu", faults) : null;
        return
        [
            InspectionNode.Text("stated_nonce", machine.StatedNonce ?? "none"),
            machine.Key is { } key ? Key(machine.StatedNonce, key.Span) : null,
            cpu is { Parts: { } parts } ? InspectionNode.Group("cpu", [InspectionNode.Text("kind", cpu.Value.Kind), .. parts]) : null,
            machine.Cpu?.EventLog is { } log && EventLogInspection.Read(log.ToArray(), $"{name}: event log", faults) is { } events ? InspectionNode.Group("event_log", events) : null,
            machine.Cpu is { } shown ? NotRead(shown.Unread) : null,
            .. Devices(machine.Devices, name, faults),
        ];
    }

    /// <summary>What is in the file and is not shown; null where there is no such thing.</summary>
    public static InspectionNode? NotRead(ImmutableArray<string> members) =>
        members.IsEmpty ? null : InspectionNode.List("not_read", members.Select(member => InspectionNode.Text("member", member))) with { Shown = $"{string.Join(", ", members)}: in the file, but not shown or verified" };

    // With what signs it is to be compared with: what devices answer follows from challenge and key.
    private static InspectionNode Key(string? nonce, ReadOnlySpan<byte> jwk) => KeyBinding.TryCreate(nonce ?? "none", jwk, out var key, out var fault)
        ? InspectionNode.Group(
            "key",
            InspectionNode.Text("thumbprint", key.Thumbprint),
            InspectionNode.Text("jwk", key.Jwk),
            nonce is null ? null : InspectionNode.Text("device_nonce", key.DeviceNonce().ToString()))
        : InspectionNode.Group("key", InspectionNode.Text("fault", fault.ToString()));

    private static InspectionNode[] Devices(ImmutableArray<DeviceEvidence> devices, string name, FaultLog faults) =>
    [
        InspectionNode.Number("device_count", devices.Length),
        InspectionNode.List("devices", devices.Select((device, index) => Device(device, index, name, faults))),
    ];

    private static InspectionNode Device(DeviceEvidence device, int index, string name, FaultLog faults)
    {
        var place = device.Source.StartsWith(name, StringComparison.Ordinal) ? device.Source[name.Length..].Trim() : device.Source;
        var title = $"device {index}";
        return InspectionNode.Group(
            title,
            InspectionNode.Number("index", index) with { JsonOnly = true },
            InspectionNode.Text("place", place),
            InspectionNode.Text("declared_architecture", device.DeclaredArchitecture ?? "none"),
            InspectionNode.Text("declared_nonce", device.DeclaredNonce?.ToString() ?? "none"),
            InspectionNode.Text("declared_kind", device.DeclaredKind is DeviceKind.None ? "none" : device.DeclaredKind.ToString().ToLowerInvariant()) with { JsonOnly = device.DeclaredKind is DeviceKind.None },
            ReportInspection.Part(device.Report.Span, $"{name}: {title}", faults),
            CertificateInspection.ChainPart(device.Chain.Span, $"{name}: {title}", faults));
    }
}

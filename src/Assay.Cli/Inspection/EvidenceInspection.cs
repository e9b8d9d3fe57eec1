using Assay.Evidence;

namespace Assay.Cli.Inspection;

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

        return
        [
            InspectionNode.Number("device_count", devices.Length),
            InspectionNode.List("devices", devices.Select((device, index) => Device(device, index, name, faults))),
        ];
    }

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

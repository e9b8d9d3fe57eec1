using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>An anchors file: the roots that a relying party chose.</summary>
internal static class AnchorsInspection
{
    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (!TrustSet.TryParse(file, out var trust, out var fault))
        {
            faults.Malformed($"{name}: anchors", fault);
            return null;
        }

        // Read above, so whole and well-formed; a trust set keeps of a root only what verification compares.
        using var json = JsonDocument.Parse(file);
        return
        [
            InspectionNode.Text("trust", trust.Kind.ToString().ToLowerInvariant()),
            InspectionNode.Text("name", trust.Name),
            Roots(json.RootElement, "device", "device_roots", name, faults),
            Roots(json.RootElement, "rim", "rim_roots", name, faults),
            Roots(json.RootElement, "intel", "intel_roots", name, faults),
            Roots(json.RootElement, "amd", "amd_roots", name, faults),
        ];
    }

    // A relying party brings roots of the technologies that it judges, and of no others.
    private static InspectionNode? Roots(JsonElement root, string member, string title, string name, FaultLog faults)
    {
        if (!root.TryGetProperty(member, out var roots))
        {
            return null;
        }

        var certificates = roots.EnumerateArray()
            .SelectMany(item => Pem.TryDecode(Encoding.UTF8.GetBytes(item.GetString()!), out var blocks, out _) ? blocks : [])
            .ToImmutableArray();
        return InspectionNode.Group(title, CertificateInspection.Certificates("certificates", certificates, name, faults));
    }
}

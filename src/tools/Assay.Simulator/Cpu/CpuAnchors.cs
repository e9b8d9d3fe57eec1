namespace Assay.Simulator;

/// <summary>The anchors file by which a verifier is told to trust simulated processors, alone or beside simulated devices, and to say so.</summary>
public static class CpuAnchors
{
    /// <summary>JSON, UTF-8, as <see cref="SimulatedAnchors"/> writes it, with the roots in Intel's and AMD's place. What is null is left out.</summary>
    public static byte[] ToJson(string name, SimulatedIntel? intel, SimulatedAmd? amd, SimulatedAuthority? devices = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Json.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", 1);
            writer.WriteString("kind", "simulated");
            writer.WriteString("name", name);
            (string Member, IEnumerable<string> Roots)[] lists =
            [
                ("device", devices is null ? [] : [devices.DeviceRoot.Pem]), ("rim", devices is null ? [] : [devices.RimRoot.Pem]),
                ("intel", intel is null ? [] : [intel.RootPem]), ("amd", amd is null ? [] : amd.RootPems),
            ];
            foreach (var (member, roots) in lists.Where(list => list.Roots.Any()))
            {
                writer.WriteStartArray(member);
                foreach (var root in roots)
                {
                    writer.WriteStringValue(root);
                }

                writer.WriteEndArray();
            }

            writer.WriteEndObject();
        });
    }
}

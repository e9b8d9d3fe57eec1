namespace Assay.Simulator;

/// <summary>The anchors file by which a verifier is told to trust a simulated authority, and to say so.</summary>
public static class SimulatedAnchors
{
    /// <summary>JSON, UTF-8: version, kind "simulated", name, the device roots and the RIM roots as PEM text.</summary>
    public static byte[] ToJson(SimulatedAuthority authority, string name)
    {
        ArgumentNullException.ThrowIfNull(authority);
        ArgumentException.ThrowIfNullOrEmpty(name);
        return Json.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", 1);
            writer.WriteString("kind", "simulated");
            writer.WriteString("name", name);
            writer.WriteStartArray("device");
            writer.WriteStringValue(authority.DeviceRoot.Pem);
            writer.WriteEndArray();
            writer.WriteStartArray("rim");
            writer.WriteStringValue(authority.RimRoot.Pem);
            writer.WriteEndArray();
            writer.WriteEndObject();
        });
    }
}

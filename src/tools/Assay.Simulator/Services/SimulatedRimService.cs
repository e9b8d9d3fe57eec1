using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>Bodies of the RIM service's answers: JSON, UTF-8, base64 unescaped.</summary>
public static class SimulatedRimService
{
    private const string Updated = "2026-11-01T00:00:00Z";
    private const string RequestId = "00000000-0000-0000-0000-000000000001";

    /// <summary>GET /v1/rim/{id}: id, rim (base64 of the document), sha256, last_updated, rim_format, request_id.</summary>
    public static byte[] Rim(SimulatedRim rim)
    {
        ArgumentNullException.ThrowIfNull(rim);
        return Json.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString("id", rim.Id);
            writer.WriteString("rim", Convert.ToBase64String(rim.Xml.Span));
            writer.WriteString("sha256", Convert.ToHexStringLower(SHA256.HashData(rim.Xml.Span)));
            writer.WriteString("last_updated", Updated);
            writer.WriteString("rim_format", "TCG");
            writer.WriteString("request_id", RequestId);
            writer.WriteEndObject();
        });
    }

    /// <summary>GET /v1/rim/ids: ids, request_id, last_updated.</summary>
    public static byte[] Ids(IEnumerable<SimulatedRim> rims)
    {
        ArgumentNullException.ThrowIfNull(rims);
        return Json.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteStartArray("ids");
            foreach (var rim in rims)
            {
                writer.WriteStringValue(rim.Id);
            }

            writer.WriteEndArray();
            writer.WriteString("request_id", RequestId);
            writer.WriteString("last_updated", Updated);
            writer.WriteEndObject();
        });
    }

    /// <summary>What comes with status 404.</summary>
    public static byte[] NotFound() => Json.Write(writer =>
    {
        writer.WriteStartObject();
        writer.WriteString("message", "RIM_NOT_FOUND");
        writer.WriteEndObject();
    });
}

using System.Text.Encodings.Web;
using System.Text.Json;

namespace Assay.Simulator;

/// <summary>One entry of an nvattest evidence file.</summary>
/// <param name="Arch">HOPPER, BLACKWELL or LS10.</param>
/// <param name="Nonce">The challenge, 32 bytes.</param>
/// <param name="Report">The signed report.</param>
/// <param name="ChainPem">The certificate chain as PEM, leaf first.</param>
public sealed record SimulatedEvidence(string Arch, ReadOnlyMemory<byte> Nonce, ReadOnlyMemory<byte> Report, string ChainPem)
{
    /// <summary>An nvattest evidence file: a bare JSON array, keys in the recorded order, base64 unescaped.</summary>
    public static byte[] ToJson(IEnumerable<SimulatedEvidence> entries)
    {
        ArgumentNullException.ThrowIfNull(entries);
        return Json.Write(writer =>
        {
            writer.WriteStartArray();
            foreach (var entry in entries)
            {
                writer.WriteStartObject();
                writer.WriteString("arch", entry.Arch);
                writer.WriteString("certificate", Convert.ToBase64String(System.Text.Encoding.ASCII.GetBytes(entry.ChainPem)));
                writer.WriteString("evidence", Convert.ToBase64String(entry.Report.Span));
                writer.WriteString("nonce", Convert.ToHexStringLower(entry.Nonce.Span));
                writer.WriteEndObject();
            }

            writer.WriteEndArray();
        });
    }
}

internal static class Json
{
    // The default encoder would write the "+" of base64 as an escape sequence, which recorded files do not.
    private static readonly JsonWriterOptions s_options = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };

    public static byte[] Write(Action<Utf8JsonWriter> write)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream, s_options))
        {
            write(writer);
        }

        stream.WriteByte((byte)'\n');
        return stream.ToArray();
    }
}

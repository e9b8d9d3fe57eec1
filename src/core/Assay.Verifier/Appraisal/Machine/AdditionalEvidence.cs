using Assay.Evidence.Files;

namespace Assay.Appraisal.Machine;

/// <summary>
/// The device evidence as one string, over which the CPU's report is made (binding 2): canonical JSON (RFC 8785), an array with one object
/// for each device in the order of the evidence, <c>{"chain":base64,"report":base64}</c>. It is made from the parsed bytes, so that layout
/// and container do not matter, and every byte of report and chain does.
/// </summary>
public static class AdditionalEvidence
{
    /// <summary>Empty where there is no device.</summary>
    public static string Of(IReadOnlyCollection<DeviceEvidence> devices)
    {
        ArgumentNullException.ThrowIfNull(devices);
        if (devices.Count == 0)
        {
            return "";
        }

        // Base64 has no character that JSON escapes, and the members stand in their canonical order.
        var size = devices.Sum(device => BytesBesides + Base64Size(device.Chain) + Base64Size(device.Report)) + 1;
        return string.Create(size, devices, (text, items) =>
        {
            var writer = new Writer(text);
            foreach (var device in items)
            {
                writer.Text(writer.Position == 0 ? "[" : ",");
                writer.Text("{\"chain\":\"");
                writer.Bytes(device.Chain.Span);
                writer.Text("\",\"report\":\"");
                writer.Bytes(device.Report.Span);
                writer.Text("\"}");
            }

            writer.Text("]");
        });
    }

    // Opening or comma, names, quotation marks and braces of one device.
    private const int BytesBesides = 1 + 10 + 12 + 2;

    private static int Base64Size(ReadOnlyMemory<byte> bytes) => (bytes.Length + 2) / 3 * 4;

    // The text of a whole machine is a large object: written in place, it is one and not four.
    private ref struct Writer(Span<char> text)
    {
        private readonly Span<char> _text = text;

        public int Position { get; private set; }

        public void Text(string value)
        {
            value.CopyTo(_text[Position..]);
            Position += value.Length;
        }

        public void Bytes(ReadOnlySpan<byte> value)
        {
            _ = Convert.TryToBase64Chars(value, _text[Position..], out var written);
            Position += written;
        }
    }
}

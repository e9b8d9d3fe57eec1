using System.Text;
using Assay.Binding;
using Assay.Evidence;

namespace Assay.Appraisal.Composite;

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
        var text = new StringBuilder("[");
        foreach (var device in devices)
        {
            text.Append(text.Length == 1 ? "" : ",")
                .Append("{\"chain\":\"").Append(Convert.ToBase64String(device.Chain.Span))
                .Append("\",\"report\":\"").Append(Convert.ToBase64String(device.Report.Span)).Append("\"}");
        }

        return text.Append(']').ToString();
    }
}

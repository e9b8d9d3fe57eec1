using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>
/// The attestation report of private-ml-sdk and of gateways made after it: <c>{"signing_address","intel_quote":hex,"nvidia_payload":…,"event_log":…,"info":…}</c>.
/// What it says of itself (address, key, info) is no evidence and is left to the reader; a second list of evidence is refused.
/// </summary>
internal static class GatewayReport
{
    public const string Quote = "intel_quote";

    private const string Devices = "nvidia_payload";
    private const string Log = "event_log";
    private const string Others = "all_attestations";

    private static readonly ImmutableArray<string> s_otherForms =
        ["version", "cpu", "key", "gpus", "switches", "evidences", "evidence_list", "device_evidence_list", "bundles", "quote", "attestation_report", "hcl_report", "tee-evidence", "primary_evidence"];

    public static MachineEvidence? Read(JsonElement root, string name, out ParseFault? fault)
    {
        var text = StrictJson.Text(root, Quote);
        var cpu = text is not null ? ProcessorEvidence.OfText(text, $"{name} {Quote}", Quote, out fault) : null;
        if (cpu is null)
        {
            fault = new ParseFault(Quote, 0, "a TDX quote in hexadecimal or base64 is expected");
            return null;
        }

        // A second list would be left out in silence.
        if (s_otherForms.FirstOrDefault(member => root.TryGetProperty(member, out _)) is { } other)
        {
            fault = new ParseFault(other, 0, $"\"{Quote}\" is beside it: one form of evidence is expected");
            return null;
        }

        // Reports of other machines, which this one's verdict would not be about.
        if (root.TryGetProperty(Others, out var others) && !IsOfTheSame(others, text!))
        {
            fault = new ParseFault(Others, 0, "reports of several machines: give each as a file of its own");
            return null;
        }

        var log = ReadLog(root, out fault);
        var devices = fault is null ? ReadDevices(root, name, out fault) : [];
        return fault is null ? new MachineEvidence { Devices = devices, Cpu = cpu with { EventLog = log } } : null;
    }

    // A gateway lists its own report once more.
    private static bool IsOfTheSame(JsonElement others, string quote) => others.ValueKind is JsonValueKind.Null
        || (others.ValueKind is JsonValueKind.Array && (others.GetArrayLength() == 0 || (others.GetArrayLength() == 1 && others[0].ValueKind is JsonValueKind.Object && StrictJson.Text(others[0], Quote) == quote)));

    private static ReadOnlyMemory<byte>? ReadLog(JsonElement root, out ParseFault? fault)
    {
        fault = null;
        if (!root.TryGetProperty(Log, out var log) || log.ValueKind is JsonValueKind.Null)
        {
            return null;
        }

        fault = log.ValueKind is JsonValueKind.String or JsonValueKind.Array ? null : new ParseFault(Log, 0, "the log's JSON is expected, as text or as an array");
        return fault is null ? Encoding.UTF8.GetBytes(log.ValueKind is JsonValueKind.String ? log.GetString()! : log.GetRawText()) : null;
    }

    private static ImmutableArray<DeviceEvidence> ReadDevices(JsonElement root, string name, out ParseFault? fault)
    {
        fault = null;
        if (!root.TryGetProperty(Devices, out var payload) || payload.ValueKind is JsonValueKind.Null)
        {
            return [];
        }

        if (payload.ValueKind is not JsonValueKind.String)
        {
            return EvidenceFile.DevicesIn(payload, $"{name} {Devices}", out fault);
        }

        using var document = StrictJson.Read(Encoding.UTF8.GetBytes(payload.GetString()!), out fault);
        var devices = document is null ? [] : EvidenceFile.DevicesIn(document.RootElement, $"{name} {Devices}", out fault);
        fault = fault?.Within(Devices, 0);
        return devices;
    }
}

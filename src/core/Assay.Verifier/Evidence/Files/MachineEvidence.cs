using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>Everything that one machine shows: devices, processor, boot log, and the key that it made. Nothing of it is believed.</summary>
public sealed record MachineEvidence
{
    /// <summary>GPUs and switches, in their order; empty where none is shown.</summary>
    public required ImmutableArray<DeviceEvidence> Devices { get; init; }

    /// <summary>The processor's evidence; null where none is shown.</summary>
    public ProcessorEvidence? Cpu { get; init; }

    /// <summary>Boot logs that are shown by themselves, firmware's first: they count in place of the one that came with <see cref="Cpu"/>.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> EventLogs { get; init; } = [];

    /// <summary>The key as JWK, as it was received; null where none is shown.</summary>
    public ReadOnlyMemory<byte>? Key { get; init; }

    /// <summary>The challenge that the file says it answers: a label, for whoever shows the evidence wrote it. Null where it says none.</summary>
    public string? StatedNonce { get; init; }

    /// <summary>The exact text of the device evidence that the processor's statement covers; null if it did not come as text and is made from the devices.</summary>
    internal BoundEvidence? Bound { get; init; }

    /// <summary>
    /// Reads a file that holds devices (<see cref="EvidenceFile"/>), or our bundle with everything:
    /// <c>{"version":1,"nonce":text,"gpus":[…],"switches":[…],"cpu":{"tee":"tdx"|"snp"|"az-vtpm","quote":base64,"eventLog":base64},"key":JWK}</c>.
    /// With a key the nonce is the challenge's own characters, and devices answer what challenge and key make (architecture.md, binding 1);
    /// without one it is the 64 hexadecimal digits that devices answer. <c>eventLog</c> may be absent. A gateway's report of dstack's makers is read
    /// too: <c>{"intel_quote":hex,"nvidia_payload":request to NVIDIA's remote service, as text or object,"event_log":…}</c>; and what a guest of Confidential
    /// Containers sends to Trustee's key broker, <c>{"runtime-data":…,"tee-evidence":{"primary_evidence":…,"additional_evidence":text}}</c>.
    /// </summary>
    public static bool TryParse(ReadOnlySpan<byte> json, string name, [NotNullWhen(true)] out MachineEvidence? evidence, [NotNullWhen(false)] out ParseFault? fault)
    {
        evidence = null;
        json = FileText.WithoutMark(json);
        fault = json.Length > Limits.EvidenceFileBytes ? new ParseFault("evidence", 0, $"larger than {Limits.EvidenceFileBytes} bytes") : null;
        using var document = fault is null ? StrictJson.Read(json, out fault) : null;
        if (document is null)
        {
            fault ??= new ParseFault("evidence", 0, "empty");
            return false;
        }

        var root = document.RootElement;
        var isObject = root.ValueKind is JsonValueKind.Object;
        evidence = isObject && root.TryGetProperty(GatewayReport.Quote, out _) ? GatewayReport.Read(root, name, out fault)
            : KbsRequest.IsKnown(root) ? KbsRequest.Read(root, name, out fault)
            : isObject && (root.TryGetProperty("cpu", out _) || root.TryGetProperty("key", out _)) ? ReadBundle(root, name, out fault)
            : ReadDevices(json, name, out fault);
        return evidence is not null;
    }

    private static MachineEvidence? ReadDevices(ReadOnlySpan<byte> json, string name, out ParseFault? fault)
    {
        var read = EvidenceFile.TryParse(json, name, out var devices, out fault);
        fault ??= read ? null : new ParseFault("evidence", 0, "unreadable");
        return read ? new MachineEvidence { Devices = devices } : null;
    }

    private static MachineEvidence? ReadBundle(JsonElement root, string name, out ParseFault? fault)
    {
        fault = null;
        var hasKey = root.TryGetProperty("key", out var key);
        var cpu = root.TryGetProperty("cpu", out var element) ? ReadCpu(element, $"{name} cpu", out fault) : null;
        var nonce = StrictJson.Text(root, "nonce");
        fault ??= hasKey && key.ValueKind is not JsonValueKind.Object ? new ParseFault("key", 0, "a JWK is expected")
            : root.TryGetProperty("nonce", out _) && string.IsNullOrEmpty(nonce) ? new ParseFault("nonce", 0, "a text is expected")
            : null;
        ImmutableArray<DeviceEvidence> own = fault is null ? EvidenceFile.DevicesOf(root, name, nonceIsChallenge: hasKey, out fault) : [];
        fault ??= own.IsEmpty && cpu is null ? new ParseFault("evidence", 0, "the file contains neither a device nor a processor") : null;
        return fault is not null ? null : new MachineEvidence
        {
            Devices = own,
            Cpu = cpu,
            Key = hasKey ? Encoding.UTF8.GetBytes(key.GetRawText()) : (ReadOnlyMemory<byte>?)null,
            StatedNonce = nonce,
        };
    }

    private static ProcessorEvidence? ReadCpu(JsonElement element, string name, out ParseFault? fault)
    {
        var unknown = element.ValueKind is not JsonValueKind.Object ? "cpu" : element.EnumerateObject().Select(member => member.Name).FirstOrDefault(member => member is not ("tee" or "quote" or "eventLog"));
        var expected = StrictJson.Text(element, "tee") switch
        {
            "tdx" => ProcessorEvidenceKind.TdxQuote,
            "snp" => ProcessorEvidenceKind.SnpReport,
            "az-vtpm" => ProcessorEvidenceKind.AzureVtpm,
            _ => ProcessorEvidenceKind.None,
        };
        fault = unknown is not null ? new ParseFault(unknown, 0, unknown is "cpu" ? "an object is expected" : "unknown member of \"cpu\"")
            : expected is ProcessorEvidenceKind.None ? new ParseFault("cpu.tee", 0, "\"tdx\", \"snp\" or \"az-vtpm\" is expected; a TPM outside a TEE is not processor evidence")
            : null;
        var quote = Base64(element, "quote", required: true, ref fault);
        var log = Base64(element, "eventLog", required: false, ref fault);
        if (fault is not null || !ProcessorEvidence.TryParse(quote, name, out var cpu, out fault))
        {
            return null;
        }

        fault = cpu.Kind != expected ? new ParseFault("cpu.tee", 0, $"the evidence is a {cpu.Kind}, \"tee\" says otherwise") : null;
        return cpu with { EventLog = log is null ? cpu.EventLog : log };
    }

    private static byte[]? Base64(JsonElement element, string member, bool required, ref ParseFault? fault)
    {
        byte[]? bytes = null;
        if (fault is null && (required || element.TryGetProperty(member, out _))
            && (!StrictBase64.TryDecode(Encoding.UTF8.GetBytes(StrictJson.Text(element, member) ?? ""), out bytes) || bytes.Length == 0))
        {
            fault = new ParseFault($"cpu.{member}", 0, "canonical base64 is expected");
        }

        return bytes;
    }
}

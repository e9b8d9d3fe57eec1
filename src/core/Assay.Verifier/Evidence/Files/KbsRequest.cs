using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>
/// What a guest of Confidential Containers sends to Trustee's key broker (KBS protocol 0.4.0, POST /kbs/v0/attest):
/// <c>{"init-data":…,"runtime-data":{"nonce":text,"tee-pubkey":JWK},"tee-evidence":{"primary_evidence":…,"additional_evidence":text}}</c>, or
/// <c>tee-evidence</c> alone. The primary evidence is a processor's; the additional evidence is JSON as text, one member for each kind of device, and the
/// processor's statement covers exactly that text.
/// </summary>
internal static class KbsRequest
{
    private const string Evidence = "tee-evidence";
    private const string Primary = "primary_evidence";
    private const string Additional = "additional_evidence";
    private const string Runtime = "runtime-data";
    private const string InitData = "init-data";
    private const string Nvidia = "nvidia";

    /// <summary>Whether it is such a request, or its evidence.</summary>
    public static bool IsKnown(JsonElement root) => root.ValueKind is JsonValueKind.Object && (root.TryGetProperty(Evidence, out _) || root.TryGetProperty(Primary, out _));

    public static MachineEvidence? Read(JsonElement root, string name, out ParseFault? fault) => Read(root, name, ReadPrimary, out fault);

    /// <summary>The same of a whole request alone, with its primary evidence or without it, which the caller then reads.</summary>
    public static MachineEvidence? ReadWhole(JsonElement root, string name, bool hasPrimary, out ParseFault? fault)
    {
        fault = root.ValueKind is not JsonValueKind.Object || !root.TryGetProperty(Evidence, out _) || !root.TryGetProperty(Runtime, out _) ? new ParseFault("request", 0, $"an object with \"{Runtime}\" and \"{Evidence}\" is expected") : null;
        return fault is null ? Read(root, name, hasPrimary ? ReadPrimary : null, out fault) : null;
    }

    private static MachineEvidence? Read(JsonElement root, string name, PrimaryReader? primary, out ParseFault? fault)
    {
        var isRequest = root.TryGetProperty(Evidence, out var evidence);
        evidence = isRequest ? evidence : root;
        fault = (isRequest ? Stranger("request", root, Evidence, Runtime, InitData) : null) ?? Stranger(Evidence, evidence, Primary, Additional);
        var cpu = fault is null ? primary?.Invoke(evidence, name, out fault) : null;
        var bound = fault is null ? ReadAdditional(evidence, name, out fault) : null;
        var (key, nonce) = fault is null && isRequest ? ReadRuntime(root, out fault) : (null, null);
        if (fault is not null || (cpu is null && primary is not null) || bound is null)
        {
            return null;
        }

        var hasInitData = isRequest && root.TryGetProperty(InitData, out var initData) && initData.ValueKind is not JsonValueKind.Null;
        return new MachineEvidence
        {
            Devices = bound.Devices,
            Bound = bound,
            Cpu = hasInitData && cpu is not null ? cpu with { Unread = [.. cpu.Unread, InitData] } : cpu,
            Key = key,
            StatedNonce = nonce,
        };
    }

    // A member that nobody reads would go unjudged in silence.
    private static ParseFault? Stranger(string name, JsonElement element, params string[] known) => element.ValueKind is not JsonValueKind.Object ? new ParseFault(name, 0, "an object is expected")
        : element.EnumerateObject().Select(member => member.Name).FirstOrDefault(member => !known.Contains(member)) is { } other ? new ParseFault(other, 0, $"unknown member beside \"{known[0]}\"")
        : null;

    private delegate ProcessorEvidence? PrimaryReader(JsonElement evidence, string name, out ParseFault? fault);

    private static ProcessorEvidence? ReadPrimary(JsonElement evidence, string name, out ParseFault? fault)
    {
        if (!evidence.TryGetProperty(Primary, out var primary) || !ProcessorEnvelope.IsKnown(primary))
        {
            var isSample = primary.ValueKind is JsonValueKind.Object && primary.TryGetProperty("svn", out _) && primary.TryGetProperty("report_data", out _);
            fault = new ParseFault(Primary, 0, isSample ? "this is the evidence of Trustee's sample attester, which no key signs; evidence of TDX, SNP or Azure's vTPM is expected"
                : primary.ValueKind is JsonValueKind.Object ? $"this is {FileContent.Of(Encoding.UTF8.GetBytes(primary.GetRawText())).Phrase}; evidence of TDX ({{\"quote\"}}), SNP ({{\"attestation_report\"}}) or Azure's vTPM ({{\"hcl_report\"}}) is expected"
                : "an object is expected");
            return null;
        }

        var reader = new ProcessorEnvelope($"{name} {Primary}");
        var read = reader.Read(primary, Encoding.UTF8.GetBytes(primary.GetRawText()));
        fault = reader.Fault?.Within(Primary, 0);
        return read;
    }

    private static BoundEvidence? ReadAdditional(JsonElement evidence, string name, out ParseFault? fault)
    {
        fault = null;
        var text = evidence.TryGetProperty(Additional, out _) ? StrictJson.Text(evidence, Additional) : "";
        if (string.IsNullOrEmpty(text))
        {
            fault = text is null ? new ParseFault(Additional, 0, "JSON as text is expected, as the guest sent it: an object no longer has the exact characters that the processor signed") : null;
            return fault is null ? new BoundEvidence("", []) : null;
        }

        using var document = StrictJson.Read(Encoding.UTF8.GetBytes(text), out fault);
        if (document is null)
        {
            fault = fault?.Within(Additional, 0) ?? new ParseFault(Additional, 0, "empty");
            return null;
        }

        var kinds = document.RootElement;
        fault = kinds.ValueKind is not JsonValueKind.Object ? new ParseFault(Additional, 0, "an object with one member for each kind of device is expected")
            : kinds.EnumerateObject().Select(member => member.Name).FirstOrDefault(kind => kind is not Nvidia) is { } other ? new ParseFault($"{Additional}.{other}", 0, $"evidence of this kind is not supported, only \"{Nvidia}\"")
            : null;
        var devices = fault is null && kinds.TryGetProperty(Nvidia, out var list) ? EvidenceFile.DevicesIn(list, $"{name} {Additional}", out fault) : [];
        fault = fault?.Field.StartsWith(Additional, StringComparison.Ordinal) is false ? fault.Within(Additional, 0) : fault;
        return fault is null ? new BoundEvidence(text, devices) : null;
    }

    private static (ReadOnlyMemory<byte>? Key, string? Nonce) ReadRuntime(JsonElement root, out ParseFault? fault)
    {
        if (!root.TryGetProperty(Runtime, out var runtime))
        {
            fault = new ParseFault(Runtime, 0, "nonce and key are expected; to judge the evidence without them, give only tee-evidence");
            return (null, null);
        }

        var nonce = StrictJson.Text(runtime, "nonce");
        fault = Stranger(Runtime, runtime, "nonce", "tee-pubkey")
            ?? (string.IsNullOrEmpty(nonce) ? new ParseFault($"{Runtime}.nonce", 0, "a text is expected") : null)
            ?? (!runtime.TryGetProperty("tee-pubkey", out var key) || key.ValueKind is not JsonValueKind.Object ? new ParseFault($"{Runtime}.tee-pubkey", 0, "a JWK is expected") : null);
        return fault is null ? (Encoding.UTF8.GetBytes(runtime.GetProperty("tee-pubkey").GetRawText()), nonce) : (null, null);
    }
}

/// <summary>The device evidence that the processor's statement covers.</summary>
/// <param name="Text">The very characters that were received.</param>
/// <param name="Devices">The devices that are in it.</param>
internal sealed record BoundEvidence(string Text, ImmutableArray<DeviceEvidence> Devices);

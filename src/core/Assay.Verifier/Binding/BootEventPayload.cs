using System.Collections.Immutable;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>The names of the events that our gate extends, in the order that the grammar of S-4 gives them.</summary>
internal static class BootEventName
{
    /// <summary>What the gate expects, before it collects anything (S-6).</summary>
    public const string GpuPolicy = "gpu-policy";

    /// <summary>Every expected device was verified (S-5).</summary>
    public const string GpuAttestation = "gpu-attestation";

    /// <summary>No GPU is expected.</summary>
    public const string GpuNone = "gpu-none";

    /// <summary>The check was skipped.</summary>
    public const string GpuSkipped = "gpu-skipped";

    /// <summary>Which model was opened (S-7).</summary>
    public const string Model = "model";

    /// <summary>What will run (S-7).</summary>
    public const string Workload = "workload";

    /// <summary>The boundary: what comes later is the application's.</summary>
    public const string SystemReady = "system-ready";

    /// <summary>dstack's own policy event, a type of its own.</summary>
    public const string DstackGpuPolicy = "gpu-policy-hash";

    internal static ImmutableArray<string> Ours { get; } = [GpuPolicy, GpuAttestation, GpuNone, GpuSkipped, Model, Workload, SystemReady];

    /// <summary>The place of a name in the grammar; the three outcomes share one. −1 for foreign names.</summary>
    internal static int Place(string name) => name switch
    {
        GpuPolicy => 0,
        GpuAttestation or GpuNone or GpuSkipped => 1,
        Model => 2,
        Workload => 3,
        SystemReady => 4,
        _ => -1,
    };
}

/// <summary>The payload of a runtime event that is known here.</summary>
public abstract record BootEventPayload
{
    private protected BootEventPayload()
    {
    }

    /// <summary>The event's name.</summary>
    public abstract string Name { get; }

    /// <summary>The payload as it is extended.</summary>
    public abstract byte[] ToBytes();

    /// <summary>
    /// Reads a payload by its event's name; null without a fault for foreign names. Payloads of ours are canonical JSON, raw digests or
    /// empty: one value has one spelling.
    /// </summary>
    public static BootEventPayload? Read(string name, ReadOnlySpan<byte> payload, out ParseFault? fault)
    {
        fault = null;
        return name switch
        {
            BootEventName.GpuPolicy => RawDigest(payload, 48, ref fault) is { } digest ? new GpuPolicyPayload(digest) : null,
            BootEventName.GpuNone => Empty(payload, new GpuNonePayload(), ref fault),
            BootEventName.GpuSkipped => Empty(payload, new GpuSkippedPayload(), ref fault),
            BootEventName.SystemReady => Empty(payload, new SystemReadyPayload(), ref fault),
            BootEventName.Model => ModelPayload.Read(payload, ref fault),
            BootEventName.Workload => WorkloadPayload.Read(payload, ref fault),
            BootEventName.GpuAttestation => ReadAttestation(payload, ref fault),
            BootEventName.DstackGpuPolicy => RawDigest(payload, 32, ref fault) is { } hash ? new DstackGpuPolicyPayload(hash) : null,
            _ => null,
        };
    }

    // One name, two makers: the version tells, and each is read strictly as its maker writes it.
    private static BootEventPayload? ReadAttestation(ReadOnlySpan<byte> payload, ref ParseFault? fault)
    {
        using var document = payload.Length > Limits.EventPayloadBytes ? null : StrictJson.Read(payload, out fault);
        if (document is null)
        {
            fault ??= new ParseFault(BootEventName.GpuAttestation, 0, $"larger than {Limits.EventPayloadBytes} bytes");
            return null;
        }

        var root = document.RootElement;
        return StrictJson.Text(root, "provider") is DstackGpuAttestationPayload.Provider
            ? DstackGpuAttestationPayload.Read(root, ref fault)
            : GpuAttestationPayload.Read(payload, ref fault);
    }

    private static Digest? RawDigest(ReadOnlySpan<byte> payload, int size, ref ParseFault? fault)
    {
        fault = payload.Length == size ? null : new ParseFault("payload", 0, $"{payload.Length} bytes where the {size} of a digest are expected");
        return fault is null ? new Digest(payload) : null;
    }

    private static T? Empty<T>(ReadOnlySpan<byte> payload, T value, ref ParseFault? fault)
        where T : BootEventPayload
    {
        fault = payload.IsEmpty ? null : new ParseFault("payload", 0, $"{payload.Length} bytes where none is expected");
        return fault is null ? value : null;
    }
}

/// <summary><c>gpu-policy</c>: the digest of the effective expectation (S-6), raw.</summary>
/// <param name="Expectation">SHA-384 of <see cref="GateExpectation.ToCanonicalJson"/>.</param>
public sealed record GpuPolicyPayload(Digest Expectation) : BootEventPayload
{
    /// <inheritdoc/>
    public override string Name => BootEventName.GpuPolicy;

    /// <inheritdoc/>
    public override byte[] ToBytes() => Expectation.Bytes.ToArray();
}

/// <summary><c>gpu-none</c>: the expectation names no device. Empty.</summary>
internal sealed record GpuNonePayload : BootEventPayload
{
    /// <inheritdoc/>
    public override string Name => BootEventName.GpuNone;

    /// <inheritdoc/>
    public override byte[] ToBytes() => [];
}

/// <summary><c>gpu-skipped</c>: devices were not verified. Never satisfies a policy that requires them. Empty.</summary>
internal sealed record GpuSkippedPayload : BootEventPayload
{
    /// <inheritdoc/>
    public override string Name => BootEventName.GpuSkipped;

    /// <inheritdoc/>
    public override byte[] ToBytes() => [];
}

/// <summary><c>system-ready</c>: the boundary. Empty, as dstack's own.</summary>
internal sealed record SystemReadyPayload : BootEventPayload
{
    /// <inheritdoc/>
    public override string Name => BootEventName.SystemReady;

    /// <inheritdoc/>
    public override byte[] ToBytes() => [];
}

/// <summary><c>model</c>: <c>{"digest":sha384,"version":1}</c>.</summary>
/// <param name="Digest">SHA-384 of the model's manifest.</param>
internal sealed record ModelPayload(Digest Digest) : BootEventPayload
{
    /// <inheritdoc/>
    public override string Name => BootEventName.Model;

    /// <inheritdoc/>
    public override byte[] ToBytes() => new CanonicalObject().Text("digest", Digest.ToString()).Number("version", 1).ToBytes();

    internal static ModelPayload? Read(ReadOnlySpan<byte> payload, ref ParseFault? fault)
    {
        using var members = CanonicalMembers.Read(payload, "model", ref fault);
        var digest = members?.Digest("digest") ?? default;
        members?.Version(1);
        fault = members?.Close() ?? fault;
        return fault is null ? new ModelPayload(digest) : null;
    }
}

/// <summary>What a workload event names.</summary>
internal enum WorkloadKind
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>A container image.</summary>
    Container,

    /// <summary>A compose file.</summary>
    Compose,

    /// <summary>A systemd unit.</summary>
    Unit,
}

/// <summary><c>workload</c>: <c>{"digest":sha384,"kind":"container"|"compose"|"unit","version":1}</c>.</summary>
/// <param name="Kind">What the digest is over.</param>
/// <param name="Digest">SHA-384.</param>
internal sealed record WorkloadPayload(WorkloadKind Kind, Digest Digest) : BootEventPayload
{
    private static readonly ImmutableArray<string> s_words = ["", "container", "compose", "unit"];

    /// <inheritdoc/>
    public override string Name => BootEventName.Workload;

    /// <inheritdoc/>
    public override byte[] ToBytes() => new CanonicalObject().Text("digest", Digest.ToString()).Text("kind", s_words[(int)Kind]).Number("version", 1).ToBytes();

    internal static WorkloadPayload? Read(ReadOnlySpan<byte> payload, ref ParseFault? fault)
    {
        using var members = CanonicalMembers.Read(payload, "workload", ref fault);
        var digest = members?.Digest("digest") ?? default;
        var kind = (WorkloadKind)Math.Max(0, members is null ? 0 : s_words.IndexOf(members.Word("kind", s_words[1..])));
        members?.Version(1);
        fault = members?.Close() ?? fault;
        return fault is null ? new WorkloadPayload(kind, digest) : null;
    }
}

/// <summary>dstack's <c>gpu-policy-hash</c>: SHA-256 of its own policy document, raw.</summary>
/// <param name="Policy">32 bytes.</param>
internal sealed record DstackGpuPolicyPayload(Digest Policy) : BootEventPayload
{
    /// <inheritdoc/>
    public override string Name => BootEventName.DstackGpuPolicy;

    /// <inheritdoc/>
    public override byte[] ToBytes() => Policy.Bytes.ToArray();
}

/// <summary>
/// dstack's <c>gpu-attestation</c>, versions 2 and 3: it counts devices and names none, so no fresh evidence can be compared with it.
/// </summary>
internal sealed record DstackGpuAttestationPayload : BootEventPayload
{
    internal const string Provider = "nvidia";

    private byte[] _bytes = [];

    /// <inheritdoc/>
    public override string Name => BootEventName.GpuAttestation;

    /// <summary>2, or 3 with <see cref="DebugStatus"/> and <see cref="SecureBoot"/>.</summary>
    public required int Version { get; init; }

    /// <summary>How many devices.</summary>
    public required int Devices { get; init; }

    /// <summary>A constant "on" in their code.</summary>
    public required string CcMode { get; init; }

    /// <summary>Whether DevTools mode is on.</summary>
    public required bool DevTools { get; init; }

    /// <summary>SHA-256 of what nvattest printed.</summary>
    public required Digest Evidence { get; init; }

    /// <summary>Version 3: the devices' dbgstat.</summary>
    public string? DebugStatus { get; init; }

    /// <summary>Version 3: whether every device booted securely.</summary>
    public bool? SecureBoot { get; init; }

    /// <inheritdoc/>
    public override byte[] ToBytes() => [.. _bytes];

    internal static DstackGpuAttestationPayload? Read(JsonElement root, ref ParseFault? fault)
    {
        // Their order of members is not the canonical one, so the bytes are kept as they came.
        string[] members = ["version", "provider", "devices", "cc_mode", "devtools", "evidence_sha256", "dbgstat", "secboot"];
        var unknown = root.EnumerateObject().Select(member => member.Name).FirstOrDefault(name => !members.Contains(name));
        var version = Number(root, "version");
        var hash = StrictJson.Text(root, "evidence_sha256");
        var debug = StrictJson.Text(root, "dbgstat");
        var secure = Flag(root, "secboot");
        var sound = unknown is null && version is 2 or 3 && Number(root, "devices") is >= 0 and <= Limits.Devices && StrictJson.Text(root, "cc_mode") is not null
            && Flag(root, "devtools") is not null && hash is { Length: 64 } && Hex.TryDecode(hash, out _) && (version == 2) == (debug is null && secure is null);
        fault = sound ? null : new ParseFault(unknown ?? "gpu-attestation", 0, "not dstack's version 2 or 3");
        return sound ? new DstackGpuAttestationPayload
        {
            Version = version,
            Devices = Number(root, "devices"),
            CcMode = StrictJson.Text(root, "cc_mode")!,
            DevTools = Flag(root, "devtools")!.Value,
            Evidence = new Digest(Convert.FromHexString(hash!)),
            DebugStatus = debug,
            SecureBoot = secure,
            _bytes = System.Text.Encoding.UTF8.GetBytes(root.GetRawText()),
        } : null;
    }

    private static int Number(JsonElement root, string member) =>
        root.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.Number && value.TryGetInt32(out var number) ? number : -1;

    private static bool? Flag(JsonElement root, string member) =>
        root.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;
}

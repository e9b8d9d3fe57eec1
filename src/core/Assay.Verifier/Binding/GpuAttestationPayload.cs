using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Security.Cryptography;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>The confidential computing mode that the measured guest read from its driver (S-8). The default is not known.</summary>
internal enum BootCcMode
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>On: memory and traffic are protected.</summary>
    On,

    /// <summary>Protected PCIe: several GPUs and switches as one machine.</summary>
    Ppcie,

    /// <summary>DevTools: looks like CC and protects nothing.</summary>
    DevTools,

    /// <summary>Off.</summary>
    Off,
}

/// <summary>One device that the gate verified.</summary>
/// <param name="Kind">GPU or switch.</param>
/// <param name="Id">SHA-384 of the SubjectPublicKeyInfo of chain[1] (S-11).</param>
/// <param name="Ueid">chain[0]'s serial number in decimal.</param>
/// <param name="Evidence">SHA-384 of the length-framed report and chain: <see cref="GpuAttestationPayload.EvidenceDigest"/>.</param>
internal sealed record BootDevice(DeviceKind Kind, Digest Id, string Ueid, Digest Evidence);

/// <summary>A reference manifest that the gate used.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Sha384">Of the file.</param>
internal sealed record BootRim(string Id, Digest Sha384);

/// <summary>The collateral bundle that the gate used.</summary>
/// <param name="Digest">SHA-384.</param>
/// <param name="Sequence">Its sequence number.</param>
internal sealed record BootBundle(Digest Digest, long Sequence);

/// <summary>
/// Our <c>gpu-attestation</c> (S-5): the measured gate verified these devices before the boundary. Canonical JSON with the members
/// <c>bundle</c> (<c>{"digest","sequence"}</c> or null), <c>cc</c>, <c>claims</c>, <c>devices</c> (by ascending id), <c>evaluatedAt</c>
/// (Unix seconds), <c>nonce</c>, <c>policy</c>, <c>provider</c> "assay", <c>rims</c> (by ascending id), <c>tee-pubkey-thumbprint</c>,
/// <c>timeSource</c>, <c>version</c> 1. Digests are SHA-384 in lower-case hexadecimal.
/// </summary>
internal sealed record GpuAttestationPayload : BootEventPayload
{
    private const string Provider = "assay";
    private const int ThumbprintCharacters = 43;
    private const int LongestUeid = 64;
    private static readonly ImmutableArray<string> s_modes = ["", "on", "ppcie", "devtools", "off"];
    private static readonly ImmutableArray<string> s_kinds = ["", "gpu", "switch"];

    /// <inheritdoc/>
    public override string Name => BootEventName.GpuAttestation;

    /// <summary>The nonce that the devices signed.</summary>
    public required Nonce Nonce { get; init; }

    /// <summary>RFC 7638, SHA-256, base64url: the key that the nonce was made for.</summary>
    public required string TeePubkeyThumbprint { get; init; }

    /// <summary>At least one, ascending by id, no id twice.</summary>
    public required ImmutableArray<BootDevice> Devices { get; init; }

    /// <summary>Ascending by id.</summary>
    public required ImmutableArray<BootRim> Rims { get; init; }

    /// <summary>SHA-384 of the claims in canonical form.</summary>
    public required Digest Claims { get; init; }

    /// <summary>The policy that decided.</summary>
    public required Digest Policy { get; init; }

    /// <summary>The CC mode of every device.</summary>
    public required BootCcMode Cc { get; init; }

    /// <summary>When, in whole seconds, UTC.</summary>
    public required DateTimeOffset EvaluatedAt { get; init; }

    /// <summary>By which clock: <c>system</c>.</summary>
    public required string TimeSource { get; init; }

    /// <summary>Null where collateral came from elsewhere.</summary>
    public required BootBundle? Bundle { get; init; }

    /// <inheritdoc/>
    public override byte[] ToBytes() => new CanonicalObject()
        .Raw("bundle", Bundle is null ? "null" : new CanonicalObject().Text("digest", Bundle.Digest.ToString()).Number("sequence", Bundle.Sequence).ToString())
        .Text("cc", s_modes[(int)Cc])
        .Text("claims", Claims.ToString())
        .List("devices", Devices.OrderBy(device => device.Id.ToString(), StringComparer.Ordinal).Select(Written))
        .Number("evaluatedAt", EvaluatedAt.ToUnixTimeSeconds())
        .Text("nonce", Nonce.ToString())
        .Text("policy", Policy.ToString())
        .Text("provider", Provider)
        .List("rims", Rims.OrderBy(rim => rim.Id, StringComparer.Ordinal).Select(rim => new CanonicalObject().Text("id", rim.Id).Text("sha384", rim.Sha384.ToString()).ToString()))
        .Text("tee-pubkey-thumbprint", TeePubkeyThumbprint)
        .Text("timeSource", TimeSource)
        .Number("version", 1)
        .ToBytes();

    /// <summary>What an event says of a device's evidence: SHA-384 of length (32 bits, big-endian) and report, then length and chain.</summary>
    public static Digest EvidenceDigest(ReadOnlySpan<byte> report, ReadOnlySpan<byte> chain)
    {
        Span<byte> length = stackalloc byte[sizeof(uint)];
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA384);
        BinaryPrimitives.WriteInt32BigEndian(length, report.Length);
        hash.AppendData(length);
        hash.AppendData(report);
        BinaryPrimitives.WriteInt32BigEndian(length, chain.Length);
        hash.AppendData(length);
        hash.AppendData(chain);
        return new Digest(hash.GetHashAndReset());
    }

    internal static GpuAttestationPayload? Read(ReadOnlySpan<byte> payload, ref ParseFault? fault)
    {
        using var members = CanonicalMembers.Read(payload, BootEventName.GpuAttestation, ref fault);
        if (members is null)
        {
            return null;
        }

        members.Version(1);
        members.Word("provider", [Provider]);
        var mode = (BootCcMode)Math.Max(0, s_modes.IndexOf(members.Word("cc", s_modes[1..])));
        var nonce = members.Bytes("nonce", Nonce.Size);
        var thumbprint = members.Text("tee-pubkey-thumbprint", ThumbprintCharacters);
        members.Require(thumbprint.Length == ThumbprintCharacters && StrictBase64.TryDecodeUrl(System.Text.Encoding.UTF8.GetBytes(thumbprint), out _), "tee-pubkey-thumbprint", "no SHA-256 in base64url");
        var read = new GpuAttestationPayload
        {
            Nonce = Nonce.TryCreate(nonce, out var parsed) ? parsed : null!,
            TeePubkeyThumbprint = thumbprint,
            Devices = ReadDevices(members),
            Rims = ReadRims(members),
            Claims = members.Digest("claims"),
            Policy = members.Digest("policy"),
            Cc = mode,
            EvaluatedAt = DateTimeOffset.FromUnixTimeSeconds(members.Number("evaluatedAt", LatestSecond)),
            TimeSource = members.Word("timeSource", ["system"]),
            Bundle = ReadBundle(members),
        };
        fault = members.Close();
        return fault is null ? read : null;
    }

    // The year 9999, where DateTimeOffset ends.
    private const long LatestSecond = 253402300799;

    private static string Written(BootDevice device) => new CanonicalObject()
        .Text("evidence", device.Evidence.ToString())
        .Text("id", device.Id.ToString())
        .Text("kind", s_kinds[(int)device.Kind])
        .Text("ueid", device.Ueid)
        .ToString();

    private static ImmutableArray<BootDevice> ReadDevices(CanonicalMembers members)
    {
        var devices = ImmutableArray.CreateBuilder<BootDevice>();
        foreach (var item in members.List("devices", Limits.Devices))
        {
            var kind = (DeviceKind)Math.Max(0, s_kinds.IndexOf(item.Word("kind", s_kinds[1..])));
            devices.Add(new BootDevice(kind, item.Digest("id"), item.Text("ueid", LongestUeid), item.Digest("evidence")));
            members.Adopt(item);
        }

        members.Require(devices.Count > 0, "devices", "empty");
        members.Require(IsAscending(devices.Select(device => device.Id.ToString())), "devices", "not in ascending order of id, or one id twice");
        return devices.ToImmutable();
    }

    private static ImmutableArray<BootRim> ReadRims(CanonicalMembers members)
    {
        var rims = ImmutableArray.CreateBuilder<BootRim>();
        foreach (var item in members.List("rims", Limits.Devices))
        {
            rims.Add(new BootRim(item.Text("id", Limits.RimIdCharacters), item.Digest("sha384")));
            members.Adopt(item);
        }

        members.Require(IsAscending(rims.Select(rim => rim.Id)), "rims", "not in ascending order of id, or one id twice");
        return rims.ToImmutable();
    }

    private static BootBundle? ReadBundle(CanonicalMembers members)
    {
        if (members.IsNull("bundle"))
        {
            return null;
        }

        var inner = members.Object("bundle");
        var bundle = new BootBundle(inner.Digest("digest"), inner.Number("sequence", int.MaxValue));
        members.Adopt(inner);
        return bundle;
    }

    private static bool IsAscending(IEnumerable<string> items)
    {
        string? last = null;
        foreach (var item in items)
        {
            if (last is not null && string.CompareOrdinal(last, item) >= 0)
            {
                return false;
            }

            last = item;
        }

        return true;
    }
}

using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Binding;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Policy;

/// <summary>What a boot gate knows beside its verdict, for the event that names the devices (S-5). All of it is stated.</summary>
public sealed record GateFacts
{
    /// <summary>The nonce that every device signed.</summary>
    public required Nonce Nonce { get; init; }

    /// <summary>RFC 7638 thumbprint of the key for which the nonce was made.</summary>
    public required string TeePubkeyThumbprint { get; init; }

    /// <summary>What the devices answered, in the order in which it was judged.</summary>
    public required ImmutableArray<DeviceEvidence> Evidence { get; init; }

    /// <summary>Whether the driver says Protected PCIe, rather than CC on.</summary>
    public required bool ProtectedPcie { get; init; }

    /// <summary>The reference manifests that the verdict rests on, by id.</summary>
    public required ImmutableDictionary<string, ReadOnlyMemory<byte>> Rims { get; init; }

    /// <summary>SHA-384 of the policy that decided.</summary>
    public required Digest Policy { get; init; }

    /// <summary>SHA-384 of the collateral bundle's file; null where none was used.</summary>
    public Digest? Bundle { get; init; }

    /// <summary>The bundle's sequence number.</summary>
    public long BundleSequence { get; init; }
}

/// <summary>
/// The events that a boot gate extends (S-4 to S-7), made by the code that checks them. None is made here of anything that was not verified: the
/// one that names devices needs a verdict that passed.
/// </summary>
public static class GateEvents
{
    /// <summary><c>gpu-policy</c>: before any evidence is collected.</summary>
    public static RuntimeEvent Policy(GateExpectation expectation)
    {
        ArgumentNullException.ThrowIfNull(expectation);
        return RuntimeEvent.Of(expectation.ToPayload());
    }

    /// <summary><c>gpu-attestation</c>: these devices were verified.</summary>
    /// <exception cref="ArgumentException">The verdict did not pass, was not reached by this machine's clock, or is about other devices. A mistake of the caller.</exception>
    public static RuntimeEvent Attestation(Verdict verdict, GateFacts facts)
    {
        ArgumentNullException.ThrowIfNull(verdict);
        ArgumentNullException.ThrowIfNull(facts);
        var devices = verdict.Appraisal.Devices;
        var time = verdict.Appraisal.Basis.Time;
        if (!verdict.Passed || verdict.Freshness is not "proven" || time.Source is not TimeSource.System || devices.Length == 0 || devices.Length != facts.Evidence.Length || devices.Any(device => device.Device is null))
        {
            throw new ArgumentException("an event names devices only where a fresh verdict by this machine's clock passed about exactly these", nameof(verdict));
        }

        return RuntimeEvent.Of(new GpuAttestationPayload
        {
            Nonce = facts.Nonce,
            TeePubkeyThumbprint = facts.TeePubkeyThumbprint,
            Devices = [.. devices.Select((device, index) => Named(device, facts.Evidence[index])).OrderBy(device => device.Id.ToString(), StringComparer.Ordinal)],
            Rims = [.. facts.Rims.OrderBy(rim => rim.Key, StringComparer.Ordinal).Select(rim => new BootRim(rim.Key, Sha384(rim.Value.Span)))],
            Claims = Sha384(Claims(devices)),
            Policy = facts.Policy,
            Cc = facts.ProtectedPcie ? BootCcMode.Ppcie : BootCcMode.On,
            EvaluatedAt = DateTimeOffset.FromUnixTimeSeconds(time.Instant.ToUnixTimeSeconds()),
            TimeSource = "system",
            Bundle = facts.Bundle is { } bundle ? new BootBundle(bundle, facts.BundleSequence) : null,
        });
    }

    /// <summary><c>gpu-none</c>: no device is expected, and none was found.</summary>
    public static RuntimeEvent None { get; } = RuntimeEvent.Of(new GpuNonePayload());

    /// <summary><c>gpu-skipped</c>: devices were not verified, as the measured configuration says. It never satisfies who requires GPUs.</summary>
    public static RuntimeEvent Skipped { get; } = RuntimeEvent.Of(new GpuSkippedPayload());

    /// <summary><c>model</c>: SHA-384 of the manifest of the model that will be opened.</summary>
    public static RuntimeEvent Model(Digest digest) => RuntimeEvent.Of(new ModelPayload(digest));

    /// <summary><c>workload</c>: what will run.</summary>
    /// <param name="kind"><c>container</c>, <c>compose</c> or <c>unit</c>.</param>
    /// <param name="digest">SHA-384.</param>
    public static RuntimeEvent Workload(string kind, Digest digest) => RuntimeEvent.Of(new WorkloadPayload(kind switch
    {
        "container" => WorkloadKind.Container,
        "compose" => WorkloadKind.Compose,
        "unit" => WorkloadKind.Unit,
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "container, compose or unit is expected"),
    }, digest));

    /// <summary><c>system-ready</c>: the boundary.</summary>
    public static RuntimeEvent SystemReady { get; } = RuntimeEvent.Of(new SystemReadyPayload());

    /// <summary>Whether an event of this name is one of our gate's.</summary>
    public static bool IsOurs(string name) => BootEventName.Place(name) >= 0;

    private static BootDevice Named(DeviceResult device, DeviceEvidence evidence) => new(
        device.Kind, device.Device!.Identity.Id, device.Device.Identity.Ueid, GpuAttestationPayload.EvidenceDigest(evidence.Report.Span, evidence.Chain.Span));

    // NVIDIA's claims 4.0 of every device, in the order of the evidence, as canonical JSON.
    private static byte[] Claims(ImmutableArray<DeviceResult> devices)
    {
        using var stream = new MemoryStream();
        using (var writer = new Utf8JsonWriter(stream))
        {
            writer.WriteStartArray();
            foreach (var device in devices)
            {
                NvidiaClaims.Write(writer, device, ClaimsVersion.V4);
            }

            writer.WriteEndArray();
        }

        using var document = JsonDocument.Parse(stream.ToArray());
        return CanonicalJson.Write(document.RootElement);
    }

    private static Digest Sha384(ReadOnlySpan<byte> content) => new(SHA384.HashData(content));
}

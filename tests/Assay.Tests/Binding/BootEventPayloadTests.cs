using System.Text;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Tests.Binding;

/// <summary>The typed events: what is written is read, and every other spelling is refused.</summary>
public class BootEventPayloadTests
{
    private static readonly Digest s_digest = new(Enumerable.Range(0, 48).Select(value => (byte)value).ToArray());

    private static GpuAttestationPayload Attestation => new()
    {
        Nonce = Nonce.TryCreate(new byte[32], out var nonce) ? nonce : throw new InvalidOperationException(),
        TeePubkeyThumbprint = new string('A', 43),
        Devices = [new BootDevice(DeviceKind.Switch, s_digest, "12", s_digest), new BootDevice(DeviceKind.Gpu, new Digest(new byte[48]), "11", s_digest)],
        Rims = [new BootRim("NV_B", s_digest), new BootRim("NV_A", s_digest)],
        Claims = s_digest,
        Policy = s_digest,
        Cc = BootCcMode.On,
        EvaluatedAt = DateTimeOffset.UnixEpoch.AddYears(56),
        TimeSource = "system",
        Bundle = new BootBundle(s_digest, 9),
    };

    public static TheoryData<BootEventPayload> Payloads =>
    [
        new GpuPolicyPayload(s_digest), new GpuNonePayload(), new GpuSkippedPayload(), new SystemReadyPayload(), new ModelPayload(s_digest),
        new WorkloadPayload(WorkloadKind.Container, s_digest), new WorkloadPayload(WorkloadKind.Unit, s_digest), Attestation, Attestation with { Bundle = null },
        new DstackGpuPolicyPayload(new Digest(new byte[32])),
    ];

    [Theory]
    [MemberData(nameof(Payloads), DisableDiscoveryEnumeration = true)]
    public void What_is_written_is_read(BootEventPayload payload)
    {
        var read = BootEventPayload.Read(payload.Name, payload.ToBytes(), out var fault);

        Assert.True(read is not null, fault?.ToString());
        Assert.IsType(payload.GetType(), read);
        Assert.Equal(payload.ToBytes(), read.ToBytes());
    }

    [Theory]
    [MemberData(nameof(Payloads), DisableDiscoveryEnumeration = true)]
    public void Every_flipped_bit_is_refused_or_is_another_value_with_a_spelling_of_its_own(BootEventPayload payload)
    {
        var bytes = payload.ToBytes();
        foreach (var flipped in Properties.FlipTests.Flips(bytes, bytes.Length > 100 ? 3 : 1))
        {
            var read = BootEventPayload.Read(payload.Name, flipped, out var fault);
            Assert.Equal(read is null, fault is not null);
            Assert.True(read is null || flipped.AsSpan().SequenceEqual(read.ToBytes()));
        }

        Assert.Null(BootEventPayload.Read(payload.Name, [.. bytes, (byte)' '], out _));
        Assert.All(Enumerable.Range(0, bytes.Length), length => Assert.Null(BootEventPayload.Read(payload.Name, bytes.AsSpan(0, length), out _)));
    }

    [Theory]
    [InlineData("\"version\":1", "\"version\":2")]
    [InlineData("\"provider\":\"assay\"", "\"provider\":\"other\"")]
    [InlineData("\"cc\":\"on\"", "\"cc\":\"On\"")]
    [InlineData("\"kind\":\"gpu\"", "\"kind\":\"cpu\"")]
    [InlineData("\"timeSource\":\"system\"", "\"timeSource\":\"stated\"")]
    [InlineData("\"version\":1}", "\"version\":1,\"zz\":1}")]
    [InlineData("\"sequence\":9", "\"sequence\":-9")]
    [InlineData("\"claims\":\"00", "\"claims\":\"")]
    [InlineData("\"id\":\"NV_A\"", "\"id\":\"NV_B\"")]
    [InlineData("\"id\":\"000000", "\"id\":\"ffffff")]
    public void A_payload_of_another_shape_is_refused(string from, string to)
    {
        var text = Encoding.UTF8.GetString(Attestation.ToBytes());
        var altered = text.Replace(from, to, StringComparison.Ordinal);
        Assert.NotEqual(text, altered);

        Assert.Null(BootEventPayload.Read(BootEventName.GpuAttestation, Encoding.UTF8.GetBytes(altered), out var fault));
        Assert.NotNull(fault);
    }

    [Fact]
    public void No_device_and_one_device_twice_are_refused()
    {
        var none = Attestation with { Devices = [] };
        var twice = Attestation with { Devices = [Attestation.Devices[0], Attestation.Devices[0]] };

        Assert.Null(BootEventPayload.Read(BootEventName.GpuAttestation, none.ToBytes(), out _));
        Assert.Null(BootEventPayload.Read(BootEventName.GpuAttestation, twice.ToBytes(), out _));
    }

    [Theory]
    [InlineData("""{"version":2,"provider":"nvidia","devices":8,"cc_mode":"on","devtools":false,"evidence_sha256":"HASH"}""", true)]
    [InlineData("""{"version":3,"provider":"nvidia","devices":8,"cc_mode":"on","devtools":false,"evidence_sha256":"HASH","dbgstat":"disabled","secboot":true}""", true)]
    [InlineData("""{"version":4,"provider":"nvidia","devices":8,"cc_mode":"on","devtools":false,"evidence_sha256":"HASH"}""", false)]
    [InlineData("""{"version":2,"provider":"nvidia","devices":8,"cc_mode":"on","devtools":false,"evidence_sha256":"HASH","more":1}""", false)]
    [InlineData("""{"version":2,"provider":"nvidia","devices":8,"cc_mode":"on","evidence_sha256":"HASH"}""", false)]
    public void Dstack_s_own_event_is_a_type_of_its_own_and_names_no_device(string json, bool sound)
    {
        var read = BootEventPayload.Read(BootEventName.GpuAttestation, Encoding.UTF8.GetBytes(json.Replace("HASH", new string('a', 64), StringComparison.Ordinal)), out _);

        Assert.Equal(sound, read is DstackGpuAttestationPayload);
        Assert.False(read is GpuAttestationPayload);
    }

    [Theory]
    [InlineData("app-id:x", true)]
    [InlineData(":", true)]
    [InlineData("", true)]
    [InlineData("app-id", false)]
    public void A_V1_name_with_a_colon_is_refused_for_its_end_could_be_moved(string name, bool refused)
    {
        Assert.Equal(refused, RuntimeEventDigest.WhyNotName(name, RuntimeEventVersion.V1) is not null);
        // The attack: one digest, two stories.
        Assert.Equal(RuntimeEventDigest.Preimage("gpu-none", "x:y"u8, RuntimeEventVersion.V1), RuntimeEventDigest.Preimage("gpu-none:x", "y"u8, RuntimeEventVersion.V1));
        Assert.NotEqual(RuntimeEventDigest.Preimage("gpu-none", "x:y"u8, RuntimeEventVersion.V2), RuntimeEventDigest.Preimage("gpu-none:x", "y"u8, RuntimeEventVersion.V2));
    }
}

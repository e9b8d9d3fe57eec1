using System.Collections.Immutable;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Simulator;
using Assay.Trust;

namespace Assay.Tests.Properties;

/// <summary>One of each that the simulator makes: devices, a whole machine, manifests, OCSP answers and lists, under the authority of <see cref="Simulated"/>.</summary>
internal static class EveryKind
{
    private static readonly ImmutableDictionary<string, DeviceProfile> s_profiles = ImmutableDictionary.CreateRange(
    [
        KeyValuePair.Create("Hopper early", DeviceProfile.HopperEarly),
        KeyValuePair.Create("Hopper 570", DeviceProfile.Hopper570),
        KeyValuePair.Create("Hopper 580", DeviceProfile.Hopper580),
        KeyValuePair.Create("Hopper protected PCIe", DeviceProfile.HopperProtectedPcie),
        KeyValuePair.Create("Hopper NVDAOD", DeviceProfile.HopperNvdaod),
        KeyValuePair.Create("Blackwell", DeviceProfile.Blackwell),
        KeyValuePair.Create("LS10", DeviceProfile.Ls10),
    ]);

    private static readonly Lazy<ImmutableDictionary<string, SimulatedSet>> s_sets = new(() => s_profiles.ToImmutableDictionary(profile => profile.Key, profile =>
    {
        using var device = SimulatedDevice.Create(Simulated.Authority, profile.Value);
        return SimulatedSet.Of(Simulated.Authority, device, SimulatorFixture.Nonce, SimulatorFixture.Now);
    }));

    private static readonly Lazy<SimulatedSet> s_machine = new(() =>
    {
        using var machine = SimulatedMachine.Create(Simulated.Authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10);
        return SimulatedSet.Of(Simulated.Authority, machine, SimulatorFixture.Nonce, SimulatorFixture.Now);
    });

    private static readonly Lazy<ImmutableDictionary<string, ReadOnlyMemory<byte>>> s_rims = new(() =>
        s_sets.Value.Values.SelectMany(set => set.Rims).DistinctBy(rim => rim.Id).ToImmutableDictionary(rim => rim.Id, rim => rim.Xml));

    /// <summary>Kinds of single devices.</summary>
    public static IEnumerable<string> Devices => s_profiles.Keys.Order(StringComparer.Ordinal);

    /// <summary>Ids of manifests: driver, VBIOS and switch of every kind.</summary>
    public static IEnumerable<string> Rims => s_rims.Value.Keys.Order(StringComparer.Ordinal);

    /// <summary>Eight GPUs and four switches in one file.</summary>
    public static byte[] MachineFile { get; } = SimulatedEvidence.ToJson(s_machine.Value.Evidence);

    public static DeviceEvidence Device(string kind) => Read(SimulatedEvidence.ToJson(s_sets.Value[kind].Evidence))[0];

    public static ReadOnlyMemory<byte> Rim(string id) => s_rims.Value[id];

    /// <summary>A good answer for each certificate of one device's chain and of its manifests' signers.</summary>
    public static IEnumerable<(SimulatedCertificate About, ReadOnlyMemory<byte> Response)> Answers(string kind) =>
        s_sets.Value[kind].Ocsp.Select(answer => (answer.Key, answer.Value)).OrderBy(answer => answer.Key.SerialNumber, StringComparer.Ordinal);

    public static ImmutableArray<DeviceEvidence> Read(byte[] file) =>
        EvidenceFile.TryParse(file, "simulated", out var devices, out var fault) ? devices : throw new InvalidOperationException(fault?.ToString());

    public static Certificate Parsed(SimulatedCertificate certificate) =>
        Certificate.TryParse(certificate.Der.Span, out var parsed, out var fault) ? parsed : throw new InvalidOperationException(fault.ToString());
}

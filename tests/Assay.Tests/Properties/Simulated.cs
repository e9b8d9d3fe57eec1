using System.Collections.Immutable;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Tests.Simulator;
using Assay.Trust;

namespace Assay.Tests.Properties;

/// <summary>One simulated authority with its trust set, for properties that need evidence of every form.</summary>
internal static class Simulated
{
    private static readonly SimulatedAuthority s_authority = SimulatedAuthority.Create(SimulatorFixture.Now);
    private static readonly Lazy<ImmutableDictionary<string, DeviceEvidence>> s_evidence = new(Make);

    public static SimulatedAuthority Authority => s_authority;

    public static byte[] Anchors { get; } = SimulatedAnchors.ToJson(s_authority, "properties");

    public static TrustSet Trust { get; } = TrustSet.TryParse(Anchors, out var set, out var fault) ? set : throw new InvalidOperationException(fault.ToString());

    public static DeviceEvidence Gpu => s_evidence.Value["gpu"];

    public static DeviceEvidence Nvdaod => s_evidence.Value["nvdaod"];

    public static DeviceEvidence Switch => s_evidence.Value["switch"];

    public static byte[] EvidenceJson(DeviceEvidence evidence) => SimulatedEvidence.ToJson(
        [new SimulatedEvidence(evidence.DeclaredArchitecture!, SimulatorFixture.Nonce, evidence.Report, System.Text.Encoding.ASCII.GetString(evidence.Chain.Span))]);

    private static ImmutableDictionary<string, DeviceEvidence> Make() => ImmutableDictionary.CreateRange(
    [
        KeyValuePair.Create("gpu", Of(DeviceProfile.Blackwell, "BLACKWELL")),
        KeyValuePair.Create("nvdaod", Of(DeviceProfile.HopperNvdaod, "HOPPER")),
        KeyValuePair.Create("switch", Of(DeviceProfile.Ls10, "LS10")),
    ]);

    private static DeviceEvidence Of(DeviceProfile profile, string architecture)
    {
        using var device = SimulatedDevice.Create(s_authority, profile);
        return new DeviceEvidence
        {
            Source = architecture,
            Report = device.Report(SimulatorFixture.Nonce),
            Chain = System.Text.Encoding.ASCII.GetBytes(device.ChainPem),
            DeclaredArchitecture = architecture,
        };
    }
}

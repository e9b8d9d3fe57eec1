using System.Globalization;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>What the relying party of a simulated guest states in files: a verify file with all that it names, and channel policies beside it.</summary>
internal sealed class RelyingPartyFiles
{
    public const string Purpose = "inference";

    private readonly string _folder;

    private RelyingPartyFiles(string folder) => _folder = folder;

    /// <summary>Writes anchors, reference values, the processor's collateral and <c>site.yaml</c>. The guest has booted: before that its platform has no collateral.</summary>
    /// <param name="folder">A folder of the relying party's.</param>
    /// <param name="party">Knows image, gate and counts.</param>
    /// <param name="hardware">Whose makers are trusted.</param>
    /// <param name="services">Where RIMs and OCSP answers are.</param>
    /// <param name="accepted">Weakenings that are accepted beside that of unsigned reference values.</param>
    public static RelyingPartyFiles Write(string folder, RelyingParty party, SimulatedGuest hardware, string services, params ReadOnlySpan<string> accepted)
    {
        Directory.CreateDirectory(folder);
        File.WriteAllBytes(Path.Combine(folder, "anchors.json"), hardware.Anchors);
        File.WriteAllBytes(Path.Combine(folder, "references.json"), party.ReferenceFile(hardware));
        File.WriteAllBytes(Path.Combine(folder, "collateral.json"), hardware.Collateral.ToArray());
        File.WriteAllText(Path.Combine(folder, "site.yaml"), string.Create(CultureInfo.InvariantCulture, $"""
            version: 1
            expect:
              gpus: {party.Gpus}
              switches: {party.Switches}
              binding: boot-event
              secureBoot: true
            referenceValues:
              file: references.json
            collateral:
              rimUrl: {services}
              ocspUrl: {services}
              processor: collateral.json
            trust:
              anchors: anchors.json
            accept:
              weakened: [{string.Join(", ", ["reference-values-unsigned", .. accepted])}]

            """));
        return new RelyingPartyFiles(folder);
    }

    /// <summary>Writes a channel policy, and says where.</summary>
    /// <param name="name">Of the file.</param>
    /// <param name="whose">The members of <c>operator</c>, as a map in braces.</param>
    /// <param name="level">The lowest level.</param>
    /// <param name="purpose">What channels are for.</param>
    public string Policy(string name, string whose, string level = "exporter", string purpose = Purpose)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, $"""
            version: 1
            level: {level}
            purpose: {purpose}
            operator: {whose}
            verify: site.yaml

            """);
        return path;
    }
}

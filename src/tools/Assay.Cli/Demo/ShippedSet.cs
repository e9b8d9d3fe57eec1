using System.Text.Json;
using Assay.Checks;
using Assay.Collateral.Files;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>The simulated set in vectors/simulated/ls10: a checkout has it, and a published command, which stands in none, does not.</summary>
internal static class ShippedSet
{
    public static DemoScene? TryFind()
    {
        var folder = AppContext.BaseDirectory;
        while (folder is not null && !File.Exists(Path.Combine(folder, "Assay.slnx")))
        {
            folder = Path.GetDirectoryName(folder);
        }

        var set = folder is null ? null : Path.Combine(folder, "vectors", "simulated", "ls10");
        return set is null ? null : Load(set);
    }

    private static DemoScene Load(string set)
    {
        using var about = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(set, "set.json")));
        ParseFault? fault = null;
        if (!Utc.TryParse(about.RootElement.GetProperty("created").GetString(), out var created)
            || !TrustSet.TryParse(File.ReadAllBytes(Path.Combine(set, "anchors.json")), out var trust, out fault)
            || !Nonce.TryParse(about.RootElement.GetProperty("nonce").GetString(), out var nonce, out fault))
        {
            throw new InvalidDataException($"{set}: {fault}");
        }

        return new DemoScene(
            File.ReadAllBytes(Path.Combine(set, "switch_evidence.json")),
            DemoStage.Expect(nonce, new EvaluationTime(created, TimeSource.Stated), trust),
            new DirectoryRimStore(Path.Combine(set, "rims")),
            new DirectoryOcspStore(Path.Combine(set, "ocsp")));
    }
}

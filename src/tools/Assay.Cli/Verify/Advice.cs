using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Cli.Explain;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;

namespace Assay.Cli.Verify;

/// <summary>What to do about checks that did not hold, and where to get what is missing.</summary>
internal static class Advice
{
    /// <summary>The check that fails because a part did: what the part failed in says more.</summary>
    public const string OfParts = "composite.parts.passed";

    private const int MostNamed = 3;

    // The causes of one check, and how docs/troubleshooting/devices.md begins the cure of each.
    private static readonly (string Fault, string Label)[] s_revocation = [("revoked", "Revoked:"), ("unknown", "Unknown:"), ("not-authentic", "Not authentic:"), ("no-answer", "No answer:")];

    private static string Command => Environment.GetEnvironmentVariable("ASSAY_COMMAND") is "./assay" ? "./assay" : "assay";

    public static List<string> For(Verdict verdict, string? bundle)
    {
        var machine = verdict.Machine is { } whole ? whole.Parts.ProcessorFindings.Concat(whole.Parts.Boot?.Findings ?? []).Concat(whole.Findings.Where(finding => finding.Id != OfParts)) : [];
        var failed = verdict.Appraisal.AllFindings.Concat(machine).Concat(verdict.PolicyFindings).Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id).Distinct().ToArray();
        var advice = failed.SelectMany(id => Cures(id, verdict)).Distinct().ToList();
        if (bundle is not null)
        {
            advice.AddRange(OfBundle(verdict, bundle));
        }
        else
        {
            advice.AddRange(OfMissing(verdict));
        }

        if (failed.Length > 0)
        {
            advice.Add($"For causes: {Command} {string.Join($"; {Command} ", failed.Take(MostNamed).Select(id => $"explain {id}"))}");
        }

        return advice;
    }

    /// <summary>The cure of a check that failed; null where it has none.</summary>
    public static string? CureOf(string id, Verdict verdict) => Cures(id, verdict).FirstOrDefault();

    // One cure for all of it: a bundle is made anew as a whole.
    private static IEnumerable<string> OfBundle(Verdict verdict, string bundle)
    {
        var cpu = verdict.Machine?.Parts.Cpu;
        var count = verdict.Appraisal.Missing.Length + (cpu?.Missing.Length ?? 0);
        if (count > 0)
        {
            yield return $"{bundle} does not hold {(count == 1 ? "it" : $"these {count} items")}. Make a new one where there is a network: {Command} bundle create --for FILE ({Command} bundle plan --for FILE --bundle {bundle} lists what this one lacks).";
        }
    }

    private static IEnumerable<string> OfMissing(Verdict verdict)
    {
        var simulated = verdict.Appraisal.Basis.Trust.Kind is Assay.Trust.TrustSetKind.Simulated;
        foreach (var kind in verdict.Appraisal.Missing.GroupBy(item => item.Kind))
        {
            yield return kind.Key switch
            {
                "rim" when simulated => $"Get {string.Join(", ", kind.Select(item => item.Id))} from the simulator that made the evidence.",
                "rim" => $"Get {string.Join(", ", kind.Select(item => item.Id))}: --rim-url nvidia fetches them, or put <id>.xml into --rim-store. A driver or VBIOS without a RIM cannot be verified: use a released one, as one of those named under Missing.",
                "corim" => "These devices can be authenticated but not measured by this version: their reference values exist only as CoRIM.",
                _ when simulated => "Get OCSP answers from the simulator that made the evidence.",
                _ => "Get OCSP answers: --ocsp-url nvidia, or a folder of them as --ocsp-store.",
            };
        }

        if (verdict.Machine?.Parts.Cpu is { Missing.IsEmpty: false } cpu)
        {
            yield return MissingOf(cpu);
        }
    }

    // The cure of a check; where it has one for each cause, those of the causes that are there.
    private static IEnumerable<string> Cures(string id, Verdict verdict)
    {
        if (Explanations.Find(id)?.Cure is not { } cure)
        {
            return [];
        }

        return Narrowed(id, verdict) is { } narrowed ? [narrowed] : id == "device.chain.not-revoked"
            ? verdict.Appraisal.Devices.Select(device => device.RevocationFault).Distinct().Select(fault => s_revocation.FirstOrDefault(item => item.Fault == fault).Label).OfType<string>().Select(label => PartOf(cure, label))
            : [cure];
    }

    // The document names every cause of a check; where this verdict tells which one it is, only that one is worth reading.
    private static string? Narrowed(string id, Verdict verdict)
    {
        var cpu = verdict.Machine?.Parts.Cpu;
        var finding = verdict.Appraisal.AllFindings.Concat(verdict.Machine?.Parts.ProcessorFindings ?? []).FirstOrDefault(finding => finding.Id == id && finding.State is CheckState.Failed);
        return id switch
        {
            "boot.log.replayed" or "binding.boot.event" when cpu?.Evidence.Kind is ProcessorEvidenceKind.SnpReport =>
                "Leave --event-log out: an SNP report has no registers. A boot log needs a vTPM inside the TEE, whose evidence brings its own quote (docs/reference/machines.md).",
            "tdx.quote.wellformed" when finding?.Reason?.Contains("trailing bytes", StringComparison.Ordinal) is true =>
                "Cut off what follows the quote, or collect outblob of configfs-tsm again and leave it unchanged. For a recording you can accept text with --dangerously-accept-text-after-quote and --at.",
            _ when id.EndsWith(".current", StringComparison.Ordinal) && finding?.Expected is { } expected && expected.StartsWith("from ", StringComparison.Ordinal) =>
                verdict.TimeSource == "stated" ? $"State a time of the evidence with --at: {expected} on." : $"Correct the clock of this machine: the evidence is certified {expected} on. If the clock is right, take the evidence again.",
            _ => null,
        };
    }

    private static string PartOf(string cure, string label)
    {
        var start = cure.IndexOf(label, StringComparison.Ordinal);
        var end = s_revocation.Select(other => cure.IndexOf(other.Label, StringComparison.Ordinal)).Where(place => place > start).DefaultIfEmpty(cure.Length).Min();
        return start < 0 ? cure : cure[start..end].Trim();
    }

    private static string MissingOf(ProcessorResult cpu) =>
        cpu.Tee is { Word: "snp" } && cpu.Needed.IsEmpty
        ? $"Get {string.Join(", ", cpu.Missing)} from the host: a report of version 2 does not name its product, so nothing can be asked for. Put VCEK, ASK, ARK and the revocation list into a folder, given as --cpu-collateral (docs/operations/offline.md)."
        : cpu.Missing.All(item => cpu.WhyNotFetched(item) is not null)
        ? $"The service that was asked did not have {string.Join(", ", cpu.Missing)}, as Missing says: see to its address and the network, or put the answers into a folder, given as --cpu-collateral (docs/operations/offline.md)."
        : cpu.Tee is { Word: "tdx" }
        ? $"Get {string.Join(", ", cpu.Missing)}: --intel-url intel fetches them (or a PCCS or proxy by its URL); or give them as --cpu-collateral: the answers of the addresses under Missing in a folder, or the JSON that a quote verifier fetched (docs/operations/offline.md)."
        : $"Get {string.Join(", ", cpu.Missing)}: --amd-url amd fetches them; or put the answers of the addresses under Missing into a folder, given as --cpu-collateral (docs/operations/offline.md).";
}

using System.Collections.Immutable;
using System.CommandLine;
using Assay.Appraisal.Machine;
using Assay.Checks;

namespace Assay.Cli;

/// <summary>Options about how strong a verdict must be, of commands that reach one and of those that read one.</summary>
internal static class WeakeningOptions
{
    public static Option<string?> RequireBinding()
    {
        var option = new Option<string?>("--require-binding") { Description = "how devices must be bound to a confidential VM, at the least: evidence-hash or boot-event", HelpName = "LEVEL" };
        return option.OneOf("evidence-hash", "boot-event");
    }

    public static GpuBinding? Binding(string? word) => word switch
    {
        "boot-event" => GpuBinding.BootEvent,
        "evidence-hash" => GpuBinding.EvidenceHash,
        _ => null,
    };

    /// <summary>The names of a list with commas; a name that no verdict can have is refused, for it would stand for nothing.</summary>
    public static ImmutableArray<string> Names(string option, IEnumerable<string> lists, bool ofTokens, Action<string, string> refuse)
    {
        string[] names = [.. lists.SelectMany(list => list.Split(',')).Distinct(StringComparer.Ordinal)];
        var known = ofTokens ? Weakening.Names : Weakening.Names.Remove(Weakening.FreshnessNotProven.Name);
        if (names.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
        {
            refuse("cli.weakened", $"{option}: \"{unknown}\" is not a weakening{(unknown == Weakening.FreshnessNotProven.Name ? " of a verdict, but of a token" : Nearest.Asked(unknown, known))}; these are: {string.Join(", ", known)}");
        }

        return [.. names];
    }
}

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

    /// <summary>The names of a list with commas; a name that cannot be found where they are asked about is refused, for it would stand for nothing.</summary>
    public static ImmutableArray<string> Names(string option, IEnumerable<string> lists, WeakeningScope scope, Action<string, string> refuse)
    {
        string[] names = [.. lists.SelectMany(list => list.Split(',')).Distinct(StringComparer.Ordinal)];
        var known = Known(scope);
        if (names.FirstOrDefault(name => !known.Contains(name)) is { } unknown)
        {
            var of = scope is WeakeningScope.Tokens ? "a token" : "a verdict";
            var whose = unknown == Weakening.FreshnessNotProven.Name ? $" of {of}, but of a token" : Weakening.OfChannelsAlone.Contains(unknown) ? $" of {of}, but of a channel" : Nearest.Asked(unknown, known);
            refuse("cli.weakened", $"{option}: \"{unknown}\" is not a weakening{whose}; these are: {string.Join(", ", known)}");
        }

        return [.. names];
    }

    /// <summary>The names that there can be.</summary>
    public static ImmutableSortedSet<string> Known(WeakeningScope scope) => scope switch
    {
        WeakeningScope.Tokens => Weakening.Names.Except(Weakening.OfChannelsAlone),
        WeakeningScope.VerdictsAndChannels => Weakening.Names.Remove(Weakening.FreshnessNotProven.Name),
        _ => Weakening.Names.Except(Weakening.OfChannelsAlone).Remove(Weakening.FreshnessNotProven.Name),
    };
}

/// <summary>What names of weakenings are about.</summary>
internal enum WeakeningScope
{
    /// <summary>A verdict.</summary>
    Verdicts,

    /// <summary>A verdict, or a channel whose policy refers to the same file.</summary>
    VerdictsAndChannels,

    /// <summary>A token.</summary>
    Tokens,
}

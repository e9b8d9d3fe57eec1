using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Text.Json;
using Assay.Broker.Release;
using Assay.Checks;
using Assay.Reference.Intel;
using Assay.Wire;

namespace Assay.Broker.Keys;

/// <summary>Words of a release policy that come from closed lists: one that is misspelled would never hold, and the key would be released to no machine, or a negated condition would say nothing.</summary>
internal static class PolicyWords
{
    private const int LongestShown = 60;

    // The other keys' values are not ours to list: names, models, versions, digests.
    private static readonly FrozenDictionary<string, ImmutableArray<string>> s_values = new Dictionary<string, ImmutableArray<string>>
    {
        ["assay:binding"] = ["boot-event", "evidence-hash", "none"],
        ["assay:anchors"] = ["built-in", "custom", "simulated"],
        ["assay:platform"] = ["known", "unknown", "not-asked"],
        ["assay:gpu:measurements"] = ["success", "fail", "not-run"],
        ["assay:gpu:cc-mode"] = ["on", "ppcie"],
        ["assay:cpu:tee"] = ["tdx", "snp"],
        ["assay:cpu:tcb-status"] = [.. Enum.GetValues<TcbStatus>().Where(status => status is not TcbStatus.None).Select(status => status.ToString())],
        ["assay:snp:product"] = ["Milan", "Genoa", "Turin"],
    }.ToFrozenDictionary(StringComparer.Ordinal);

    // What no verdict can have is not to be accepted.
    private static readonly ImmutableArray<string> s_weakenings = [.. Weakening.Names.Except(Weakening.OfChannelsAlone).Remove(Weakening.FreshnessNotProven.Name), ReleaseTier.NrasToken, ReleaseTier.AssayToken];

    /// <summary>The values of a key that has a closed list; empty: any text.</summary>
    public static ImmutableArray<string> Of(string key) => s_values.GetValueOrDefault(key, []);

    /// <summary>Which word is not known, and which was probably meant; null: all are.</summary>
    public static string? WhyNot(ReleasePolicy policy) =>
        policy.Expect.AcceptWeakened.IsDefault ? null
        : policy.Expect.AcceptWeakened.FirstOrDefault(name => !s_weakenings.Contains(name, StringComparer.Ordinal)) is { } unknown
            ? $"$.expect.acceptWeakened: {Shown(unknown)} is not a weakening of a verdict{Nearest.Asked(unknown, s_weakenings)}"
        : (policy.Conditions ?? []).Where(pair => pair.Value is not null && pair.Key.EndsWith("Equals", StringComparison.Ordinal)).OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .SelectMany(pair => pair.Value.Select(condition => WhyNot(pair.Key, condition.Key, condition.Value))).FirstOrDefault(fault => fault is not null);

    private static string? WhyNot(string relation, string key, JsonElement values)
    {
        var known = Of(key);
        JsonElement[] all = values.ValueKind is JsonValueKind.Array ? [.. values.EnumerateArray()] : [values];
        // What is not text is refused where the condition is compiled.
        var unknown = known.IsEmpty ? null : all.Where(value => value.ValueKind is JsonValueKind.String).Select(value => value.GetString()!).FirstOrDefault(value => !known.Contains(value, StringComparer.Ordinal));
        return unknown is null ? null : $"$.conditions.{relation}.{key}: {Shown(unknown)} is no value that it can have; one of {string.Join(", ", known)} is expected{Nearest.Asked(unknown, known)}";
    }

    private static string Shown(string text) => Printable.Of(text.Length <= LongestShown ? text : $"{text[..LongestShown]}…");
}

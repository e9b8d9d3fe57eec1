using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;

namespace Assay.Cli.Explain;

/// <summary>Why a check does not hold, a pass is weakened or a command ends with an error, and what to do about it.</summary>
/// <param name="Id">Of the check or error, or the name of the weakening.</param>
/// <param name="Cause">Plain text.</param>
/// <param name="Cure">Plain text.</param>
/// <param name="Document">Where it is written, with the anchor.</param>
internal sealed record Explanation(string Id, string Cause, string Cure, string Document);

/// <summary>The pages of docs/troubleshooting, which are compiled into the command: what people read there and here is the same text.</summary>
internal static partial class Explanations
{
    private const string Folder = "troubleshooting/";
    private const string ProblemPrefix = "urn:assay:";
    private const string FrozenPrefix = "frozen:";
    private const string ConditionPrefix = "condition:";
    private const string Rules = "policy.rules.satisfied";

    private static readonly Lazy<ImmutableArray<Explanation>> s_all = new(() => [.. Pages().SelectMany(page => Read(page, Text(page)))]);

    /// <summary>In the order of the pages' names, then as on the page.</summary>
    public static ImmutableArray<Explanation> All => s_all.Value;

    /// <summary>The explanation of a check, weakening or error, or null. The rules of a policy share one.</summary>
    public static Explanation? Find(string id)
    {
        // As a problem of HTTP has it.
        id = id.StartsWith(ProblemPrefix, StringComparison.Ordinal) ? id[ProblemPrefix.Length..] : id;
        // As the broker's log has it, with the freeze or the condition that is meant.
        id = id.StartsWith(FrozenPrefix, StringComparison.Ordinal) ? "frozen" : id.StartsWith(ConditionPrefix, StringComparison.Ordinal) ? "conditions-unmet" : id;
        var known = PolicyRule().IsMatch(id) ? Rules : id;
        return All.FirstOrDefault(explanation => explanation.Id == known);
    }

    private static IEnumerable<string> Pages() =>
        typeof(Explanations).Assembly.GetManifestResourceNames().Where(name => name.StartsWith(Folder, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static string Text(string page)
    {
        using var stream = typeof(Explanations).Assembly.GetManifestResourceStream(page)!;
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static IEnumerable<Explanation> Read(string page, string text)
    {
        foreach (Match entry in Entry().Matches(text))
        {
            var (cause, cure) = (Plain(entry.Groups["cause"].Value), Plain(entry.Groups["cure"].Value));
            foreach (Match id in Id().Matches(entry.Groups["ids"].Value))
            {
                yield return new Explanation(id.Groups[1].Value, cause, cure, $"docs/{page}#{id.Groups[1].Value}");
            }
        }
    }

    // Links become paths, code loses its quotes, and lines are folded anew for the terminal.
    private static string Plain(string markdown) =>
        Link().Replace(markdown.Trim().Replace('\n', ' ').Replace("`", "", StringComparison.Ordinal).Replace("**", "", StringComparison.Ordinal), link => link.Groups[1].Success ? $"docs/{link.Groups[2].Value}" : $"docs/{Folder}{link.Groups[2].Value}");

    [GeneratedRegex(@"^### (?<ids>`[^\n]+)\n\n\*\*Cause\.\*\* (?<cause>.+?)\n\n\*\*Cure\.\*\* (?<cure>.+?)(?=\n\n|\n?\z)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Entry();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Id();

    // A link of these pages leads into their own folder, or into another one below docs.
    [GeneratedRegex(@"\[[^\]]+\]\((\.\./)?([^)]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\Apolicy\.rule\.[0-9]{1,9}\z")]
    private static partial Regex PolicyRule();
}

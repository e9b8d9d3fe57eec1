using System.Collections.Immutable;
using System.Text;
using System.Text.RegularExpressions;

namespace Assay.Cli.Explain;

/// <summary>Why a check does not hold, and what to do about it.</summary>
/// <param name="Id">Of the check.</param>
/// <param name="Cause">Plain text.</param>
/// <param name="Cure">Plain text.</param>
internal sealed record Explanation(string Id, string Cause, string Cure);

/// <summary>docs/troubleshooting.md, which is compiled into the command: what people read there and here cannot drift apart.</summary>
internal static partial class Explanations
{
    private const string Document = "troubleshooting.md";
    private const string Rules = "policy.rules.satisfied";

    private static readonly Lazy<ImmutableArray<Explanation>> s_all = new(() => [.. Read(Text())]);

    /// <summary>In the order of the document.</summary>
    public static ImmutableArray<Explanation> All => s_all.Value;

    /// <summary>The explanation of a check, or null. The rules of a policy share one.</summary>
    public static Explanation? Find(string id)
    {
        var known = PolicyRule().IsMatch(id) ? Rules : id;
        return All.FirstOrDefault(explanation => explanation.Id == known);
    }

    private static string Text()
    {
        using var stream = typeof(Explanations).Assembly.GetManifestResourceStream(Document) ?? throw new InvalidOperationException($"{Document} was not compiled in");
        using var reader = new StreamReader(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }

    private static IEnumerable<Explanation> Read(string document)
    {
        foreach (Match entry in Entry().Matches(document))
        {
            var (cause, cure) = (Plain(entry.Groups["cause"].Value), Plain(entry.Groups["cure"].Value));
            foreach (Match id in Id().Matches(entry.Groups["ids"].Value))
            {
                yield return new Explanation(id.Groups[1].Value, cause, cure);
            }
        }
    }

    // Links keep their words, code loses its quotes, and lines are folded anew for the terminal.
    private static string Plain(string markdown) => Link().Replace(markdown.Trim().Replace('\n', ' ').Replace("`", "", StringComparison.Ordinal).Replace("**", "", StringComparison.Ordinal), "docs/$1");

    [GeneratedRegex(@"^### (?<ids>`[^\n]+)\n\n\*\*Cause\.\*\* (?<cause>.+?)\n\n\*\*Cure\.\*\* (?<cure>.+?)(?=\n\n|\n?\z)", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Entry();

    [GeneratedRegex("`([^`]+)`")]
    private static partial Regex Id();

    [GeneratedRegex(@"\[[^\]]+\]\(([^)]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\Apolicy\.rule\.[0-9]{1,9}\z")]
    private static partial Regex PolicyRule();
}

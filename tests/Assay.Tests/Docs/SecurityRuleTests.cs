using System.Text.RegularExpressions;

namespace Assay.Tests.Docs;

/// <summary>Whoever meets a number of a security rule, in a document or in code, finds on one page what the rule says.</summary>
public sealed partial class SecurityRuleTests
{
    private static readonly string[] s_roots = ["src", "tests", "samples", "bench", "policies", "deploy"];

    [Fact]
    public void The_page_has_every_rule_that_documents_and_code_cite_once_and_with_a_sentence()
    {
        var rows = Row().Matches(DocumentPage.Of("docs/security/rules.md").Text).Select(match => match.Groups[1].Value).ToArray();
        var code = s_roots.SelectMany(root => Directory.EnumerateFiles(Path.Combine(Repository.Root, root), "*", SearchOption.AllDirectories))
            .Where(file => Path.GetExtension(file) is ".cs" or ".rego" or ".service" or ".conf" && !Built().IsMatch(file)).Select(File.ReadAllText);
        var cited = code.Concat(DocumentPage.All.Select(page => page.Text)).SelectMany(text => Citation().Matches(text)).Select(match => match.Value).Distinct().ToArray();

        Assert.Equal(rows.Length, rows.Distinct().Count());
        Assert.InRange(cited.Length, 20, 100);
        Assert.Empty(cited.Except(rows));
    }

    [GeneratedRegex(@"^\| (S-[0-9]+[a-z]?) \| [A-Z`].{40,} \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"\bS-[0-9]+[a-z]?\b")]
    private static partial Regex Citation();

    [GeneratedRegex("/(bin|obj)/")]
    private static partial Regex Built();
}

using System.Text.RegularExpressions;
using Assay.Tests.Cli.Explain;

namespace Assay.Tests.Docs;

/// <summary>Documents are compared with the code that they are about.</summary>
public partial class DocumentationTests
{
    private static string Root => Repository.Root;

    private static readonly string[] s_ids = [.. ExplainTests.OfEvidence];

    [Fact]
    public void Every_check_is_documented_and_no_other()
    {
        var documented = CheckRow().Matches(File.ReadAllText(Path.Combine(Root, "docs", "reference", "checks.md"))).Select(match => match.Groups[1].Value).ToArray();

        Assert.Empty(s_ids.Except(documented));
        Assert.Empty(documented.Except(s_ids));
        Assert.Equal(documented.Length, documented.Distinct().Count());
    }

    [Fact]
    public void Every_check_id_has_the_form_of_one() => Assert.All(s_ids, id => Assert.Matches("^[a-z0-9]+([.-][a-z0-9]+)+$", id));

    [Fact]
    public void Every_check_and_every_test_that_the_threat_model_names_exists()
    {
        var text = File.ReadAllText(Path.Combine(Root, "docs", "security", "threat-model.md"));
        var named = Code().Matches(text).Select(match => match.Groups[1].Value).Distinct().ToArray();
        var tests = named.Where(name => name.EndsWith("Tests", StringComparison.Ordinal) && !name.Contains('/', StringComparison.Ordinal)).ToArray();
        var checks = named.Where(name => CheckId().IsMatch(name)).ToArray();

        Assert.InRange(tests.Length, 40, 100);
        Assert.InRange(checks.Length, 150, 300);
        Assert.Empty(tests.Except(typeof(DocumentationTests).Assembly.GetTypes().Select(type => type.Name)));
        Assert.Empty(checks.Except(ExplainTests.Ids));
        // The other way round: a check that no attacker meets would be there for nobody. RIM checks are alike for all three RIMs, and
        // those of the quoting enclave's identity are those of the TCB information.
        var alike = ExplainTests.Ids.Where(id => id.StartsWith("rim.", StringComparison.Ordinal) || id.StartsWith("tdx.qe-identity.", StringComparison.Ordinal));
        Assert.Empty(s_ids.Except(alike).Except(checks));
    }

    [Fact]
    public void Every_snippet_that_is_no_whole_program_is_compiled_in_these_tests()
    {
        var regions = Region().Matches(File.ReadAllText(Path.Combine(Root, "tests", "Assay.Tests", "Docs", "Snippets.cs")).ReplaceLineEndings("\n"))
            .ToDictionary(match => match.Groups[1].Value, match => Unindented(match.Groups[2].Value));
        Assert.NotEmpty(regions);

        foreach (var page in DocumentPage.All)
        {
            foreach (var block in page.Blocks.Where(block => block.Language == "csharp" && !SampleTests.IsProgram(block)))
            {
                var name = block.Comments.Where(comment => comment.StartsWith("test: ", StringComparison.Ordinal)).Select(comment => comment["test: ".Length..]).SingleOrDefault();
                Assert.True(name is not null, $"{page.Name}:{block.Line}: a csharp snippet that is no whole program, without <!-- test: Name --> on the line before it");
                Assert.True(regions.TryGetValue(name, out var code), $"{page.Name}:{block.Line}: Snippets.cs has no region {name}");
                Assert.Equal(code, block.Text.TrimEnd('\n'));
            }
        }
    }

    private static string Unindented(string code)
    {
        var lines = code.Trim('\n').TrimEnd().Split('\n');
        var indent = lines.Where(line => line.Trim().Length > 0).Min(line => line.Length - line.TrimStart().Length);
        return string.Join('\n', lines.Select(line => line.Length >= indent ? line[indent..] : line.TrimStart()));
    }

    [GeneratedRegex(@"^\| `([^`]+)` \|", RegexOptions.Multiline)]
    private static partial Regex CheckRow();

    [GeneratedRegex("`([^`\n]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"\A(set|topology|time|revocation|report|device|switch|rim|measurements|policy|token|tdx|snp|tpm|cpu|boot|binding|composite|platform|reference|bundle)\.[a-z0-9.-]+\z")]
    private static partial Regex CheckId();

    [GeneratedRegex(@"^ *#region (\w+)\n(.*?)^ *#endregion", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Region();
}

using System.Text.RegularExpressions;
using Assay.Cli.Explain;

namespace Assay.Tests.Regressions;

/// <summary>287: explanations named documents by paths that were relative to their own page.</summary>
public sealed partial class Bug0287_ExplanationsWithDeadLinksTests
{
    [Fact]
    public void Every_document_that_an_explanation_names_exists_from_the_root_of_the_checkout()
    {
        var named = Explanations.All.SelectMany(explanation => Document().Matches($"{explanation.Cause} {explanation.Cure} {explanation.Document}").Select(match => match.Value)).Distinct().ToArray();

        Assert.InRange(named.Length, 15, 100);
        Assert.All(named, path => Assert.True(File.Exists(Path.Combine(Repository.Root, path)), path));
        Assert.DoesNotContain(Explanations.All, explanation => $"{explanation.Cause} {explanation.Cure}".Contains("../", StringComparison.Ordinal));
    }

    [Fact]
    public void The_page_of_an_explanation_has_its_anchor()
    {
        Assert.All(Explanations.All, explanation => Assert.Contains($"<a id=\"{explanation.Id}\"></a>", File.ReadAllText(Path.Combine(Repository.Root, explanation.Document.Split('#')[0])), StringComparison.Ordinal));
    }

    [GeneratedRegex(@"docs/[a-z0-9/-]+\.md")]
    private static partial Regex Document();
}

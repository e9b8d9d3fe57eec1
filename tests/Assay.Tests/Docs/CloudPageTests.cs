using System.Text.RegularExpressions;
using Assay.Tokens.Clouds;

namespace Assay.Tests.Docs;

/// <summary>Claims and limits of clouds, as docs/reference/clouds.md lists them for writers of conditions.</summary>
public sealed partial class CloudPageTests
{
    private static readonly string s_page = DocumentPage.Of("docs/reference/clouds.md").Text;

    [Fact]
    public void The_page_lists_every_limit_as_the_code_has_it() =>
        Assert.Equal(
            CloudLimits.All.Select(limit => $"{limit.Cloud.Name()} | {limit.Field} | {limit.Allowed} | {limit.Source}"),
            Limit().Matches(s_page).Select(row => string.Join(" | ", row.Groups.Values.Skip(1).Select(cell => cell.Value))));

    [Fact]
    public void The_page_lists_every_claim_as_the_code_has_it() =>
        Assert.Equal(
            CloudClaim.All.Select(claim => $"{claim.Name} | {(claim.Placeholder is { } name ? $"`{{{name}}}`" : "–")} | {claim.Meaning}"),
            Claim().Matches(s_page).Select(row => string.Join(" | ", row.Groups.Values.Skip(1).Select(cell => cell.Value))));

    [Fact]
    public void No_limit_is_stated_twice() => Assert.Equal(CloudLimits.All.Length, CloudLimits.All.Select(limit => (limit.Cloud, limit.Field)).Distinct().Count());

    [GeneratedRegex(@"^\| (AWS|Google Cloud|Entra|Vault) \| ([a-z ]+) \| `([^`]+)` \| ([^|]+) \|$", RegexOptions.Multiline)]
    private static partial Regex Limit();

    [GeneratedRegex(@"^\| `([a-z_]+)` \| (`\{[a-z_]+\}`|–) \| ([^|]+) \|$", RegexOptions.Multiline)]
    private static partial Regex Claim();
}

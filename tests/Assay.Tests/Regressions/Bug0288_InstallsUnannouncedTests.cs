using System.Text.RegularExpressions;
using Assay.Tests.Docs;

namespace Assay.Tests.Regressions;

/// <summary>288: eng/test, which the README named as one of two commands to try, installs packages as root, and the README did not say so.</summary>
public sealed partial class Bug0288_InstallsUnannouncedTests
{
    [Fact]
    public void The_README_names_every_package_that_the_tests_install()
    {
        var script = File.ReadAllText(Path.Combine(Repository.Root, "eng", "test")).ReplaceLineEndings("\n");
        var peers = script[(script.IndexOf("<<'PEERS'\n", StringComparison.Ordinal) + "<<'PEERS'\n".Length)..script.IndexOf("\nPEERS\n", StringComparison.Ordinal)].Split('\n').Select(line => line.Split(' ')[1]);
        // What --all alone needs is left out.
        var others = script.Split('\n').Where(line => !line.StartsWith("if $all", StringComparison.Ordinal)).SelectMany(line => Package().Matches(line)).Select(match => match.Groups[1].Value);
        var develop = DocumentPage.Of("README.md").Text.Split("## Develop")[1];
        string[] packages = [.. peers, .. others];

        Assert.InRange(packages.Length, 8, 40);
        Assert.All(packages, package => Assert.Contains(package, develop, StringComparison.Ordinal));
    }

    [GeneratedRegex(@"missing\+=\(([a-z0-9-]+)\)")]
    private static partial Regex Package();
}

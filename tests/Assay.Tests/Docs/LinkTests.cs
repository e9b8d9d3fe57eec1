using System.Text.RegularExpressions;

namespace Assay.Tests.Docs;

/// <summary>A link of a document leads to a file that exists, and to a heading or anchor in it. So does a path that code or a message names.</summary>
public sealed partial class LinkTests
{
    private static readonly string[] s_roots = ["src", "tests", "bench", "samples", "eng", "deploy", "policies", ".ci"];

    [Fact]
    public void Every_link_of_a_document_leads_somewhere()
    {
        var pages = DocumentPage.All;
        var links = pages.SelectMany(page => Link().Matches(page.Prose).Concat(Attribute().Matches(page.Prose)).Select(match => (Page: page, Target: match.Groups[1].Value)))
            .Where(link => !link.Target.Contains("://", StringComparison.Ordinal) && !link.Target.StartsWith("mailto:", StringComparison.Ordinal)).ToArray();

        Assert.InRange(links.Length, 150, 5000);
        Assert.Empty(links.Where(link => !Leads(link.Page, link.Target)).Select(link => $"{link.Page.Name}: {link.Target}"));
    }

    [Fact]
    public void Every_document_is_reached_from_the_README()
    {
        var pages = DocumentPage.All.ToDictionary(page => page.Name, StringComparer.Ordinal);
        var (reached, open) = (new HashSet<string>(StringComparer.Ordinal), new Queue<string>(["README.md"]));
        while (open.TryDequeue(out var name))
        {
            if (pages.TryGetValue(name, out var page) && reached.Add(name))
            {
                Link().Matches(page.Prose).Select(match => FileOf(page, match.Groups[1].Value)).OfType<string>().ToList().ForEach(open.Enqueue);
            }
        }

        Assert.Empty(pages.Keys.Where(name => !name.StartsWith("src/", StringComparison.Ordinal)).Except(reached));
    }

    [Fact]
    public void Every_document_that_code_or_a_message_names_exists()
    {
        var files = s_roots.SelectMany(root => Directory.EnumerateFiles(Path.Combine(Repository.Root, root), "*", SearchOption.AllDirectories))
            .Append(Path.Combine(Repository.Root, "assay")).Where(file => !Built().IsMatch(file) && Path.GetExtension(file) is ".cs" or ".csproj" or ".conf" or ".service" or ".rego" or ".yml" or ".md" or ".json" or "");
        var named = files.SelectMany(file => Named().Matches(File.ReadAllText(file)).Select(match => (File: file, Target: match.Value))).ToArray();

        Assert.InRange(named.Length, 40, 1000);
        Assert.Empty(named.Where(item => !Leads(DocumentPage.Of("README.md"), item.Target)).Select(item => $"{item.File}: {item.Target}"));
    }

    private static bool Leads(DocumentPage page, string target)
    {
        var (file, anchor) = target.Split('#') is [var path, var place] ? (FileOf(page, path), place) : (FileOf(page, target), "");
        return file is not null && Path.Exists(Path.Combine(Repository.Root, file)) && (anchor.Length == 0 || AnchorsOf(DocumentPage.Of(file)).Contains(anchor));
    }

    private static string? FileOf(DocumentPage page, string target)
    {
        var path = target.Split('#')[0];
        return target.Contains("://", StringComparison.Ordinal) ? null
            : path.Length == 0 ? page.Name
            : Path.GetRelativePath(Repository.Root, Path.GetFullPath(Path.Combine(Repository.Root, page.Folder, path)));
    }

    // Headings as GitHub names them: lower case, spaces to hyphens, and only letters, digits, hyphens and underscores.
    private static HashSet<string> AnchorsOf(DocumentPage page) =>
    [
        .. Heading().Matches(page.Prose).Select(match => string.Concat(match.Groups[1].Value.ToLowerInvariant().Replace(' ', '-').Where(letter => char.IsLetterOrDigit(letter) || letter is '-' or '_'))),
        .. Anchor().Matches(page.Prose).Select(match => match.Groups[1].Value),
    ];

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex("(?:src|srcset|href)=\"([^\"]+)\"")]
    private static partial Regex Attribute();

    [GeneratedRegex(@"(?<![\w/.])docs/[A-Za-z0-9_/-]+\.(?:md|json)(?:#[a-z0-9.-]+)?")]
    private static partial Regex Named();

    [GeneratedRegex("^#{1,6} (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex("<a id=\"([^\"]+)\"></a>")]
    private static partial Regex Anchor();

    [GeneratedRegex("/(bin|obj)/")]
    private static partial Regex Built();
}

using System.Text.RegularExpressions;

namespace Assay.Tests.Docs;

/// <summary>A fenced block of a document, with the HTML comments on the lines before it, which tell tests what to do with it.</summary>
/// <param name="Line">Of its fence, counted from one.</param>
/// <param name="Language">What stands behind the fence.</param>
/// <param name="Text">What is inside, with a line feed at the end.</param>
/// <param name="Comments">The comments, without their brackets.</param>
internal sealed record DocumentBlock(int Line, string Language, string Text, IReadOnlyList<string> Comments)
{
    public bool IsCommands => Language is "bash" or "console";

    /// <summary>Why nobody runs it here; null where a test does.</summary>
    public string? NotRun => After("not run:");

    /// <summary>It judges recorded hardware evidence under the roots that are built in, and not simulated evidence.</summary>
    public bool IsOfRecordedEvidence => Comments.Contains("recorded");

    public int ExitCode => After("exit code") is { } code ? int.Parse(code, System.Globalization.CultureInfo.InvariantCulture) : 0;

    /// <summary>It is what the commands of the block before it print.</summary>
    public bool IsPrinted => Comments.Contains("prints");

    private string? After(string beginning) => Comments.Where(comment => comment.StartsWith(beginning, StringComparison.Ordinal)).Select(comment => comment[beginning.Length..].Trim()).FirstOrDefault();
}

/// <summary>A document of the repository.</summary>
internal sealed partial record DocumentPage(string Name, string Text)
{
    /// <summary>README.md and the other documents at the root, everything below docs, and those beside code.</summary>
    public static IReadOnlyList<DocumentPage> All { get; } = [.. Files().Select(Read)];

    public string Folder => Path.GetDirectoryName(Name) ?? "";

    public IReadOnlyList<DocumentBlock> Blocks => [.. Fence().Matches(Text).Select(Block)];

    public static DocumentPage Of(string name) => All.Single(page => page.Name == name);

    /// <summary>The text without fenced blocks, in which a bracket is no link and a hash no heading.</summary>
    public string Prose => Fence().Replace(Text, "");

    private static DocumentPage Read(string file) => new(Path.GetRelativePath(Repository.Root, file), File.ReadAllText(file).ReplaceLineEndings("\n"));

    private static IEnumerable<string> Files() =>
        Directory.EnumerateFiles(Repository.Root, "*.md")
            .Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs"), "*.md", SearchOption.AllDirectories))
            .Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.md", SearchOption.AllDirectories).Where(file => !Built().IsMatch(file)))
            .Order(StringComparer.Ordinal);

    private DocumentBlock Block(Match match) => new(
        Text[..match.Groups["fence"].Index].Count(letter => letter == '\n') + 1,
        match.Groups["language"].Value,
        match.Groups["text"].Value,
        [.. Comment().Matches(match.Groups["comments"].Value).Select(comment => comment.Groups[1].Value)]);

    [GeneratedRegex(@"^(?<comments>(?:<!-- [^\n]+ -->\n)*)(?<fence>```)(?<language>[^\n]*)\n(?<text>.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex("<!-- (.+?) -->")]
    private static partial Regex Comment();

    [GeneratedRegex("/(bin|obj)/")]
    private static partial Regex Built();
}

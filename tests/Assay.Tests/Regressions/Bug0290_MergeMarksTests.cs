namespace Assay.Tests.Regressions;

/// <summary>The README showed both sides of an unfinished merge, and no test saw it: the lines were prose.</summary>
public sealed class Bug0290_MergeMarksTests
{
    private static readonly string[] s_extensions = [".md", ".cs", ".csproj", ".props", ".targets", ".json", ".yaml", ".yml", ".rego", ".txt", ".sh", ".service", ".conf", ".svg", ""];

    [Fact]
    public void No_file_has_the_marks_of_an_unfinished_merge()
    {
        var files = Files(Repository.Root).ToArray();

        Assert.InRange(files.Length, 500, 100_000);
        Assert.DoesNotContain(files, file => File.ReadLines(file).Any(line => line.StartsWith("<<<<<<< ", StringComparison.Ordinal) || line.StartsWith(">>>>>>> ", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Files(string folder) =>
        Directory.EnumerateFiles(folder).Where(file => s_extensions.Contains(Path.GetExtension(file)))
            .Concat(Directory.EnumerateDirectories(folder).Where(inner => Path.GetFileName(inner) is not ("bin" or "obj" or "artifacts" or ".git" or "recorded")).SelectMany(Files));
}

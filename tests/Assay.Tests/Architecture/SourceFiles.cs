using System.Text.RegularExpressions;

namespace Assay.Tests.Architecture;

/// <summary>What the source says where the compiled code does not: in which folder a type is.</summary>
internal static partial class SourceFiles
{
    /// <summary>The files of a project whose namespace is not that of their folder.</summary>
    /// <param name="root">The project's folder.</param>
    /// <param name="name">The namespace of the project.</param>
    public static IEnumerable<string> InOtherNamespaces(string root, string name) =>
        from file in Of(root)
        let folder = Path.GetRelativePath(root, Path.GetDirectoryName(file)!)
        let expected = folder is "." ? name : $"{name}.{folder.Replace(Path.DirectorySeparatorChar, '.')}"
        let found = Namespace().Match(File.ReadAllText(file)) is { Success: true } match ? match.Groups[1].Value : null
        where found is not null && found != expected
        select $"{Path.GetRelativePath(Repository.Root, file)}: {found}, expected {expected}";

    /// <summary>The source files of a project, without those that are generated.</summary>
    public static IEnumerable<string> Of(string root) =>
        Directory.EnumerateFiles(root, "*.cs", SearchOption.AllDirectories)
            .Where(file => !Path.GetRelativePath(root, file).Split(Path.DirectorySeparatorChar).Any(part => part is "bin" or "obj"));

    [GeneratedRegex(@"^namespace ([A-Za-z.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();
}

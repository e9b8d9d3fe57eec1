using System.Collections.Immutable;
using Assay.Evidence.Files;
using Assay.Policies;

namespace Assay.Cli.Policies;

/// <summary>Files with Rego in them, read and parsed. The faults of all files are found before one is reported.</summary>
internal sealed class PolicySources
{
    // A folder of policies has dozens.
    public const int MostFiles = 1000;

    private PolicySources(PolicySet set, IReadOnlyList<(string Id, string Message)> unread) => (Set, Unread) = (set, unread);

    /// <summary>The files that could be read.</summary>
    public PolicySet Set { get; }

    /// <summary>Files that could not be read at all.</summary>
    public IReadOnlyList<(string Id, string Message)> Unread { get; }

    public bool AllRead => Unread.Count == 0 && Set.Errors.Count == 0;

    public static PolicySources Read(IEnumerable<string> paths, PolicyDialect dialect)
    {
        var files = paths.Distinct(StringComparer.Ordinal).ToImmutableArray();
        if (files.Length > MostFiles)
        {
            return new PolicySources(PolicySet.Parse([], dialect), [("cli.policy", $"{files.Length} policy files are given, at most {MostFiles} are read")]);
        }

        var (sources, unread) = (new List<PolicySource>(), new List<(string Id, string Message)>());
        foreach (var file in files)
        {
            if (!InputFile.TryRead(file, RegoPolicy.MostBytes, out var bytes, out var whyNot))
            {
                unread.Add(("cli.file", whyNot));
            }
            else if (FileContent.Of(bytes) is { Kind: not (ContentKind.RegoPolicy or ContentKind.Text) })
            {
                unread.Add(("policy.malformed", WrongFile.Message(file, "assay policy", "policies in Rego", bytes, "")));
            }
            else if (PolicySource.TryDecode(file == "-" ? InputFile.NameOf(file) : file, bytes, out var source))
            {
                sources.Add(source);
            }
            else
            {
                unread.Add(("policy.malformed", $"{file}: not UTF-8"));
            }
        }

        return new PolicySources(PolicySet.Parse(sources, dialect), unread);
    }

    /// <summary>The policies in a folder and those in it.</summary>
    public static PolicySources ReadFolder(string folder, PolicyDialect dialect)
    {
        if (!Directory.Exists(folder))
        {
            return Unreadable(File.Exists(folder) ? $"{folder} is a file, a folder is expected" : $"the folder {folder} does not exist");
        }

        try
        {
            // Links are not followed: a folder may hold one to itself.
            var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint | FileAttributes.Hidden, IgnoreInaccessible = false };
            string[] files = [.. Directory.EnumerateFiles(folder, "*.rego", options).Take(MostFiles + 1).Order(StringComparer.Ordinal)];
            return Read(files, dialect);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return Unreadable($"{folder}: {exception.Message}");
        }

        PolicySources Unreadable(string why) => new(PolicySet.Parse([], dialect), [("cli.folder", why)]);
    }
}

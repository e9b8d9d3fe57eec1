using System.Reflection;
using System.Text.RegularExpressions;
using Assay.Rego;

namespace Assay.Tests.Architecture;

/// <summary>The rooms of Assay.Rego, held against the compiled assembly and the source tree.</summary>
public partial class RegoWallTests
{
    private const string Root = "Assay.Rego";

    /// <summary>The rooms in order: a type may use those of rooms before it, and its own. The root folder is the public facade, behind them all.</summary>
    private static readonly string[] s_rooms = ["Diagnostics", "Metering", "Values", "Syntax", "Builtins", "Evaluation", "Compilation", Facade];

    private const string Facade = "";

    private static Assembly Engine => typeof(CompiledPolicy).Assembly;

    private static string Folder => Path.Combine(Repository.Root, "src", "core", Root);

    [Fact]
    public void A_room_uses_only_rooms_before_it()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        var crossings = new HashSet<(int From, int To)>();
        foreach (var (user, used) in CompiledCode.UsesOf(Engine))
        {
            foreach (var type in CompiledCode.TypesIn(used).Where(type => type.Assembly == Engine).Select(CompiledCode.Outermost).Where(type => !type.Name.StartsWith('<')))
            {
                crossings.Add((Room(user), Room(type)));
                if (Room(type) > Room(user))
                {
                    wrong.Add($"{user.FullName} uses {type.FullName}");
                }
            }
        }

        Assert.Empty(wrong);
        // The walk saw bodies and not only signatures: every room is used by some later one, and the facade by none.
        Assert.Equal(Enumerable.Range(0, s_rooms.Length - 1), crossings.Where(crossing => crossing.From > crossing.To).Select(crossing => crossing.To).Distinct().Order());
    }

    [Fact]
    public void Every_type_is_in_a_room()
    {
        var homeless = Engine.GetTypes().Select(CompiledCode.Outermost)
            .Where(type => !type.Name.StartsWith('<') && type.Namespace is { } home && home.StartsWith("Assay", StringComparison.Ordinal) && Room(type) < 0);

        Assert.Empty(homeless.Distinct());
    }

    [Fact]
    public void The_folder_of_a_file_is_its_namespace()
    {
        var sources = Directory.EnumerateFiles(Folder, "*.cs", SearchOption.AllDirectories).Where(IsSource).ToArray();
        var wrong = sources.Where(file => Namespace().Match(File.ReadAllText(file)).Groups[1].Value != Expected(file));

        Assert.NotEmpty(sources);
        Assert.Empty(wrong);
        Assert.Empty(sources.Select(file => Path.GetRelativePath(Folder, file).Split(Path.DirectorySeparatorChar)).Select(parts => parts is [_] ? Facade : parts[0]).Except(s_rooms));
    }

    [Fact]
    public void The_rooms_in_the_documentation_are_those_of_the_code()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "rego.md"));
        var documented = RoomRow().Matches(text).Select(match => match.Groups[1].Value is Root ? Facade : match.Groups[1].Value);

        Assert.Equal(s_rooms, documented);
    }

    private static bool IsSource(string file) => Path.GetRelativePath(Folder, file).Split(Path.DirectorySeparatorChar)[0] is not ("bin" or "obj");

    private static string Expected(string file) =>
        string.Join('.', Path.GetRelativePath(Folder, file).Split(Path.DirectorySeparatorChar)[..^1].Prepend(Root));

    private static int Room(Type type) => (type.Namespace ?? "").Split('.') switch
    {
        ["Assay", "Rego"] => Array.IndexOf(s_rooms, Facade),
        ["Assay", "Rego", var room, ..] => Array.IndexOf(s_rooms, room),
        _ => -1,
    };

    [GeneratedRegex(@"^namespace ([\w.]+);", RegexOptions.Multiline)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^\| `(Assay\.Rego|[A-Z][a-z]+)` \| [^|]+ \|$", RegexOptions.Multiline)]
    private static partial Regex RoomRow();
}

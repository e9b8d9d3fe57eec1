using System.Reflection;
using System.Text.RegularExpressions;
using Assay.Collateral;

namespace Assay.Tests.Architecture;

/// <summary>The rooms of Assay.Collateral, held against the compiled assembly, the source tree and the documentation.</summary>
public partial class CollateralWallTests
{
    private const string Root = "Assay.Collateral";

    /// <summary>
    /// The rooms in order: a type may use those of rooms before it, and its own. The root folder is the contract of sources and the road that
    /// needs nothing but it: it comes first, and knows no source by name.
    /// </summary>
    private static readonly string[] s_rooms = [Contract, "Diagnostics", "Files", "Http", "Upstreams", "Items", "Staging", "Bundles", "Cache", "Gathering", FacadeFolder];

    private const string Contract = "";

    /// <summary>The one folder whose namespace is not its own: what it holds is all that a short program names.</summary>
    private const string FacadeFolder = "Facade";

    private static Assembly Library => typeof(MachineAppraiser).Assembly;

    private static string Folder => Path.Combine(Repository.Root, "src", "access", Root);

    [Fact]
    public void A_room_uses_only_rooms_before_it()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        var crossings = new HashSet<(int From, int To)>();
        foreach (var (user, use) in CompiledCode.UsesOf(Library))
        {
            foreach (var type in CompiledCode.TypesIn(use).Where(type => type.Assembly == Library).Select(CompiledCode.Outermost).Where(type => !type.Name.StartsWith('<')))
            {
                crossings.Add((Room(user), Room(type)));
                if (Room(type) > Room(user))
                {
                    wrong.Add($"{user.FullName} uses {type.FullName}");
                }
            }
        }

        Assert.Empty(wrong);
        // The walk saw bodies and not only signatures: every room is used by a later one, but for the two last.
        var used = crossings.Where(crossing => crossing.From > crossing.To).Select(crossing => s_rooms[crossing.To]).Distinct();
        Assert.Equal(s_rooms.Except(["Gathering", FacadeFolder]).Order(), used.Order());
    }

    [Fact]
    public void Every_type_is_in_a_room()
    {
        var homeless = Library.GetTypes().Select(CompiledCode.Outermost)
            .Where(type => !type.Name.StartsWith('<') && type.Namespace is { } home && home.StartsWith("Assay", StringComparison.Ordinal) && Room(type) < 0);

        Assert.Empty(homeless.Distinct());
    }

    [Fact]
    public void The_folder_of_a_file_is_its_namespace()
    {
        var folders = Directory.EnumerateDirectories(Folder).Select(folder => Path.GetFileName(folder)!).Where(folder => folder is not ("bin" or "obj"));

        Assert.Empty(folders.Except(s_rooms));
        Assert.NotEmpty(SourceFiles.Of(Folder));
        Assert.DoesNotContain(SourceFiles.InOtherNamespaces(Folder, Root), line => !line.Contains($"/{FacadeFolder}/", StringComparison.Ordinal));
        Assert.All(Library.GetTypes().Where(type => type.Namespace is "Assay" && !type.IsNested && !type.Name.StartsWith('<')), type => Assert.StartsWith("MachineVerifier", type.Name, StringComparison.Ordinal));
    }

    [Fact]
    public void The_rooms_in_the_documentation_are_those_of_the_code()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "architecture.md"));
        var start = text.IndexOf("## Rooms of Assay.Collateral", StringComparison.Ordinal);
        var end = text.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        var documented = RoomRow().Matches(text[start..end]).Select(match => match.Groups[1].Value is Root ? Contract : match.Groups[1].Value);

        Assert.Equal(s_rooms, documented);
    }

    /// <summary>Packages are not friends of one another: what another one needs is public, and stays so.</summary>
    [Fact]
    public void Only_tests_see_what_is_internal()
    {
        var friends = Library.GetCustomAttributes<System.Runtime.CompilerServices.InternalsVisibleToAttribute>().Select(friend => friend.AssemblyName);

        Assert.Equal(["Assay.Tests"], friends);
    }

    private static int Room(Type type) => (type.Namespace ?? "").Split('.') switch
    {
        ["Assay"] => Array.IndexOf(s_rooms, FacadeFolder),
        ["Assay", "Collateral"] => Array.IndexOf(s_rooms, Contract),
        ["Assay", "Collateral", var room, ..] => Array.IndexOf(s_rooms, room),
        _ => -1,
    };

    [GeneratedRegex(@"^\| `(Assay\.Collateral|[A-Z][a-z]+)` \| [^|]+ \|$", RegexOptions.Multiline)]
    private static partial Regex RoomRow();
}

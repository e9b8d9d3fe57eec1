using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Assay.Tests.Packages;

/// <summary>What is in the packages, read from their files.</summary>
public sealed partial class PackageTests
{
    private static readonly Guid s_embeddedSource = new("0e8a571b-6926-466e-b4ad-8ab04611f5fe");

    public static TheoryData<string> Libraries => [.. PackedLibraries.Needs.Keys];

    [Fact]
    public void There_is_one_package_for_each_library_and_none_for_anything_else()
    {
        var files = Directory.EnumerateFiles(PackedLibraries.Folder).Select(Path.GetFileName).Where(name => name != ".sources").Order(StringComparer.Ordinal);

        Assert.Equal(PackedLibraries.Needs.Keys.Select(library => $"{library}.{PackedLibraries.Version}.nupkg"), files);
        Assert.Matches(SemanticVersion(), PackedLibraries.Version);
    }

    [Fact]
    public void Only_these_libraries_are_packable_and_the_list_that_is_packed_has_all_of_them()
    {
        // Every other project has the default of Directory.Build.props.
        var projects = Directory.EnumerateFiles(Repository.Root, "*.csproj", SearchOption.AllDirectories).Where(file => !Built().IsMatch(Path.GetRelativePath(Repository.Root, file)));
        var packable = projects.Where(file => File.ReadAllText(file) is var text && (text.Contains("Package.props", StringComparison.Ordinal) || text.Contains("IsPackable", StringComparison.Ordinal)))
            .Select(file => Path.GetRelativePath(Repository.Root, file)).Order(StringComparer.Ordinal).ToArray();
        using var filter = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Repository.Root, "eng", "packages.slnf")));

        Assert.Equal(PackedLibraries.Needs.Keys, packable.Select(Path.GetFileNameWithoutExtension).Order(StringComparer.Ordinal));
        Assert.Equal(packable, filter.RootElement.GetProperty("solution").GetProperty("projects").EnumerateArray().Select(project => project.GetString()).Order(StringComparer.Ordinal));
        Assert.Equal("false", XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props")).Descendants("IsPackable").Single().Value);
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_package_says_what_it_is_and_what_it_needs(string library)
    {
        var files = PackedLibraries.Read(library);
        using var text = new MemoryStream(files[library + ".nuspec"]);
        var about = XDocument.Load(text).Root!.Elements().Single();
        string? Value(string name) => about.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value;
        XElement[] All(string name) => [.. about.Descendants().Where(element => element.Name.LocalName == name)];

        Assert.Equal((library, PackedLibraries.Version, "Apache-2.0", "README.md"), (Value("id"), Value("version"), Value("license"), Value("readme")));
        Assert.Equal("expression", (string?)All("license").Single().Attribute("type"));
        Assert.InRange(Value("description")!.Length, 30, 300);
        var commit = Peer.Require("git").Run("-C", Repository.Root, "rev-parse", "HEAD");
        Assert.Equal(commit.Accepted ? commit.Output.Trim() : null, (string?)All("repository").SingleOrDefault()?.Attribute("commit"));
        // One group of packages, and where the package needs ASP.NET Core another of frameworks.
        Assert.Equal(["net10.0"], All("group").Select(group => (string?)group.Attribute("targetFramework")).Distinct());
        Assert.Equal(PackedLibraries.Needs[library], All("dependency").Select(needed => (string)needed.Attribute("id")!).Order(StringComparer.Ordinal));
        Assert.All(All("dependency").Where(needed => ((string)needed.Attribute("id")!).StartsWith("Assay.", StringComparison.Ordinal)), needed => Assert.Equal(PackedLibraries.Version, (string?)needed.Attribute("version")));

        // Nothing else is brought along: no build step, no analyzer, no file for the project of the reader.
        Assert.Equal(
            [$"lib/net10.0/{library}.dll", $"lib/net10.0/{library}.xml", "LICENSE", "README.md"],
            files.Keys.Where(name => name != library + ".nuspec" && !name.StartsWith("_rels/", StringComparison.Ordinal) && !name.StartsWith("package/", StringComparison.Ordinal) && name != "[Content_Types].xml").Order(StringComparer.OrdinalIgnoreCase));
        Assert.Equal(File.ReadAllBytes(Path.Combine(Path.GetDirectoryName(PackedLibraries.ProjectOf(library))!, "README.md")), files["README.md"]);
        Assert.Equal(File.ReadAllBytes(Path.Combine(Repository.Root, "LICENSE")), files["LICENSE"]);
    }

    [Fact]
    public void The_page_and_the_READMEs_say_what_a_package_brings_along_and_which_program_shows_it()
    {
        var rows = Row().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "packages.md")));
        Assert.Equal(PackedLibraries.Needs.Keys, rows.Select(row => row.Groups[1].Value).Order(StringComparer.Ordinal));
        foreach (Match row in rows)
        {
            var readme = Encoding.UTF8.GetString(PackedLibraries.Read(row.Groups[1].Value)["README.md"]);
            string[] brought = [.. PackedLibraries.Needs[row.Groups[1].Value].Where(needed => needed.StartsWith("Assay.", StringComparison.Ordinal))];

            Assert.Equal(brought, Name().Matches(row.Groups[2].Value).Select(match => match.Groups[1].Value));
            Assert.Equal(brought, Name().Matches(Brought().Match(readme).Value).Select(match => match.Groups[1].Value).Order(StringComparer.Ordinal));
            Assert.Contains($"`{row.Groups[3].Value}`", readme, StringComparison.Ordinal);
            Assert.Contains($"\ndotnet add package {row.Groups[1].Value}\n", readme, StringComparison.Ordinal);
        }
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void An_assembly_in_a_package_has_no_friends(string library)
    {
        // Of the builds that tests see they are friends, so that this question finds some.
        Assert.NotEmpty(FriendsOf(File.ReadAllBytes(Path.Combine(AppContext.BaseDirectory, library + ".dll"))));
        Assert.Empty(FriendsOf(PackedLibraries.Read(library)[$"lib/net10.0/{library}.dll"]));
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Symbols_with_all_sources_are_in_the_assembly_and_the_compiler_was_deterministic(string library)
    {
        using var assembly = new PEReader(new MemoryStream(PackedLibraries.Read(library)[$"lib/net10.0/{library}.dll"]));
        var entries = assembly.ReadDebugDirectory();
        Assert.Contains(entries, entry => entry.Type is DebugDirectoryEntryType.Reproducible);
        using var provider = assembly.ReadEmbeddedPortablePdbDebugDirectoryData(entries.Single(entry => entry.Type is DebugDirectoryEntryType.EmbeddedPortablePdb));
        var symbols = provider.GetMetadataReader();
        var documents = symbols.Documents.Select(symbols.GetDocument).Select(document => symbols.GetString(document.Name)).ToArray();

        Assert.NotEmpty(documents);
        Assert.All(documents, name => Assert.StartsWith("/_/", name, StringComparison.Ordinal));
        Assert.All(symbols.Documents, document => Assert.Contains(symbols.GetCustomDebugInformation(document), handle => symbols.GetGuid(symbols.GetCustomDebugInformation(handle).Kind) == s_embeddedSource));
    }

    [Theory]
    [MemberData(nameof(Libraries))]
    public void Nothing_in_a_package_names_the_machine_that_built_it(string library)
    {
        string[] places = [Repository.Root, Path.GetFullPath(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile)), Path.TrimEndingDirectorySeparator(Path.GetTempPath())];
        var files = PackedLibraries.Read(library);
        files["symbols"] = PackedLibraries.SymbolsIn(files[$"lib/net10.0/{library}.dll"]);
        foreach (var (name, bytes) in files)
        {
            foreach (var place in places.Where(place => place.Length > 1))
            {
                var sought = place + "/";
                Assert.False(bytes.AsSpan().IndexOf(Encoding.UTF8.GetBytes(sought)) >= 0 || bytes.AsSpan().IndexOf(Encoding.Unicode.GetBytes(sought)) >= 0, $"{library}: {name} names {sought}");
            }
        }
    }

    private static string[] FriendsOf(byte[] file)
    {
        using var assembly = new PEReader(new MemoryStream(file));
        var metadata = assembly.GetMetadataReader();
        return [.. metadata.GetAssemblyDefinition().GetCustomAttributes().Select(metadata.GetCustomAttribute)
            .Where(attribute => attribute.Constructor is { Kind: HandleKind.MemberReference } constructor
                && metadata.GetMemberReference((MemberReferenceHandle)constructor).Parent is { Kind: HandleKind.TypeReference } type
                && metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)type).Name) == "InternalsVisibleToAttribute")
            .Select(attribute => Encoding.UTF8.GetString(metadata.GetBlobBytes(attribute.Value)))];
    }

    // https://semver.org, without build metadata: NuGet drops it.
    [GeneratedRegex(@"\A(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?\z")]
    private static partial Regex SemanticVersion();

    [GeneratedRegex(@"^\| `(Assay(?:\.[A-Za-z]+)+)` \| [^|]+ \| [^|]+ \|([^|]*)\| `(samples/[a-z-]+)` \|$", RegexOptions.Multiline)]
    private static partial Regex Row();

    [GeneratedRegex(@"`(Assay(?:\.[A-Za-z]+)+)`")]
    private static partial Regex Name();

    [GeneratedRegex("It brings .+? along")]
    private static partial Regex Brought();

    [GeneratedRegex("(^|/)(bin|obj|artifacts)/")]
    private static partial Regex Built();
}

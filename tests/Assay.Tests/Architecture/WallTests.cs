using System.Reflection;
using System.Text.RegularExpressions;

namespace Assay.Tests.Architecture;

/// <summary>The walls of design/architecture.md, held against the compiled assemblies: what is written in no project file counts too.</summary>
public partial class WallTests
{
    private static readonly string[] s_core = ["Assay.Rego", "Assay.Verifier", "Assay.Policies", "Assay.Sealing", "Assay.LaunchMeasurement"];
    private static readonly string[] s_access = ["Assay.Collateral", "Assay.Client", "Assay.Client.AspNetCore"];

    /// <summary>The group that each project is in, and what it may reference of ours. A project that exists and is not here fails.</summary>
    private static readonly Dictionary<string, (string Group, string[] Uses)> s_direction = new(StringComparer.Ordinal)
    {
        ["Assay.Rego"] = ("core", []),
        ["Assay.Verifier"] = ("core", []),
        ["Assay.Sealing"] = ("core", []),
        ["Assay.LaunchMeasurement"] = ("core", []),
        ["Assay.Policies"] = ("core", ["Assay.Verifier", "Assay.Rego"]),
        ["Assay.Collateral"] = ("access", ["Assay.Verifier"]),
        ["Assay.Client"] = ("access", ["Assay.Verifier", "Assay.Collateral", "Assay.Sealing"]),
        ["Assay.Client.AspNetCore"] = ("access", ["Assay.Verifier", "Assay.Client"]),
        ["Assay.Service"] = ("services", [.. s_core, .. s_access]),
        ["Assay.Collateral.Proxy"] = ("services", [.. s_core, .. s_access]),
        ["Assay.Attestation"] = ("services", ["Assay.Service", .. s_core, .. s_access]),
        ["Assay.Broker"] = ("services", ["Assay.Service", .. s_core, .. s_access]),
        ["Assay.Server"] = ("services", ["Assay.Service", "Assay.Attestation", "Assay.Broker", "Assay.Collateral.Proxy", .. s_core, .. s_access]),
        ["Assay.Guest"] = ("guest", ["Assay.Verifier", "Assay.Collateral", "Assay.Client", "Assay.Sealing", "Assay.Models"]),
        ["Assay.Models"] = ("guest", ["Assay.Sealing"]),
        ["Assay.HostTools"] = ("host", ["Assay.LaunchMeasurement"]),
        ["Assay.Cli"] = ("tools", [.. s_core, .. s_access, "Assay.Models", "Assay.Simulator", "Assay.Collateral.Proxy"]),
        ["Assay.Simulator"] = ("tools", []),
        ["Assay.Simulator.Cli"] = ("tools", ["Assay.Simulator"]),
    };

    /// <summary>The rooms of the verifier: a type may use those of rooms before it, and its own.</summary>
    private static readonly string[] s_rooms = ["Wire", "Checks", "Evidence", "Trust", "Authentication", "Reference", "Endorsements", "Binding", "Appraisal", "Policy", "Tokens", "Channels", "Log", "Inspection"];

    // The verifier takes bytes, collateral, expectations and time as arguments.
    private static readonly string[] s_outside =
    [
        "System.Net.", "System.IO.File", "System.IO.Directory", "System.IO.Path", "System.IO.Drive", "System.IO.Pipes.", "System.IO.RandomAccess", "System.Diagnostics.Process", "System.Diagnostics.Stopwatch",
        "System.Console", "System.TimeProvider", "System.Random", "System.Security.Cryptography.RandomNumberGenerator",
        "System.Security.Cryptography.X509Certificates.X509Chain", "System.Security.Cryptography.X509Certificates.X509Store", "System.Xml.", "System.Threading.Timer",
        "Microsoft.Extensions.",
    ];

    private static readonly string[] s_outsideMembers =
    [
        "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTime.get_Today", "System.DateTimeOffset.get_Now", "System.DateTimeOffset.get_UtcNow",
        "System.Guid.NewGuid", "System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificateFromFile", "System.Threading.Thread.Sleep",
    ];

    /// <summary>Each project as its path below src: group/name.</summary>
    public static TheoryData<string> Projects =>
        [.. Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Path.Combine(Repository.Root, "src"), Path.GetDirectoryName(file)!)).Order(StringComparer.Ordinal)];

    private static Assembly Verifier => typeof(Assay.Wire.Nonce).Assembly;

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_is_in_its_group_and_references_only_what_it_may(string path)
    {
        var project = Path.GetFileName(path);
        Assert.True(s_direction.TryGetValue(project, out var row), $"{project} has no row in the table of directions");
        var (group, allowed) = row;
        Assert.Equal(Path.Combine(group, project), path);
        var name = project switch
        {
            "Assay.Cli" => "assay",
            "Assay.Guest" => "assay-guest",
            "Assay.Server" => "assay-server",
            "Assay.Simulator.Cli" => "assay-sim",
            _ => project,
        };
        var assembly = Assembly.LoadFrom(Path.Combine(AppContext.BaseDirectory, $"{name}.dll"));
        var ours = assembly.GetReferencedAssemblies().Select(reference => reference.Name!).Where(reference => reference.StartsWith("Assay", StringComparison.Ordinal));

        Assert.Empty(ours.Except(allowed));
        // The compiler leaves out references that nothing uses; the project file shows them.
        var text = File.ReadAllText(Path.Combine(Repository.Root, "src", path, $"{project}.csproj"));
        var written = Reference().Matches(text).Select(match => match.Groups[1].Value);
        Assert.Empty(written.Except(allowed));
    }

    [Fact]
    public void The_table_of_projects_in_the_documentation_is_the_code()
    {
        var text = File.ReadAllText(Path.Combine(Repository.Root, "docs", "architecture.md"));
        var documented = ProjectRow().Matches(text).ToDictionary(match => $"{match.Groups["group"].Value}/{match.Groups["project"].Value}", match => match.Groups["uses"].Value, StringComparer.Ordinal);

        Assert.Equal(Projects.Select(row => row.Data).Order(StringComparer.Ordinal), documented.Keys.Order(StringComparer.Ordinal));
        foreach (var (path, uses) in documented)
        {
            var file = File.ReadAllText(Path.Combine(Repository.Root, "src", path, $"{Path.GetFileName(path)}.csproj"));
            var written = Reference().Matches(file).Select(match => match.Groups[1].Value["Assay.".Length..]).Order(StringComparer.Ordinal);
            Assert.Equal(string.Join(", ", written), uses is "nothing of ours" ? "" : uses);
        }
    }

    [Fact]
    public void A_room_uses_only_rooms_before_it()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        var uses = 0;
        foreach (var (user, used) in CompiledCode.UsesOf(Verifier))
        {
            foreach (var type in CompiledCode.TypesIn(used).Where(type => type.Assembly == Verifier).Select(CompiledCode.Outermost).Where(type => !type.Name.StartsWith('<')))
            {
                uses++;
                if (Room(type) > Room(user))
                {
                    wrong.Add($"{user.FullName} uses {type.FullName}");
                }
            }
        }

        Assert.Empty(wrong);
        // The walk saw bodies and not only signatures.
        Assert.InRange(uses, 1000, int.MaxValue);
    }

    [Fact]
    public void Every_type_of_the_verifier_stands_in_a_room()
    {
        var homeless = Verifier.GetTypes().Select(CompiledCode.Outermost)
            .Where(type => !type.Name.StartsWith('<') && type.Namespace is { } home && home.StartsWith("Assay", StringComparison.Ordinal) && Room(type) < 0);

        Assert.Empty(homeless.Distinct());
    }

    [Fact]
    public void The_folders_of_the_verifier_are_its_rooms_and_its_namespaces()
    {
        var root = Path.Combine(Repository.Root, "src", "core", "Assay.Verifier");
        var folders = Directory.EnumerateDirectories(root).Select(folder => Path.GetFileName(folder)!).Where(folder => folder is not ("bin" or "obj"));

        Assert.Empty(folders.Except(s_rooms));
        Assert.Empty(SourceFiles.InOtherNamespaces(root, "Assay"));
    }

    /// <summary>A proof says by its existence that something verified: its one maker verifies, and nothing else makes one.</summary>
    [Fact]
    public void Nothing_but_the_type_itself_can_make_a_proof()
    {
        Type[] proofs = [typeof(Assay.Authentication.AuthenticDevice), typeof(Assay.Authentication.AuthenticTdxQuote), typeof(Assay.Authentication.AuthenticSnpReport), typeof(Assay.Authentication.AuthenticTpmQuote), typeof(Assay.Authentication.AuthenticEventLog), typeof(Assay.Reference.AuthenticRim), typeof(Assay.Trust.CertificationPath)];
        var open = proofs.Where(type => type.GetConstructors(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic).Any(constructor => !constructor.IsPrivate));

        Assert.All(proofs, type => Assert.True(type.IsSealed));
        Assert.Empty(open);
    }

    /// <summary>An item that is called verified is signed and was checked: a key set, which is not signed, is another type.</summary>
    [Fact]
    public void Only_the_verification_of_items_makes_a_verified_item()
    {
        var makers = CompiledCode.UsesOf(Verifier).Where(use => use.Used is ConstructorInfo made && made.DeclaringType == typeof(Assay.Endorsements.VerifiedItem)).Select(use => use.User).Distinct();

        Assert.Equal([typeof(Assay.Endorsements.ItemVerification), typeof(Assay.Endorsements.VerifiedItem)], makers.OrderBy(maker => maker.Name, StringComparer.Ordinal));
        Assert.False(typeof(Assay.Endorsements.KeySetItem).IsAssignableTo(typeof(Assay.Endorsements.VerifiedItem)));
    }

    [Fact]
    public void The_verifier_reaches_no_network_disk_clock_or_chance()
    {
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (user, used) in CompiledCode.UsesOf(Verifier))
        {
            var outside = CompiledCode.TypesIn(used).Where(type => type.Assembly != Verifier && s_outside.Any(start => type.FullName!.StartsWith(start, StringComparison.Ordinal)));
            wrong.UnionWith(outside.Select(type => $"{user.FullName} uses {type.FullName}"));
            var member = $"{used.DeclaringType?.FullName}.{used.Name}";
            if (s_outsideMembers.Contains(member) || (used.DeclaringType == typeof(Environment) && used.Name is not "get_ProcessorCount"))
            {
                wrong.Add($"{user.FullName} uses {member}");
            }
        }

        Assert.Empty(wrong);
    }

    /// <summary>Foreign code could do anything that the wall keeps out: the import of keys, and Ed25519 that .NET has not, alone call it, in libcrypto alone.</summary>
    [Fact]
    public void The_verifier_calls_foreign_code_only_to_import_keys_and_for_Ed25519()
    {
        const BindingFlags all = BindingFlags.Static | BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly;
        var foreign = Verifier.GetTypes().SelectMany(type => type.GetMethods(all)).Where(method => method.Attributes.HasFlag(MethodAttributes.PinvokeImpl)).ToArray();

        Assert.NotEmpty(foreign);
        Assert.All(foreign, method => Assert.Contains(method.DeclaringType!.FullName, (string[])["Assay.Trust.LibcryptoKey", "Assay.Log.Ed25519"]));
        Assert.All(foreign, method => Assert.Equal("libcrypto.so.3", method.GetCustomAttribute<System.Runtime.InteropServices.DllImportAttribute>()!.Value));
    }

    [Fact]
    public void The_walk_sees_what_a_body_uses()
    {
        // A wall that sees nothing holds nothing: this test's own body reads a file through a lambda and a generic.
        Func<string> reads = () => File.ReadAllText("nowhere");
        Assert.NotNull(reads);
        var uses = CompiledCode.UsesOf(typeof(WallTests).Assembly).Where(use => use.User == typeof(WallTests)).Select(use => use.Used).ToArray();

        Assert.Contains(uses, used => used is MethodInfo { Name: nameof(File.ReadAllText) });
        Assert.Contains(uses, used => used is FieldInfo { Name: nameof(s_rooms) });
    }

    [GeneratedRegex("ProjectReference Include=\"[^\"]*?([A-Za-z.]+)\\.csproj\"")]
    private static partial Regex Reference();

    [GeneratedRegex(@"^\| `(?<group>[a-z]+)` \| `(?<project>Assay\.[A-Za-z.]+)` \| .* \| (?<uses>[A-Za-z., ]+) \|$", RegexOptions.Multiline)]
    private static partial Regex ProjectRow();

    private static int Room(Type type)
    {
        var words = (type.Namespace ?? "").Split('.');
        return words is ["Assay", var room, ..] ? Array.IndexOf(s_rooms, room) : -1;
    }
}

using System.Reflection;
using Assay.Policies;

namespace Assay.Tests.Architecture;

/// <summary>Policies are judged in libraries that take texts and a clock; the command line parses arguments and prints.</summary>
public class PoliciesWallTests
{
    private static readonly string[] s_outside =
    [
        "System.Console", "System.Net.Http.", "System.Net.Sockets.Socket", "System.Net.Dns", "System.IO.File", "System.IO.Directory", "System.IO.Path", "System.IO.RandomAccess",
        "System.Diagnostics.Process", "System.Diagnostics.Stopwatch", "System.Random", "System.Security.Cryptography.RandomNumberGenerator",
    ];

    private static readonly string[] s_clocks =
    [
        "System.TimeProvider.get_System", "System.DateTime.get_Now", "System.DateTime.get_UtcNow", "System.DateTimeOffset.get_Now", "System.DateTimeOffset.get_UtcNow",
        "System.Guid.NewGuid", "System.Threading.Thread.Sleep",
    ];

    public static TheoryData<string> Libraries => ["Assay.Rego", "Assay.Policies"];

    [Theory]
    [MemberData(nameof(Libraries))]
    public void A_library_of_policies_reaches_no_network_disk_console_clock_or_chance(string name)
    {
        var library = Assembly.Load(name);
        var wrong = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (user, used) in CompiledCode.UsesOf(library))
        {
            var outside = CompiledCode.TypesIn(used).Where(type => type.Assembly != library && s_outside.Any(start => type.FullName!.StartsWith(start, StringComparison.Ordinal)));
            wrong.UnionWith(outside.Select(type => $"{user.FullName} uses {type.FullName}"));
            // An iterator asks for its thread.
            var member = $"{used.DeclaringType?.FullName}.{used.Name}";
            if (s_clocks.Contains(member) || (used.DeclaringType == typeof(Environment) && used.Name is not "get_CurrentManagedThreadId"))
            {
                wrong.Add($"{user.FullName} uses {member}");
            }
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void The_command_line_evaluates_no_policy_itself()
    {
        // Without the engine there is nothing to evaluate with; what it shows of policies comes from Assay.Policies.
        var references = typeof(Assay.Cli.ExitCode).Assembly.GetReferencedAssemblies().Select(reference => reference.Name).ToArray();

        Assert.DoesNotContain("Assay.Rego", references);
        Assert.Contains("Assay.Policies", references);
    }

    [Fact]
    public void The_library_has_no_words_of_the_command_line()
    {
        // Its messages are read by users of services as well.
        var folder = Path.Combine(Repository.Root, "src", "core", "Assay.Policies");
        var wrong = Directory.EnumerateFiles(folder, "*.cs").Where(file => File.ReadAllText(file).Contains(" --", StringComparison.Ordinal));

        Assert.Empty(wrong);
        Assert.All(typeof(RegoPolicy).Assembly.GetTypes().Where(type => type.Namespace?.StartsWith("Assay", StringComparison.Ordinal) is true), type => Assert.Equal("Assay.Policies", type.Namespace));
    }
}

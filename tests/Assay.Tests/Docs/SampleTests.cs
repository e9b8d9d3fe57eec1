using System.Runtime.InteropServices;

namespace Assay.Tests.Docs;

/// <summary>A program in a document is compiled as it stands, with its usings and nothing else but those that every new console project has.</summary>
public sealed class SampleTests(DocumentWorld world) : IClassFixture<DocumentWorld>
{
    private const string Implicit = "global using System; global using System.Collections.Generic; global using System.IO; global using System.Linq; global using System.Net.Http; global using System.Threading; global using System.Threading.Tasks;";

    public static TheoryData<string, int> Programs => [.. DocumentPage.All.SelectMany(page => page.Blocks.Where(IsProgram).Select(block => (page.Name, block.Line)))];

    /// <summary>Whole programs; other snippets are compared with Snippets.cs.</summary>
    internal static bool IsProgram(DocumentBlock block) => block.Language == "csharp" && block.Text.StartsWith("using ", StringComparison.Ordinal);

    [Theory]
    [MemberData(nameof(Programs))]
    public void A_program_compiles_as_it_stands(string name, int line)
    {
        using var folder = new Folder();

        Compile(DocumentPage.Of(name).Blocks.Single(block => block.Line == line), folder.Path);
    }

    [Fact]
    public void The_program_of_a_package_is_a_sample_word_for_word()
    {
        var pages = Packages.PackedLibraries.Needs.Keys.Select(library => DocumentPage.Of(Path.GetRelativePath(Repository.Root, Path.Combine(Path.GetDirectoryName(Packages.PackedLibraries.ProjectOf(library))!, "README.md"))));
        var samples = Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples"), "Program.cs", SearchOption.AllDirectories)
            .ToDictionary(file => "samples/" + Path.GetFileName(Path.GetDirectoryName(file)!), File.ReadAllText);

        foreach (var page in pages)
        {
            var program = page.Blocks.Single(IsProgram);
            var sample = samples.Single(sample => page.Text.Contains($"`{sample.Key}`", StringComparison.Ordinal));
            Assert.Equal(sample.Value, program.Text);
            // A feed shows the page without the repository around it.
            Assert.DoesNotContain("](", page.Prose, StringComparison.Ordinal);
        }

        Assert.Equal(samples["samples/verify-a-gpu"], DocumentPage.Of("README.md").Blocks.First(IsProgram).Text);
    }

    [Fact]
    public void The_program_of_the_README_verifies_the_machine_that_its_command_writes()
    {
        using var folder = new Folder();
        var program = Compile(DocumentPage.Of("README.md").Blocks.Last(IsProgram), folder.Path);
        var machine = Directory.CreateDirectory(Path.Combine(folder.Path, "machine")).FullName;
        foreach (var file in Directory.EnumerateFiles(world.Folder, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(machine, Path.GetRelativePath(world.Folder, file));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.Copy(file, target);
        }

        // The world's files have shorter names than those of the demonstration.
        File.Move(Path.Combine(machine, "references.json"), Path.Combine(machine, "reference_values.json"));
        foreach (var library in Directory.EnumerateFiles(AppContext.BaseDirectory, "Assay.*.dll"))
        {
            File.Copy(library, Path.Combine(folder.Path, Path.GetFileName(library)));
        }

        File.Copy(Path.Combine(AppContext.BaseDirectory, "assay.runtimeconfig.json"), Path.ChangeExtension(program, ".runtimeconfig.json"));
        var answer = Peer.Require("bash").Run("-c", $"cd '{folder.Path}' && dotnet '{program}'");

        Assert.True(answer.Accepted, answer.Output);
        Assert.StartsWith("pass, binding boot-event, freshness proven", answer.Output, StringComparison.Ordinal);
    }

    private static string Compile(DocumentBlock block, string folder)
    {
        var (source, program) = (Path.Combine(folder, "Program.cs"), Path.Combine(folder, "sample.dll"));
        File.WriteAllText(source, block.Text);
        File.WriteAllText(Path.Combine(folder, "Implicit.cs"), Implicit);
        var references = ((string)AppContext.GetData("TRUSTED_PLATFORM_ASSEMBLIES")!).Split(Path.PathSeparator);
        var answer = Peer.Require("dotnet").Run([
            Compiler(), "-nologo", "-nullable:enable", "-warnaserror", "-target:exe", $"-out:{program}", .. references.Select(file => $"-reference:{file}"), source, Path.Combine(folder, "Implicit.cs"),
        ]);
        Assert.True(answer.Accepted, answer.Output);
        return program;
    }

    // The compiler of the SDK that built these tests stands beside the runtime that runs them.
    private static string Compiler()
    {
        var root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        return Directory.EnumerateDirectories(Path.Combine(root, "sdk")).Order(StringComparer.Ordinal).Select(sdk => Path.Combine(sdk, "Roslyn", "bincore", "csc.dll")).Last(File.Exists);
    }

    private sealed class Folder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("assay-sample-").FullName;

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}

using System.Text.RegularExpressions;
using System.Xml.Linq;
using Assay.Tests.Docs;

namespace Assay.Tests.Packages;

/// <summary>Projects outside the checkout that have the packages, from a folder, and nothing else of the checkout.</summary>
public sealed partial class ConsumerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-consumer-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_new_project_with_the_commands_of_the_documents_verifies_the_recorded_GPU_in_ten_lines()
    {
        var recordings = Recorded.PathOf("");
        var page = DocumentPage.Of("docs/get-started/dotnet-developer.md");
        Configure(page.Blocks.Single(block => block.Language == "xml").Text);
        var program = DocumentPage.Of("README.md").Blocks.Single(block => SampleTests.IsProgram(block) && block.Text.Contains("gpu.json", StringComparison.Ordinal)).Text;
        Assert.InRange(program.TrimEnd('\n').Split('\n').Length, 1, 10);

        Run(_folder, page.Blocks.Single(block => block.IsCommands && block.Text.Contains("dotnet add judge package", StringComparison.Ordinal)).Text);
        File.WriteAllText(Path.Combine(_folder, "judge", "Program.cs"), program);
        var answer = Run(_folder, $"export V='{recordings}'\n{page.Blocks.Single(block => block.IsCommands && block.Text.Contains("gpu.json", StringComparison.Ordinal)).Text}");
        Assert.StartsWith("pass, binding none, freshness proven, weakened by ", answer, StringComparison.Ordinal);
        Assert.Contains("revocation-skipped, time-stated", answer, StringComparison.Ordinal);

        // Refused where a bit is another one: what passes is not everything.
        var gpu = Path.Combine(_folder, "gpu.json");
        File.WriteAllText(gpu, Evidence().Replace(File.ReadAllText(gpu), match => match.Value[..^1] + (match.Value[^1] == 'A' ? 'B' : 'A')));
        Assert.StartsWith("fail, ", Run(_folder, "dotnet run --no-build --project judge || test $? = 1"), StringComparison.Ordinal);
    }

    [Fact]
    public void Every_sample_compiles_and_runs_with_the_package_in_place_of_the_project()
    {
        Configure(DocumentPage.Of("docs/get-started/dotnet-developer.md").Blocks.Single(block => block.Language == "xml").Text);
        var samples = Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples"), "*.csproj", SearchOption.AllDirectories).Order(StringComparer.Ordinal).ToArray();
        var shown = samples.Select(sample => (Name: Path.GetFileNameWithoutExtension(sample), Library: LibraryOf(sample))).ToArray();
        Assert.Equal(PackedLibraries.Needs.Keys, shown.Select(sample => sample.Library).Distinct().Order(StringComparer.Ordinal));
        foreach (var (sample, (name, library)) in samples.Zip(shown))
        {
            var project = Directory.CreateDirectory(Path.Combine(_folder, name)).FullName;
            File.Copy(Path.Combine(Path.GetDirectoryName(sample)!, "Program.cs"), Path.Combine(project, "Program.cs"));
            File.WriteAllText(Path.Combine(project, name + ".csproj"), $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <OutputType>Exe</OutputType>
                    <TargetFramework>net10.0</TargetFramework>
                    <Nullable>enable</Nullable>
                    <ImplicitUsings>enable</ImplicitUsings>
                    <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
                  </PropertyGroup>
                  <ItemGroup>
                    <PackageReference Include="{library}" Version="{PackedLibraries.Version}" />
                  </ItemGroup>
                </Project>
                """);
        }

        File.WriteAllText(Path.Combine(_folder, "samples.slnx"), $"<Solution>{string.Concat(shown.Select(sample => $"""<Project Path="{sample.Name}/{sample.Name}.csproj" />"""))}</Solution>");
        Run(_folder, "dotnet build samples.slnx -nologo -v quiet -clp:NoSummary");

        string Sample(string name, string arguments, int code = 0) => Run(_folder, $"dotnet {name}/bin/Debug/net10.0/{name}.dll {arguments} || test $? = {code}");
        Assert.Equal("allowed {\"gpus\":8,\"weakened\":[]}\nrefused {\"gpus\":8,\"weakened\":[\"time-stated\"]}\n", Sample("evaluate-rego", ""));
        Assert.Matches(@"^([0-9]+) of \1 passed; ", Sample("test-policies", $"'{Path.Combine(Repository.Root, "policies")}'"));
        Assert.EndsWith("bytes opened to 7\n", Sample("seal-a-file", ""), StringComparison.Ordinal);
        // No gate and no agent is here, and the sample says so.
        Assert.StartsWith("ctl.agent: /run/assay/agent.sock: there is no such socket; ", Sample("ask-the-agent", "challenge", code: 1), StringComparison.Ordinal);
        Assert.Contains("plain HTTP gets no answer\n", Sample("serve-attested", ""), StringComparison.Ordinal);
        if (Recorded.Present)
        {
            CopyRecordedGpu();
            Assert.StartsWith("pass, ", Sample("verify-a-gpu", ""), StringComparison.Ordinal);
            var needed = Sample("authenticate-a-gpu", "gpu.json");
            Assert.Contains("RIM NV_GPU_DRIVER_GH100_545.00\n", needed, StringComparison.Ordinal);
            Assert.Contains("OCSP answer about ", needed, StringComparison.Ordinal);
        }
    }

    private static string LibraryOf(string sample) =>
        XDocument.Load(sample).Descendants("ProjectReference").Select(reference => Path.GetFileNameWithoutExtension((string)reference.Attribute("Include")!)).Single();

    private void CopyRecordedGpu()
    {
        File.Copy(Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"), Path.Combine(_folder, "gpu.json"));
        var rims = Directory.CreateDirectory(Path.Combine(_folder, "rims")).FullName;
        foreach (var rim in Directory.EnumerateFiles(Recorded.PathOf("nvidia/rims/fsstore_545.00")))
        {
            File.Copy(rim, Path.Combine(rims, Path.GetFileName(rim)));
        }
    }

    // The file of the page, for the folder of this checkout and under the name that packages of others have on this machine.
    private void Configure(string text)
    {
        Assert.Contains("\"assay/artifacts/packages\"", text, StringComparison.Ordinal);
        var sources = Peer.Require("dotnet").Run("nuget", "list", "source").Output;
        var others = EnabledSource().Match(sources);
        Assert.True(others.Success, sources);
        File.WriteAllText(Path.Combine(_folder, "nuget.config"), text
            .Replace("assay/artifacts/packages", PackedLibraries.Folder, StringComparison.Ordinal)
            .Replace("\"nuget.org\"", $"\"{others.Groups[1].Value.Trim()}\"", StringComparison.Ordinal));
    }

    // An empty folder for packages, so that none of an earlier pack is taken; no server that outlives the command and keeps its output open.
    private string Run(string folder, string commands)
    {
        var answer = Peer.Require("bash").Run("-c", $"""
            set -e
            cd '{folder}'
            export NUGET_PACKAGES='{_folder}/packages' DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_CLI_UI_LANGUAGE=en MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false DOTNET_CLI_USE_MSBUILD_SERVER=0
            {commands}
            """);
        Assert.True(answer.Accepted, answer.Output);
        return answer.Output;
    }

    // Up to a letter within the signature, which is the end of a report.
    [GeneratedRegex("\"evidence\": *\"[A-Za-z0-9+/]+(?=[A-Za-z0-9+/]{8}={0,2}\")")]
    private static partial Regex Evidence();

    [GeneratedRegex(@"^ *[0-9]+\. +(.+) \[Enabled\]", RegexOptions.Multiline)]
    private static partial Regex EnabledSource();
}

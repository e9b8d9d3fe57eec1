using System.Runtime.InteropServices;

namespace Assay.Tests.Regressions;

/// <summary>eng/publish took any file in the place of a binary for the one that it had made, and compiled with whatever packages the feed served.</summary>
public sealed class Bug0320_BinariesPutInPlaceTests : IDisposable
{
    // Restores packages of which one is downloaded beside the lock file, and compiles nothing.
    private const string Compiler = """
        #!/bin/sh
        case "$1" in
        restore)
            for word; do case "$word" in artifacts/publish*) place="$word" ;; esac; done
            project="$place/obj/$(basename "$2")"
            mkdir -p "$project"
            printf '{\n  "packageFolders": {\n    "%s/packages": {}\n  },\n  "downloadDependencies": [\n    {\n      "name": "The.Runtime",\n      "version": "[1.0.0, 1.0.0]"\n    }\n  ]\n}\n' "$(dirname "$0")" >"$project/project.assets.json"
            echo "$*" >>arguments ;;
        publish)
            for word; do case "$word" in artifacts/publish/linux-*) folder="$word" ;; esac; done
            mkdir -p "$folder"
            for name in assay assay-sim assay-guest; do echo compiled >"$folder/$name" && chmod 755 "$folder/$name"; done ;;
        *) echo 10.0.100 ;;
        esac
        """;

    private static readonly string s_output = RuntimeInformation.ProcessArchitecture is System.Runtime.InteropServices.Architecture.Arm64 ? "artifacts/linux-arm64" : "artifacts/linux-x64";

    private readonly string _root = Directory.CreateTempSubdirectory("assay-publish-").FullName;

    public Bug0320_BinariesPutInPlaceTests()
    {
        foreach (var folder in (string[])["src", "eng/locks", "docs/troubleshooting", "packages/the.runtime/1.0.0"])
        {
            Directory.CreateDirectory(At(folder));
        }

        File.Copy(Path.Combine(Repository.Root, "eng", "publish"), At("eng/publish"));
        foreach (var file in (string[])["src/Program.cs", "Directory.Build.props", "BannedSymbols.txt", "global.json", "eng/Binary.props"])
        {
            File.WriteAllText(At(file), "");
        }

        File.WriteAllText(At("eng/locks/packs"), "The.Runtime 1.0.0 aGFzaA==\n");
        File.WriteAllText(At("packages/the.runtime/1.0.0/.nupkg.metadata"), """{ "version": 2, "contentHash": "aGFzaA==", "source": "" }""");
        File.WriteAllText(At("dotnet"), Compiler);
        // The linker is asked for, and not used.
        File.WriteAllText(At("clang"), "#!/bin/sh\n");
        _ = Peer.Require("chmod").Run("755", At("dotnet"), At("clang"), At("eng/publish"));
    }

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_file_put_in_the_place_of_a_binary_is_not_taken_for_it_and_is_made_anew()
    {
        Assert.Equal(0, Run("./eng/publish").ExitCode);
        Assert.Equal(0, Run("./eng/publish --check").ExitCode);

        File.WriteAllText(At($"{s_output}/assay"), "another\n");

        Assert.Equal(1, Run("./eng/publish --check").ExitCode);
        Assert.Equal(0, Run("./eng/publish").ExitCode);
        Assert.Equal("compiled\n", File.ReadAllText(At($"{s_output}/assay")));
    }

    [Fact]
    public void What_was_made_of_other_sources_is_not_current()
    {
        Assert.Equal(0, Run("./eng/publish").ExitCode);

        File.AppendAllText(At("eng/locks/packs"), "Another 1.0.0 aGFzaA==\n");

        Assert.Equal(1, Run("./eng/publish --check").ExitCode);
    }

    [Theory]
    [InlineData("The.Runtime 1.0.0 b3RoZXI=\n")]
    [InlineData("The.Runtime 1.0.1 aGFzaA==\n")]
    [InlineData("Another 1.0.0 aGFzaA==\n")]
    public void A_downloaded_package_that_is_not_the_locked_one_ends_before_anything_is_compiled(string locked)
    {
        File.WriteAllText(At("eng/locks/packs"), locked);

        var answer = Run("./eng/publish");

        Assert.Equal(1, answer.ExitCode);
        Assert.Contains("The.Runtime 1.0.0 aGFzaA==\n", answer.Output, StringComparison.Ordinal);
        Assert.Contains("not those of eng/locks/packs", answer.Output, StringComparison.Ordinal);
        Assert.False(File.Exists(At($"{s_output}/assay")));
    }

    [Fact]
    public void Packages_that_projects_refer_to_are_restored_as_they_are_locked()
    {
        _ = Run("./eng/publish");

        Assert.All(File.ReadAllLines(At("arguments")), line => Assert.Contains("-p:RestoreLockedMode=true", line, StringComparison.Ordinal));
    }

    private string At(string name) => Path.Combine(_root, name);

    private PeerAnswer Run(string command) => Peer.Require("bash").Run("-c", $"cd '{_root}' && PATH='{_root}':\"$PATH\" && {command}");
}

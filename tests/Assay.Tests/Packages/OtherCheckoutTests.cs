using System.Reflection.Metadata;
using System.Text;

namespace Assay.Tests.Packages;

/// <summary>Packages of the same commit that are packed in another folder.</summary>
public sealed class OtherCheckoutTests : IDisposable
{
    private static readonly Guid s_sourceLink = new("cc110556-a091-4d38-9fec-25ab9a351a6a");

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-checkout-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Where_the_origin_has_a_public_address_symbols_have_source_link_without_name_and_password()
    {
        var commit = Clone("https://us3r:passw0rd@github.com/example/assay.git");

        Run("dotnet pack src/core/Assay.Sealing -c Release -o packages -nologo -v quiet -clp:NoSummary -p:ContinuousIntegrationBuild=true");
        var files = PackedLibraries.ReadFile(Path.Combine(_folder, "packages", $"Assay.Sealing.{PackedLibraries.Version}.nupkg"));
        var symbols = PackedLibraries.SymbolsIn(files["lib/net10.0/Assay.Sealing.dll"]);
        Assert.Equal($$$"""{"documents":{"/_/*":"https://raw.githubusercontent.com/example/assay/{{{commit}}}/*"}}""", SourceLinkIn(symbols));

        // Here the password would be seen: the symbols are not compressed any more.
        files["symbols"] = symbols;
        Assert.True(symbols.AsSpan().IndexOf("raw.githubusercontent.com"u8) >= 0);
        Assert.All(files, file => Assert.False(file.Value.AsSpan().IndexOf("passw0rd"u8) >= 0 || file.Value.AsSpan().IndexOf("us3r"u8) >= 0, file.Key));
    }

    [Fact]
    [Trait("Category", "Soak")]
    public void A_second_pack_of_the_commit_is_the_same_byte_for_byte()
    {
        var origin = Peer.Require("git").Run("-C", Repository.Root, "remote", "get-url", "origin");
        Clone(origin.Accepted ? origin.Output.Trim() : null);
        var changed = Peer.Require("git").Run("-C", Repository.Root, "--no-optional-locks", "status", "--porcelain", "--", "src", "eng", "Directory.*.props", "global.json");
        Assert.SkipWhen(changed.Output.Length > 0, "the sources differ from the commit");

        Run("./eng/pack");
        foreach (var library in PackedLibraries.Needs.Keys)
        {
            var name = $"{library}.{PackedLibraries.Version}.nupkg";
            Assert.Equal(File.ReadAllBytes(Path.Combine(PackedLibraries.Folder, name)), File.ReadAllBytes(Path.Combine(_folder, "artifacts", "packages", name)));
        }
    }

    // The commit.
    private string Clone(string? origin)
    {
        var commit = Peer.Require("git").Run("-C", Repository.Root, "rev-parse", "HEAD");
        Assert.SkipUnless(commit.Accepted, "not a git checkout");
        Run($"git clone -q '{Repository.Root}' .\n" + (origin is null ? "git remote remove origin" : $"git remote set-url origin '{origin}'"));
        return commit.Output.Trim();
    }

    // No server that outlives the command and keeps its output open.
    private void Run(string commands)
    {
        var answer = Peer.Require("bash").Run("-c", $"""
            set -e
            cd '{_folder}'
            export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1 UseSharedCompilation=false DOTNET_CLI_USE_MSBUILD_SERVER=0
            {commands}
            """);
        Assert.True(answer.Accepted, answer.Output);
    }

    private static string SourceLinkIn(byte[] symbols)
    {
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(symbols));
        var reader = provider.GetMetadataReader();
        return Encoding.UTF8.GetString(reader.GetCustomDebugInformation(EntityHandle.ModuleDefinition).Select(reader.GetCustomDebugInformation)
            .Where(item => reader.GetGuid(item.Kind) == s_sourceLink).Select(item => reader.GetBlobBytes(item.Value)).Single());
    }
}

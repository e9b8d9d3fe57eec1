using System.IO.Compression;
using System.Reflection.PortableExecutable;
using System.Xml.Linq;

namespace Assay.Tests.Packages;

/// <summary>The packages that eng/pack writes. It is run once for all tests, and builds nothing where they are of these sources.</summary>
internal static class PackedLibraries
{
    private static readonly Lazy<string> s_folder = new(Pack);

    /// <summary>Each library that is a package, with the packages that it needs.</summary>
    public static IReadOnlyDictionary<string, string[]> Needs { get; } = new Dictionary<string, string[]>
    {
        ["Assay.Client"] = ["Assay.Collateral", "Assay.Sealing", "Assay.Verifier", "BouncyCastle.Cryptography", "Microsoft.Extensions.Logging.Abstractions", "Polly.Core"],
        ["Assay.Client.AspNetCore"] = ["Assay.Client", "Assay.Verifier", "BouncyCastle.Cryptography", "Polly.Core"],
        ["Assay.Collateral"] = ["Assay.Verifier", "Microsoft.Extensions.Logging.Abstractions", "Polly.Core"],
        // Versions are pinned for the whole tree, so that what a library needs through another one is named too.
        ["Assay.Policies"] = ["Assay.Rego", "Assay.Verifier", "YamlDotNet"],
        ["Assay.Rego"] = ["YamlDotNet"],
        ["Assay.Sealing"] = [],
        ["Assay.Verifier"] = [],
    };

    /// <summary>artifacts/packages.</summary>
    public static string Folder => s_folder.Value;

    /// <summary>The version of Directory.Build.props.</summary>
    public static string Version { get; } = XDocument.Load(Path.Combine(Repository.Root, "Directory.Build.props")).Descendants("Version").Single().Value;

    /// <summary>The project of a library.</summary>
    public static string ProjectOf(string library) =>
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), library + ".csproj", SearchOption.AllDirectories).Single();

    /// <summary>What is in a package, by path.</summary>
    public static Dictionary<string, byte[]> Read(string library) => ReadFile(Path.Combine(Folder, $"{library}.{Version}.nupkg"));

    /// <summary>What is in a package, by path.</summary>
    public static Dictionary<string, byte[]> ReadFile(string path)
    {
        using var package = ZipFile.OpenRead(path);
        return package.Entries.ToDictionary(entry => entry.FullName, entry =>
        {
            using var from = entry.Open();
            using var to = new MemoryStream();
            from.CopyTo(to);
            return to.ToArray();
        });
    }

    /// <summary>The symbols in an assembly. Compressed: "MPDB", their size in 4 bytes, and a deflate stream.</summary>
    public static byte[] SymbolsIn(byte[] file)
    {
        using var assembly = new PEReader(new MemoryStream(file));
        var place = assembly.ReadDebugDirectory().Single(entry => entry.Type is DebugDirectoryEntryType.EmbeddedPortablePdb);
        using var symbols = new MemoryStream();
        using var compressed = new DeflateStream(new MemoryStream(file, place.DataPointer + 8, place.DataSize - 8), CompressionMode.Decompress);
        compressed.CopyTo(symbols);
        return symbols.ToArray();
    }

    private static string Pack()
    {
        Peer.Require("dotnet");
        var answer = Peer.Require("bash").Run(Path.Combine(Repository.Root, "eng", "pack"));
        Assert.True(answer.Accepted, answer.Output);
        return Path.Combine(Repository.Root, "artifacts", "packages");
    }
}

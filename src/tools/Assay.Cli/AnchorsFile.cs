using System.CommandLine;
using Assay.Evidence.Files;
using Assay.Trust;

namespace Assay.Cli;

/// <summary>The roots of <c>--anchors</c>.</summary>
internal static class AnchorsFile
{
    private const int MostBytes = 256 * 1024;

    /// <summary>Of every command about collateral.</summary>
    public static Option<string?> Option() => new("--anchors") { Description = "trust these roots instead of the manufacturers'", HelpName = "FILE" };

    /// <summary>Those of the file; the manufacturers' where none is given. A fault is told, and then it does not matter which are returned.</summary>
    public static TrustSet Read(string? file, Action<string, string> refuse)
    {
        if (file is null)
        {
            return TrustSet.BuiltIn;
        }

        if (!InputFile.TryRead(file, MostBytes, out var bytes, out var whyNot))
        {
            refuse("cli.file", whyNot);
        }
        else if (TrustSet.TryParse(bytes, out var trust, out var fault))
        {
            return trust;
        }
        else
        {
            refuse("anchors.malformed", WrongFile.Message(file, "--anchors", "trust anchors in JSON", bytes, $"{fault}", ContentKind.Anchors));
        }

        return TrustSet.Nvidia;
    }
}

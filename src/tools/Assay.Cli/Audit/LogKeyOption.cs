using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Log;

namespace Assay.Cli.Audit;

/// <summary>The key of the log that is meant: without it everything would be believed that any log says.</summary>
internal static class LogKeyOption
{
    private const int MostBytes = 4096;

    public static Option<string> Create() => new("--log-key")
    {
        Description = "the log's public key, NAME+ID+BASE64, or a file that holds it: take it once from the broker (GET /v1/log/key), by a way that you trust",
        HelpName = "KEY",
        Required = true,
    };

    public static bool TryRead(string given, [NotNullWhen(true)] out NoteKey? key)
    {
        var text = given;
        if (!given.Contains('+', StringComparison.Ordinal) || File.Exists(given))
        {
            key = null;
            if (!InputFile.TryRead(given, MostBytes, out var bytes, out var whyNot))
            {
                Output.Error("cli.file", $"--log-key: {whyNot}");
                return false;
            }

            text = Encoding.UTF8.GetString(bytes).TrimEnd();
        }

        if (NoteKey.TryParse(text, out key, out var fault))
        {
            return true;
        }

        Output.Error("cli.log-key", $"--log-key: {fault}");
        return false;
    }
}

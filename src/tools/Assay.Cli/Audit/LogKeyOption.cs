using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Log;

namespace Assay.Cli.Audit;

/// <summary>The keys by which a log is believed: its own, without which everything would be believed that any log says, and a witness's.</summary>
internal static class LogKeyOption
{
    private const int MostBytes = 4096;

    public static Option<string> Create() => new("--log-key")
    {
        Description = "the log's public key, NAME+ID+BASE64, or a file that holds it: take it once from the broker (GET /v1/log/key), by a way that you trust",
        HelpName = "KEY",
        Required = true,
    };

    public static Option<string?> CreateWitness() => new("--witness")
    {
        Description = "the key of a witness, NAME+ID+BASE64, or a file that holds it: it must have cosigned the checkpoint. Take it from the witness, not from the broker",
        HelpName = "KEY",
    };

    public static bool TryRead(string given, [NotNullWhen(true)] out NoteKey? key)
    {
        key = null;
        if (TryText("--log-key", given) is not { } text)
        {
            return false;
        }

        if (NoteKey.TryParse(text, out key, out var fault))
        {
            return true;
        }

        Output.Error("cli.log-key", $"--log-key: {fault}");
        return false;
    }

    /// <summary>True with null where none is given.</summary>
    public static bool TryReadWitness(string? given, out WitnessKey? key)
    {
        key = null;
        if (given is null)
        {
            return true;
        }

        if (TryText("--witness", given) is not { } text)
        {
            return false;
        }

        if (WitnessKey.TryParse(text, out key, out var fault))
        {
            return true;
        }

        Output.Error("cli.log-key", $"--witness: {fault}");
        return false;
    }

    private static string? TryText(string option, string given)
    {
        if (given.Contains('+', StringComparison.Ordinal) && !File.Exists(given))
        {
            return given;
        }

        if (InputFile.TryRead(given, MostBytes, out var bytes, out var whyNot))
        {
            return Encoding.UTF8.GetString(bytes).TrimEnd();
        }

        Output.Error("cli.file", $"{option}: {whyNot}");
        return null;
    }
}

using System.CommandLine;
using System.Text;
using Assay.Cli.Verify;
using Spectre.Console;

namespace Assay.Cli.Configuration;

/// <summary><c>assay init</c>: writes a configuration to begin with, every key with its meaning.</summary>
internal static class InitCommand
{
    private const int Width = 110;

    public static DescribedCommand Create()
    {
        var file = new Argument<string>("file") { Description = "the file to write; an existing file is not overwritten", DefaultValueFactory = _ => "assay.yaml", HelpName = "FILE" };
        var command = new DescribedCommand(
            "init",
            "Writes a commented configuration for assay verify --config: what is expected of a machine, in one file.",
            "0 written · 2 unusable command line, or the file exists",
            [
                "assay init",
                "assay init site.yaml && assay verify --config site.yaml --evidence gpu.json --nonce $NONCE",
            ])
        {
            file,
        };
        command.SetAction(parsed => Run(parsed.GetValue(file)!));
        return command;
    }

    /// <summary>The file: what it states, and what it only mentions, behind a # each.</summary>
    public static string Text()
    {
        var keys = VerifyKeys.Of(new VerifyOptions());
        var text = new StringBuilder();
        text.Append("# What is expected of a machine: assay verify --config FILE --evidence FILE --nonce NONCE\n");
        text.Append("# Options given beside it replace what it says; the verdict names the file, its SHA-384 and those options.\n");
        text.Append("# Names of files are looked for beside this file. Schema: docs/reference/verify-config.schema.json\n\n");
        text.Append("version: ").Append(VerifyKeys.Version).Append('\n');
        foreach (var (name, about) in VerifyKeys.Sections)
        {
            text.Append("\n# ").Append(about).Append('\n').Append(name).Append(":\n");
            foreach (var key in keys.Where(key => key.Section == name))
            {
                var words = key.Allowed.IsEmpty ? "" : $" One of: {string.Join(", ", key.Allowed)}.";
                // What continues a comment is one too; a bar keeps it from looking like a key.
                text.Append(Folded.To($"  # {key.Description}{words}", Width).Replace("\n    ", "\n  # | ", StringComparison.Ordinal));
                text.Append('\n').Append(key.Stated is null ? "  # " : "  ").Append(key.Name).Append(": ").Append(key.Stated ?? key.Example).Append('\n');
                if (key.Stated is not null && key.Stated != key.Example)
                {
                    // Behind a bar, or it would be the key a second time to whoever takes the # away.
                    text.Append("  # | for GPUs without a confidential VM: ").Append(key.Name).Append(": ").Append(key.Example).Append('\n');
                }
            }
        }

        return text.ToString();
    }

    private static int Run(string file)
    {
        if (file.Length == 0)
        {
            Output.Error("cli.file", "the file name is empty (an unset variable?)");
            return ExitCode.Unusable;
        }

        try
        {
            using var stream = new FileStream(file, FileMode.CreateNew);
            stream.Write(Encoding.UTF8.GetBytes(Text()));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Output.Error("cli.file", File.Exists(file) ? $"{file}: the file exists and is not overwritten" : $"{file}: {exception.Message}");
            return ExitCode.Unusable;
        }

        Output.Out.WriteLine(Printable.Of($"Written: {file}. State what you expect in it, then: assay verify --config {file} --evidence FILE --nonce NONCE"));
        return ExitCode.Verified;
    }
}

using System.Reflection;
using Assay.Checks;

namespace Assay.Cli;

/// <summary><c>assay version</c>.</summary>
internal static class VersionCommand
{
    public static string Text => typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion.Split('+')[0] ?? "unknown";

    public static DescribedCommand Create()
    {
        var format = Options.Format();
        var command = new DescribedCommand(
            "version",
            "Shows the version and the release date.",
            "0 printed · 2 unusable command line",
            [
                "assay version",
                "assay version --format json",
            ])
        {
            format,
        };
        command.SetAction(parsed =>
        {
            var released = EvaluationTime.ReleaseDate.ToString("yyyy-MM-dd", System.Globalization.CultureInfo.InvariantCulture);
            if (parsed.GetValue(format) == Options.Json)
            {
                JsonOutput.Print(writer =>
                {
                    writer.WriteStartObject();
                    writer.WriteString("version", Text);
                    writer.WriteString("released", released);
                    writer.WriteEndObject();
                });
            }
            else
            {
                Console.Out.WriteLine($"assay {Text}, released {released}");
            }

            return ExitCode.Verified;
        });
        return command;
    }
}

using System.CommandLine;
using Spectre.Console;

namespace Assay.Cli.Explain;

/// <summary><c>assay explain</c>: cause and cure of a finding, a weakening or an error, from the documents that are compiled in. It asks nobody.</summary>
internal static class ExplainCommand
{
    public static DescribedCommand Create()
    {
        var id = new Argument<string?>("id") { Description = "a finding's id, a weakening's name or an error's code; without one, all are listed", HelpName = "ID", Arity = ArgumentArity.ZeroOrOne };
        id.CompletionSources.Add(_ => Explanations.All.Select(explanation => new System.CommandLine.Completions.CompletionItem(explanation.Id)));
        var format = Options.Format();
        var command = new DescribedCommand(
            "explain",
            "Explains what causes a finding, a weakening or an error and what to do about it, without a network.",
            "0 explained · 2 unusable command line, or an unknown id",
            [
                "assay explain",
                "assay explain report.nonce.match",
                "assay explain gpu-binding-none",
                "assay explain measurements.vbios.match --format json",
            ])
        {
            id, format,
        };
        command.SetAction(parsed => Run(parsed.GetValue(id), parsed.GetValue(format) == Options.Json));
        return command;
    }

    private static int Run(string? id, bool json)
    {
        if (id is null)
        {
            return Print(json, [.. Explanations.All], list: true);
        }

        if (Explanations.Find(id) is { } found)
        {
            return Print(json, [found], list: false);
        }

        if (id.StartsWith("rego_", StringComparison.Ordinal) || id.StartsWith("eval_", StringComparison.Ordinal))
        {
            Output.Error("cli.finding", $"{id} is the code of an error of a policy: its message says what is wrong and where. docs/reference/rego.md describes the codes of policies");
            return ExitCode.Unusable;
        }

        var known = Explanations.All.Select(explanation => explanation.Id).ToArray();
        string[] near = [.. known.Where(one => one.Contains(id, StringComparison.OrdinalIgnoreCase) || (id.Length > 0 && id.Contains(one, StringComparison.OrdinalIgnoreCase))).Concat(Nearest.Of(id, known)).Distinct(StringComparer.Ordinal).Take(3)];
        Output.Error("cli.finding", $"{id} is not a finding, weakening or error of this version{(near.Length > 0 ? $"; did you mean {string.Join(", ", near)}?" : "")}: assay explain lists them all");
        return ExitCode.Unusable;
    }

    private static int Print(bool json, IReadOnlyList<Explanation> explanations, bool list)
    {
        if (json)
        {
            WriteJson(explanations, list);
        }
        else if (list)
        {
            foreach (var explanation in explanations)
            {
                Output.Out.WriteLine(explanation.Id);
            }
        }
        else
        {
            var explanation = explanations[0];
            Output.Out.MarkupLineInterpolated($"[bold]{explanation.Id}[/]");
            Paragraph("cause", explanation.Cause);
            Paragraph("cure", explanation.Cure);
            Output.Out.WriteLine($"  more   {explanation.Document}");
        }

        return ExitCode.Verified;
    }

    private static void Paragraph(string label, string text) => Output.Out.WriteLine(Folded.To($"  {label,-5}  {text}", Output.Out.Profile.Width));

    private static void WriteJson(IReadOnlyList<Explanation> explanations, bool list)
    {
        JsonOutput.Print(writer =>
        {
            if (list)
            {
                writer.WriteStartArray();
            }

            foreach (var explanation in explanations)
            {
                writer.WriteStartObject();
                writer.WriteString("id", explanation.Id);
                writer.WriteString("cause", explanation.Cause);
                writer.WriteString("cure", explanation.Cure);
                writer.WriteEndObject();
            }

            if (list)
            {
                writer.WriteEndArray();
            }
        });
    }
}

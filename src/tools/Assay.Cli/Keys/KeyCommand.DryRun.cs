using System.CommandLine;
using Assay.Cli.Services;
using Assay.Client.Service;
using Assay.Wire;

namespace Assay.Cli.Keys;

/// <summary>Whether a machine would get a key.</summary>
internal static partial class KeyCommand
{
    private static DescribedCommand DryRun()
    {
        var (options, id) = (new ServiceOptions(), Id());
        var file = new Option<string?>("--file") { Description = "a policy in place of the one in force", HelpName = "FILE" };
        var evidence = new Option<string?>("--evidence") { Description = "evidence of a machine that was kept; the policy's own tests alone, if it is not given", HelpName = "FILE" };
        var challenge = new Option<string?>("--challenge") { Description = "what the evidence answers", HelpName = "TEXT" };
        var at = new Option<string?>("--at") { Description = "judge at this instant instead of now", HelpName = "RFC3339" };
        var command = options.AddTo(new DescribedCommand("dry-run", "Tells whether a machine would get a key, and if not, why. Without evidence the policy is read, and its tests are run. Nothing is released.", "0 it would be released; without evidence: the policy's tests pass · 1 it would not, or the broker refused · 2 unusable command line or file · 3 the broker could not be reached", [$"assay key dry-run weights --file release.json --evidence machine.json {Account}"]), [file, evidence, challenge, at], id);
        command.SetAction((parsed, cancellation) => options.RunAsync(parsed, async service =>
        {
            DateTimeOffset? instant = null;
            if (parsed.GetValue(at) is { } when)
            {
                if (!Instant.TryRead(when, out var read, out var whyNot))
                {
                    Output.Error("cli.at", $"--at: {whyNot}");
                    return ExitCode.Unusable;
                }

                instant = read;
            }

            if (!TryJson("--file", parsed.GetValue(file), MostPolicy, out var policy) || !TryJson("--evidence", parsed.GetValue(evidence), Limits.EvidenceFileBytes, out var shown))
            {
                return ExitCode.Unusable;
            }

            var report = await service.PostAsync($"{PathOf(parsed.GetValue(id)!)}/policy/dry-run", ServiceConnection.Body(writer =>
            {
                Write(writer, "policy", policy);
                Write(writer, "evidence", shown);
                if (parsed.GetValue(challenge) is { } text)
                {
                    writer.WriteString("challenge", text);
                }

                if (instant is { } judged)
                {
                    writer.WriteString("at", judged);
                }
            }), root => root.Clone(), cancellation).ConfigureAwait(false);
            return DryRunPrinter.Print(report, shown is not null, options.IsJson(parsed));
        }));
        return command;
    }
}

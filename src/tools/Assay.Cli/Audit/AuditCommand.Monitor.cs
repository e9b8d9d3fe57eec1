using System.CommandLine;
using System.Globalization;
using Assay.Cli.Services;
using Assay.Collateral.Http;
using Assay.Log;

namespace Assay.Cli.Audit;

/// <summary><c>assay audit monitor</c>: a log only grows, and a witness outside the operator has seen the same.</summary>
internal static partial class AuditCommand
{
    private const int DefaultWitnessAge = 600;

    /// <summary>By whom the log must be cosigned.</summary>
    /// <param name="Key">Its key; null: by no witness.</param>
    /// <param name="Source">Where it is asked itself; null: the broker is asked for its cosignature.</param>
    /// <param name="MostAge">How old the cosignature may be.</param>
    private sealed record WitnessDemand(WitnessKey? Key, WitnessSource? Source, TimeSpan MostAge);

    private static DescribedCommand Monitor()
    {
        var (options, key, witness, state) = (new ServiceOptions(), LogKeyOption.Create(), LogKeyOption.CreateWitness(), State(isRequired: true));
        var every = new Option<int?>("--every") { Description = "look again after so many seconds, until interrupted; once, if it is not given", HelpName = "SECONDS" }.Within(1, 86400);
        var against = new Option<string?>("--against") { Description = "a checkpoint that another party was shown: the log must have it too", HelpName = "FILE" };
        var url = new Option<string?>("--witness-url") { Description = "address of the witness, which is asked itself what it has seen: without it the broker shows the cosignature, and an older database shows an older one. Goes with --witness", HelpName = "URL" };
        var age = new Option<int>("--max-witness-age") { Description = "how old the witness's cosignature may be", HelpName = "SECONDS", DefaultValueFactory = _ => DefaultWitnessAge }.Within(1, 31_536_000);
        var command = Of(
            "monitor", "Requires that the log only grows: the latest checkpoint must extend the one that was seen last, which is kept in a file.",
            [$"assay audit monitor --state seen.checkpoint {Account}", $"assay audit monitor --state seen.checkpoint --witness witness.key --witness-url https://witness.example.org {Account}"], options, [state, against, witness, url, age, every, key]);
        command.SetAction((parsed, cancellation) => WithKeysAsync(parsed, key, witness, (log, by) => options.RunAsync(parsed, async service =>
        {
            if (!TrySource(parsed.GetValue(url), by, out var asked))
            {
                return ExitCode.Unusable;
            }

            using (asked)
            {
                var (source, demand) = (new LogSource(service, log), new WitnessDemand(by, asked, TimeSpan.FromSeconds(parsed.GetValue(age))));
                if (parsed.GetValue(against) is { } theirs)
                {
                    var other = SeenCheckpoint.Read("--against", theirs, log) ?? throw new IOException($"--against: {theirs}: no such file");
                    await source.ExtendAsync(other, cancellation).ConfigureAwait(false);
                }

                while (true)
                {
                    await LookAsync(source, log, demand, parsed.GetValue(state)!, options.IsJson(parsed), cancellation).ConfigureAwait(false);
                    if (parsed.GetValue(every) is not { } seconds)
                    {
                        return ExitCode.Verified;
                    }

                    await Task.Delay(TimeSpan.FromSeconds(seconds), cancellation).ConfigureAwait(false);
                }
            }
        })));
        return command;
    }

    private static bool TrySource(string? url, WitnessKey? witness, out WitnessSource? source)
    {
        source = null;
        if (url is null)
        {
            return true;
        }

        if (witness is null)
        {
            Output.Error("cli.arguments", "--witness-url: --witness KEY is expected beside it: what the witness shows is believed by its cosignature");
            return false;
        }

        if (!ServiceAddress.TryParse(url, out var address, out var fault))
        {
            Output.Error("cli.url", $"--witness-url: {fault.Problem}");
            return false;
        }

        source = new WitnessSource(address);
        return true;
    }

    private static async Task LookAsync(LogSource source, NoteKey log, WitnessDemand demand, string state, bool json, CancellationToken cancellation)
    {
        var seen = SeenCheckpoint.Read("--state", state, log);
        var (head, note) = await source.ExtendAsync(seen, cancellation).ConfigureAwait(false);
        var witnessed = demand is not { Key: { } witness } ? null
            : demand.Source is { } asked ? await source.AskedAsync(asked, witness, cancellation).ConfigureAwait(false)
            : await source.WitnessedAsync(witness, cancellation).ConfigureAwait(false);
        if (witnessed is not null && TimeProvider.System.GetUtcNow() - witnessed.At is var old && old > demand.MostAge)
        {
            throw new LogFaultException(string.Create(CultureInfo.InvariantCulture, $"the witness {witnessed.Name} cosigned {witnessed.Size} entries at {Instant.Text(witnessed.At)}, {(long)old.TotalSeconds} seconds ago, and at most {(long)demand.MostAge.TotalSeconds} are accepted (--max-witness-age): the log is shown to the witness no more, or an older cosignature is shown to you. Ask the witness itself (--witness-url)"));
        }

        SeenCheckpoint.Write(state, note);
        if (json)
        {
            JsonOutput.Print(writer =>
            {
                Head(writer, head, seen);
                AuditPrinter.Write(writer, witnessed);
                writer.WriteEndObject();
            });
            return;
        }

        var by = witnessed is null ? "consistent, not witnessed"
            : string.Create(CultureInfo.InvariantCulture, $"witnessed by {witnessed.Name} up to {witnessed.Size} at {Instant.Text(witnessed.At)}{(demand.Source is null ? ", as the broker shows it" : ", as the witness says itself")}");
        Console.Out.WriteLine((seen is null ? $"{head.Origin} has {head.Size} entries; kept in {state}, which it must extend from now on"
            : head.Size == seen.Size ? $"{head.Origin} has {head.Size} entries, the same" : $"{head.Origin} has {head.Size} entries, and extends the {seen.Size} that were seen") + $"; {by}");
    }
}

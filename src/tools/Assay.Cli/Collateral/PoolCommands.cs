using System.CommandLine;
using Assay.Collateral.Staging;

namespace Assay.Cli.Collateral;

/// <summary><c>assay collateral promote</c>, <c>rollback</c>, <c>remove</c> and <c>list</c>. A server on the folder follows within a second.</summary>
internal static class PoolCommands
{
    private delegate bool Step(RimPool before, string set, out RimPool? after, out string done, out string? whyNot);

    public static DescribedCommand Promote() => Changing(
        "promote",
        "Serves a staged set to its pool, beside those that are promoted already.",
        "0 promoted · 1 refused, nothing was changed · 2 unusable command line, or the folder cannot be read or written",
        ["assay collateral promote --cache /var/lib/assay-collateral --pool canary --set 590.44"],
        static (RimPool before, string set, out RimPool? after, out string done, out string? whyNot) =>
    {
        var promoted = before.TryPromote(set, TimeProvider.System.GetUtcNow(), out after, out whyNot);
        done = $"pool {before.Name} is served set {set}";
        return promoted;
    });

    public static DescribedCommand Remove() => Changing(
        "remove",
        "Removes a set. If it was promoted its RIMs are denied from then on, but for those of other promoted sets.",
        "0 removed · 1 refused, nothing was changed · 2 unusable command line, or the folder cannot be read or written",
        ["assay collateral remove --cache /var/lib/assay-collateral --pool canary --set 580.82"],
        static (RimPool before, string set, out RimPool? after, out string done, out string? whyNot) =>
    {
        var removed = before.TryRemove(set, out after, out whyNot);
        done = $"removed set {set} from pool {before.Name}; {after?.Denied.Count ?? 0} RIMs are denied there";
        return removed;
    });

    public static DescribedCommand RollBack()
    {
        var options = new PoolOptions();
        var command = new DescribedCommand(
            "rollback",
            "Undoes the last promotion: its set is staged again. A removal is not undone.",
            "0 rolled back · 1 refused, nothing was changed · 2 unusable command line, or the folder cannot be read or written",
            [
                "assay collateral rollback --cache /var/lib/assay-collateral --pool canary",
            ])
        {
            options.Cache, options.Pool,
        };
        command.SetAction(parsed => Run(options, parsed, "", static (RimPool before, string _, out RimPool? after, out string done, out string? whyNot) =>
        {
            var undone = before.TryRollBack(out after, out var set, out whyNot);
            done = $"pool {before.Name} is no longer served set {set}, which is staged again{(after is { IsGoverned: false } ? "; no set is promoted, so it is served every RIM as before the first" : "")}";
            return undone;
        }));
        return command;
    }

    public static DescribedCommand List()
    {
        var (options, format) = (new PoolOptions(), Options.Format());
        var command = new DescribedCommand(
            "list",
            "Lists the pools of a cache, their sets and RIMs, and what is denied.",
            "0 listed · 2 unusable command line, or the folder cannot be read",
            [
                "assay collateral list --cache /var/lib/assay-collateral",
                "assay collateral list --cache /var/lib/assay-collateral --format json",
            ])
        {
            options.Cache, format,
        };
        command.SetAction(parsed => PoolOptions.Guarded(() =>
        {
            var pools = options.Existing(parsed).All();
            if (parsed.GetValue(format) == Options.Json)
            {
                PrintJson(pools);
            }
            else
            {
                PrintText(pools);
            }

            return ExitCode.Verified;
        }));
        return command;
    }

    private static DescribedCommand Changing(string name, string description, string exitCodes, string[] examples, Step step)
    {
        var options = new PoolOptions();
        var command = new DescribedCommand(name, description, exitCodes, examples) { options.Cache, options.Pool, options.Set };
        command.SetAction(parsed => Run(options, parsed, parsed.GetValue(options.Set)!, step));
        return command;
    }

    private static int Run(PoolOptions options, ParseResult parsed, string set, Step step) => PoolOptions.Guarded(() =>
    {
        var code = ExitCode.Verified;
        options.Existing(parsed).Change(parsed.GetValue(options.Pool)!, before =>
        {
            if (step(before, set, out var after, out var done, out var whyNot))
            {
                Console.Out.WriteLine(done);
                return after;
            }

            Output.Error("collateral.pool", whyNot!);
            code = ExitCode.Refused;
            return null;
        });
        return code;
    });

    private static void PrintText(IReadOnlyCollection<RimPool> pools)
    {
        foreach (var pool in pools)
        {
            Console.Out.WriteLine($"{pool.Name}: {(pool.IsGoverned ? "served its promoted sets alone" : "served every RIM, for no set was promoted yet")}");
            foreach (var set in pool.Sets)
            {
                Console.Out.WriteLine($"  {set.Name}: {(set.Promoted is { } promoted ? $"promoted {Instant.Text(promoted)}" : $"staged {Instant.Text(set.Staged)}")}");
                foreach (var id in set.Rims)
                {
                    Console.Out.WriteLine($"    {id}");
                }
            }

            foreach (var id in pool.Denied)
            {
                Console.Out.WriteLine($"  denied: {id}");
            }
        }

        if (pools.Count == 0)
        {
            Console.Out.WriteLine("no pool has a set: listeners that name no pool serve every RIM that verifies, those that name one none");
        }
    }

    private static void PrintJson(IReadOnlyCollection<RimPool> pools)
    {
        JsonOutput.Print(writer =>
        {
            writer.WriteStartArray();
            foreach (var pool in pools)
            {
                pool.WriteTo(writer);
            }

            writer.WriteEndArray();
        });
    }
}

using System.Collections.Immutable;
using System.CommandLine;
using Assay.Collateral.Staging;
using Assay.Endorsements;
using Assay.Reference;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Collateral;

/// <summary><c>assay collateral stage</c>.</summary>
internal static class StageCommand
{
    private const string Refused = "collateral.stage";

    public static DescribedCommand Create()
    {
        var options = new PoolOptions();
        var anchors = AnchorsFile.Option();
        var files = new Argument<string[]>("file") { Description = "RIMs, <id>.xml each, or folders of them", HelpName = "FILE", Arity = ArgumentArity.OneOrMore };
        var command = new DescribedCommand(
            "stage",
            "Verifies RIMs and stages them for a pool: only listeners of NAME+staged serve them until they are promoted.",
            "0 staged · 1 a RIM or the set is refused, nothing was staged · 2 unusable command line or file",
            [
                "assay collateral stage --cache /var/lib/assay-collateral --pool canary --set 590.44 rims/NV_GPU_DRIVER_GH100_590.44.xml",
                "assay collateral serve --cache /var/lib/assay-collateral --listen 10.0.0.5:8093 10.0.0.5:8094=canary 10.0.0.5:8095=canary+staged",
            ])
        {
            options.Cache, options.Pool, options.Set, anchors, files,
        };
        command.SetAction(parsed => PoolOptions.Guarded(() =>
        {
            var isRefused = false;
            var trust = AnchorsFile.Read(parsed.GetValue(anchors), (id, message) =>
            {
                isRefused = true;
                Output.Error(id, message);
            });
            if (isRefused)
            {
                return ExitCode.Unusable;
            }

            var (rims, code) = Verified(parsed.GetValue(files)!, trust);
            return code == ExitCode.Verified ? Stage(parsed.GetValue(options.Cache)!, parsed.GetValue(options.Pool)!, parsed.GetValue(options.Set)!, rims) : code;
        }));
        return command;
    }

    private static int Stage(string cache, string pool, string set, ImmutableArray<VerifiedItem> rims)
    {
        var now = TimeProvider.System.GetUtcNow();
        if (!Directory.Exists(cache))
        {
            Output.Error("collateral.pool", $"--cache: {cache} did not exist and was created: a running server uses another folder");
        }

        var folder = new PoolFolder(cache);
        var code = ExitCode.Verified;
        folder.Change(pool, before =>
        {
            if (!before.TryStage(set, rims.Select(rim => rim.Key.Id), now, out var after, out var whyNot))
            {
                Output.Error("collateral.pool", whyNot);
                code = ExitCode.Refused;
                return null;
            }

            // The bytes first: a set never names what is not there.
            foreach (var rim in rims)
            {
                folder.Add(rim, $"set {set} of pool {pool}", now);
            }

            return after;
        });
        if (code == ExitCode.Verified)
        {
            Console.Out.WriteLine($"staged {rims.Length} RIMs as set {set} for pool {pool}; promote it with: assay collateral promote --cache {Printable.Of(cache)} --pool {pool} --set {set}");
        }

        return code;
    }

    // All of them are looked at before one is refused, and one that is refused keeps all from being staged.
    private static (ImmutableArray<VerifiedItem> Rims, int Code) Verified(string[] paths, TrustSet trust)
    {
        var (verification, now) = (new ItemVerification(trust, new VerifierCache()), TimeProvider.System.GetUtcNow());
        string[] files = [.. paths.SelectMany(path => Directory.Exists(path) ? Directory.EnumerateFiles(path, "*.xml").Order(StringComparer.Ordinal) : Enumerable.Repeat(path, 1))];
        var rims = ImmutableArray.CreateBuilder<VerifiedItem>();
        var faults = Bar.Show("RIMs", tell =>
        {
            var all = new List<(string Id, string Message)>();
            foreach (var (index, file) in files.Index())
            {
                tell?.Invoke(new Step(index, files.Length, Progress.Of(index, files.Length, Path.GetFileName(file), Path.GetDirectoryName(file))));
                if (Verify(file, verification, now, out var rim) is { } fault)
                {
                    all.Add(fault);
                }
                else
                {
                    rims.Add(rim!);
                }
            }

            return all;
        });
        if (files.Length == 0)
        {
            faults.Add(("cli.file", "no RIM was found: files <id>.xml are expected"));
        }

        foreach (var (id, message) in faults)
        {
            Output.Error(id, message);
        }

        return (rims.ToImmutable(), faults.Count == 0 ? ExitCode.Verified : faults.Exists(fault => fault.Id != Refused) ? ExitCode.Unusable : ExitCode.Refused);
    }

    private static (string Id, string Message)? Verify(string path, ItemVerification verification, DateTimeOffset now, out VerifiedItem? rim)
    {
        rim = null;
        var id = Path.GetFileNameWithoutExtension(path);
        if (path.StartsWith('-') && !File.Exists(path))
        {
            return ("cli.arguments", $"{path}: no such option");
        }

        if (!RimIds.IsSafe(id))
        {
            return ("cli.file", $"{path}: the name of the file, without .xml, is the RIM's id");
        }

        if (!InputFile.TryRead(path, Limits.RimBytes, out var bytes, out var whyNot))
        {
            return ("cli.file", whyNot);
        }

        return verification.TryVerifyRim(id, bytes, out rim, out var fault) && rim.IsCurrent(now, out fault) ? null : (Refused, $"{path}: {fault}");
    }
}

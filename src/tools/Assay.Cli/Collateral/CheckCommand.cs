using System.Collections.Immutable;
using System.CommandLine;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Collateral;

/// <summary><c>assay collateral check</c>: what of a folder or a bundle ends when. Asks no service.</summary>
internal sealed class CheckCommand
{
    private const int DefaultDays = 30;
    private const int MostDays = 3650;

    private readonly Argument<string> _place = new("folder") { Description = "a cache's folder, one with RIMs, OCSP answers or collateral of processors, or a bundle's file", HelpName = "DIR|FILE" };
    private readonly Option<int> _within = new Option<int>("--within") { Description = "days (default 30); 0: what has already expired", HelpName = "DAYS", DefaultValueFactory = _ => DefaultDays }.Within(0, MostDays);
    private readonly Option<string[]> _learn = new("--learn") { Description = "PEM chains of devices, whose issuers judge OCSP answers", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };
    private readonly Option<string?> _anchors = AnchorsFile.Option();
    private readonly Option<string> _format = Options.Format();

    public static DescribedCommand Create()
    {
        var self = new CheckCommand();
        var command = new DescribedCommand(
            "check",
            "Says what collateral in a folder or in a bundle ends when, the first end first.",
            "0 nothing expires within the days · 1 something does, or is unusable · 2 unusable command line or folder, or no collateral in it",
            [
                "assay collateral check /var/lib/assay-collateral",
                "assay collateral check rack7.bundle --within 30",
                "assay collateral check rims --within 30 --format json",
            ])
        {
            self._place, self._within, self._learn, self._anchors, self._format,
        };
        command.SetAction(self.RunAsync);
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        if (!TryRead(parsed, out var place, out var chains, out var trust))
        {
            return ExitCode.Unusable;
        }

        var isCache = File.Exists(Path.Combine(place, "marks"));
        if (!CacheFolder.TryHold(isCache ? place : null, trust, out var held, out var notHeld))
        {
            Output.Error(notHeld.Value.Id, notHeld.Value.Id == CacheFolder.InUse ? $"{notHeld.Value.Message} (a running proxy says it at /v1/collateral, and in assay_collateral_expires_seconds)" : notHeld.Value.Message);
            return ExitCode.Unusable;
        }

        using (held)
        using (var nobody = new HttpUpstream(new UpstreamOptions()))
        {
            var verification = new ItemVerification(trust, new VerifierCache());
            if (CacheFolder.Open(verification, isCache ? place : null, nobody) is not { } cache)
            {
                return ExitCode.Unusable;
            }

            await using (cache.ConfigureAwait(false))
            {
                return TryLearn(chains, cache, verification) ? await CheckAsync(parsed, place, isCache, cache, verification, cancellation).ConfigureAwait(false) : ExitCode.Unusable;
            }
        }
    }

    private bool TryRead(ParseResult parsed, out string place, out ImmutableArray<(string File, byte[] Pem)> chains, out TrustSet trust)
    {
        var refused = false;
        void Refuse(string id, string message)
        {
            refused = true;
            Output.Error(id, message);
        }

        (place, trust) = (parsed.GetValue(_place)!, AnchorsFile.Read(parsed.GetValue(_anchors), Refuse));
        if (!Directory.Exists(place) && !File.Exists(place))
        {
            Refuse("cli.folder", $"the folder or file {place} does not exist");
        }

        var pems = ImmutableArray.CreateBuilder<(string, byte[])>();
        foreach (var file in parsed.GetValue(_learn) ?? [])
        {
            if (InputFile.TryRead(file, Limits.ChainTextBytes, out var bytes, out var whyNot))
            {
                pems.Add((file, bytes));
            }
            else
            {
                Refuse("cli.file", whyNot);
            }
        }

        chains = pems.ToImmutable();
        return !refused;
    }

    private static bool TryLearn(ImmutableArray<(string File, byte[] Pem)> chains, CollateralCache cache, ItemVerification verification)
    {
        foreach (var (file, pem) in chains)
        {
            if (!verification.TryVerifyAuthority(pem, out var proof, out var fault))
            {
                Output.Error("collateral.learn", $"{file}: {fault}");
                return false;
            }

            cache.AddAuthorities(proof);
        }

        return true;
    }

    private async Task<int> CheckAsync(ParseResult parsed, string place, bool isCache, CollateralCache cache, ItemVerification verification, CancellationToken cancellation)
    {
        CollateralBundle? bundle = null;
        ImmutableArray<CollateralEnd> ends;
        try
        {
            ends = await Bar.ShowAsync($"reading {place}", async tell => isCache ? await OfCacheAsync(cache, tell, cancellation).ConfigureAwait(false)
                : Directory.Exists(place) ? new CollateralEnds(verification, cache) { Tell = tell }.Read(place)
                : OfFile(place, new CollateralEnds(verification, cache) { Tell = tell }, out bundle)).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Output.Error("cli.folder", exception.Message);
            return ExitCode.Unusable;
        }

        if (ends.IsEmpty)
        {
            Output.Error("cli.folder", $"{place}: no collateral is in it: neither a bundle, nor a cache, nor RIMs (<id>.xml), OCSP answers, revocation lists, statements of Intel's or certificates");
            return ExitCode.Unusable;
        }

        var report = new CheckReport(ends, TimeProvider.System.GetUtcNow(), parsed.GetValue(_within), bundle);
        if (parsed.GetValue(_format) == Options.Json)
        {
            report.PrintJson();
        }
        else
        {
            report.PrintText();
        }

        return report.AllHold ? ExitCode.Verified : ExitCode.Refused;
    }

    // What is no bundle may be one file of a folder.
    private static ImmutableArray<CollateralEnd> OfFile(string path, CollateralEnds ends, out CollateralBundle? bundle)
    {
        bundle = null;
        return !InputFile.TryRead(path, Limits.BundleBytes, out var bytes, out var whyNot) ? throw new IOException(whyNot)
            : CollateralBundle.TryParse(bytes, out bundle, out _) ? ends.Read(bundle)
            : ends.Read(InputFile.NameOf(path), bytes);
    }

    // Each item is verified again as it is read, as before it is served.
    private static async Task<ImmutableArray<CollateralEnd>> OfCacheAsync(CollateralCache cache, Action<Step>? tell, CancellationToken cancellation)
    {
        var (items, ends) = (new List<(HeldItem Held, VerifiedItem Item)>(), ImmutableArray.CreateBuilder<CollateralEnd>());
        var all = cache.Held().ToArray();
        foreach (var (index, held) in all.Index())
        {
            tell?.Invoke(new Step(index, all.Length, Progress.Of(index, all.Length, held.Key.ToString(), "the cache")));
            var answer = await cache.GetAsync(held.Key, cancellation).ConfigureAwait(false);
            if (answer.Verified is { } item)
            {
                items.Add((held, item));
            }
            else
            {
                ends.Add(new CollateralEnd(held.Key.ToString(), held.Source, null, false, $"it is no longer served: {answer.WhyNot}"));
            }
        }

        VerifiedItem[] verified = [.. items.Select(one => one.Item)];
        ends.AddRange(items.Select(one => new CollateralEnd(BundleEnd.NameOf(one.Item, verified), one.Held.Source, one.Item.ValidUntil, true)));
        return ends.ToImmutable();
    }
}

using System.Collections.Immutable;
using System.CommandLine;
using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Cli.Collateral;

/// <summary><c>assay collateral check</c>: what of a folder ends when. Asks no service.</summary>
internal static class CheckCommand
{
    private const int MostDays = 3650;

    public static DescribedCommand Create()
    {
        var folder = new Argument<string>("folder") { Description = "a cache's folder, or one with RIMs, OCSP answers or collateral of processors", HelpName = "DIR" };
        var within = new Option<int>("--within") { Description = "days; 0: what has ended", HelpName = "DAYS", Required = true };
        within.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value: var text }] && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var days) || days > MostDays))
            {
                result.AddError($"--within: 0 to {MostDays} days are expected, found {text}");
            }
        });
        var learn = new Option<string[]>("--learn") { Description = "PEM chains of devices, whose issuers judge OCSP answers", HelpName = "FILE", AllowMultipleArgumentsPerToken = true };
        var (anchors, format) = (AnchorsFile.Option(), Options.Format());
        var command = new DescribedCommand(
            "check",
            "Says what collateral in a folder ends when, the first end first.",
            "0 nothing ends within the days · 1 something does, or is of no use · 2 unusable command line or folder, or no collateral in it",
            [
                "assay collateral check /var/lib/assay --within 30",
                "assay collateral check rims --within 30 --format json",
            ])
        {
            folder, within, learn, anchors, format,
        };
        command.SetAction((parsed, cancellation) => RunAsync(
            parsed.GetValue(folder)!, parsed.GetValue(within), parsed.GetValue(learn) ?? [], parsed.GetValue(anchors), parsed.GetValue(format) == Options.Json, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string folder, int days, string[] chains, string? anchors, bool json, CancellationToken cancellation)
    {
        var refused = false;
        void Refuse(string id, string message)
        {
            refused = true;
            Output.Error(id, message);
        }

        var trust = AnchorsFile.Read(anchors, Refuse);
        if (!Directory.Exists(folder))
        {
            Refuse("cli.folder", File.Exists(folder) ? $"{folder} is a file, a folder is expected" : $"the folder {folder} does not exist");
        }

        var pems = chains.Select(file => (File: file, Read: InputFile.TryRead(file, Limits.ChainTextBytes, out var bytes, out var whyNot), Bytes: bytes, WhyNot: whyNot)).ToArray();
        foreach (var (_, read, _, whyNot) in pems)
        {
            if (!read)
            {
                Refuse("cli.file", whyNot!);
            }
        }

        if (refused)
        {
            return ExitCode.Unusable;
        }

        var isCache = File.Exists(Path.Combine(folder, "marks"));
        if (!CacheFolder.TryHold(isCache ? folder : null, trust, out var held, out var notHeld))
        {
            Output.Error(notHeld.Value.Id, notHeld.Value.Id == CacheFolder.InUse ? $"{notHeld.Value.Message} (a running proxy says it at /v1/collateral, and in assay_collateral_expires_seconds)" : notHeld.Value.Message);
            return ExitCode.Unusable;
        }

        using (held)
        using (var nobody = new HttpUpstream(new UpstreamOptions()))
        {
            var verification = new ItemVerification(trust, new VerifierCache());
            if (CacheFolder.Open(verification, isCache ? folder : null, nobody) is not { } cache)
            {
                return ExitCode.Unusable;
            }

            await using (cache.ConfigureAwait(false))
            {
                foreach (var (file, _, bytes, _) in pems)
                {
                    if (!verification.TryVerifyAuthority(bytes, out var proof, out var fault))
                    {
                        Output.Error("collateral.learn", $"{file}: {fault}");
                        return ExitCode.Unusable;
                    }

                    cache.AddAuthorities(proof);
                }

                return await CheckAsync(folder, isCache, days, cache, verification, json, cancellation).ConfigureAwait(false);
            }
        }
    }

    private static async Task<int> CheckAsync(string folder, bool isCache, int days, CollateralCache cache, ItemVerification verification, bool json, CancellationToken cancellation)
    {
        ImmutableArray<CollateralEnd> ends;
        try
        {
            ends = isCache ? await OfCacheAsync(cache, cancellation).ConfigureAwait(false) : new CollateralEnds(verification, cache).Read(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Output.Error("cli.folder", exception.Message);
            return ExitCode.Unusable;
        }

        if (ends.IsEmpty)
        {
            Output.Error("cli.folder", $"{folder}: no collateral is in it: neither a cache, nor RIMs (<id>.xml), OCSP answers, revocation lists, statements of Intel's or certificates");
            return ExitCode.Unusable;
        }

        var now = TimeProvider.System.GetUtcNow();
        var rows = ends.OrderBy(end => end.Until ?? DateTimeOffset.MinValue).ThenBy(end => end.Name, StringComparer.Ordinal).Select(end => (End: end, State: StateOf(end, now, days))).ToArray();
        if (json)
        {
            PrintJson(rows, now, days);
        }
        else
        {
            PrintText(rows, now, days);
        }

        return rows.Any(row => row.State is not "holds") ? ExitCode.Refused : ExitCode.Verified;
    }

    // Each item is verified again as it is read, as before it is served.
    private static async Task<ImmutableArray<CollateralEnd>> OfCacheAsync(CollateralCache cache, CancellationToken cancellation)
    {
        var (items, ends) = (new List<(HeldItem Held, VerifiedItem Item)>(), ImmutableArray.CreateBuilder<CollateralEnd>());
        foreach (var held in cache.Held())
        {
            var answer = await cache.GetAsync(held.Key, cancellation).ConfigureAwait(false);
            if (answer.Verified is { } item)
            {
                items.Add((held, item));
            }
            else
            {
                ends.Add(new CollateralEnd(held.Key.ToString(), held.Source, null, false, $"it is not served any more: {answer.WhyNot}"));
            }
        }

        VerifiedItem[] all = [.. items.Select(one => one.Item)];
        ends.AddRange(items.Select(one => new CollateralEnd(BundleEnd.NameOf(one.Item, all), one.Held.Source, one.Item.ValidUntil, true)));
        return ends.ToImmutable();
    }

    private static string StateOf(CollateralEnd end, DateTimeOffset now, int days) =>
        end.Until is not { } until ? "unusable" : until < now ? "ended" : (until - now).TotalDays <= days ? "ends" : "holds";

    private static void PrintText((CollateralEnd End, string State)[] rows, DateTimeOffset now, int days)
    {
        foreach (var (end, state) in rows)
        {
            var until = end.Until is { } instant ? string.Create(CultureInfo.InvariantCulture, $"{Instant.Text(instant)}  {Math.Floor((instant - now).TotalDays),5} days") : new string(' ', 33);
            Console.Out.WriteLine(Printable.Of($"{state,-8}  {until}  {end.Name}  {end.File}{(end.WhyNot is { } why ? $": {why}" : end.IsVerified ? "" : " (signature not verified)")}"));
        }

        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{rows.Length} items: {rows.Count(row => row.State is "unusable")} unusable, {rows.Count(row => row.State is "ended")} ended, {rows.Count(row => row.State is "ends")} end within {days} days"));
    }

    private static void PrintJson((CollateralEnd End, string State)[] rows, DateTimeOffset now, int days)
    {
        using var output = Console.OpenStandardOutput();
        using (var writer = new Utf8JsonWriter(output, new JsonWriterOptions { Indented = true, Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartObject();
            writer.WriteString("at", Instant.Text(now));
            writer.WriteNumber("withinDays", days);
            writer.WriteStartArray("items");
            foreach (var (end, state) in rows)
            {
                writer.WriteStartObject();
                writer.WriteString("state", state);
                writer.WriteString("item", end.Name);
                writer.WriteString("source", end.File);
                if (end.Until is { } until)
                {
                    writer.WriteString("until", Instant.Text(until));
                    writer.WriteNumber("days", (long)Math.Floor((until - now).TotalDays));
                }

                writer.WriteBoolean("verified", end.IsVerified);
                if (end.WhyNot is { } whyNot)
                {
                    writer.WriteString("reason", whyNot);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        output.Write("\n"u8);
    }
}

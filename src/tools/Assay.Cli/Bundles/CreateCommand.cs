using System.CommandLine;
using Assay.Checks;
using Assay.Cli.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Files;
using Assay.Collateral.Gathering;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Assay.Trust.Jose;

namespace Assay.Cli.Bundles;

/// <summary><c>assay bundle create</c>.</summary>
internal static class CreateCommand
{
    public static DescribedCommand Create()
    {
        var options = new CreateOptions();
        var command = new DescribedCommand(
            "create",
            "Fetches all collateral that evidence needs, verifies it, and writes it as one signed file.",
            "0 written · 1 evidence that is not authentic · 2 unusable command line, evidence or key, or the file exists · 3 something is missing, nothing was written",
            [
                "assay bundle create --for gpu.json switch.json quote.bin --key site.pem --out rack7.bundle",
                "assay bundle create --for evidence/*.json --key one.pem two.pem --sequence 42 --cache /var/lib/assay-collateral --out rack7.bundle",
                "assay bundle create --for gpu.json --rim-store rims --ocsp-store ocsp --offline --key site.pem --out rack7.bundle",
            ]);
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellation) => RunAsync(options, parsed, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(CreateOptions options, ParseResult parsed, CancellationToken cancellation)
    {
        using var request = CreateRequest.Read(options, parsed, TimeProvider.System.GetUtcNow());
        if (request is null)
        {
            return ExitCode.Unusable;
        }

        if (!CacheFolder.TryHold(parsed.GetValue(options.Cache), request.Trust, out var held, out var whyNot))
        {
            Output.Error(whyNot.Value.Id, whyNot.Value.Id == CacheFolder.InUse ? $"{whyNot.Value.Message} (a running proxy is asked by its address: --rim-url, --ocsp-url and so on)" : whyNot.Value.Message);
            return ExitCode.Unusable;
        }

        using (held)
        {
            var verification = new ItemVerification(request.Trust, new VerifierCache());
            using var http = new HttpUpstream(request.Upstreams);
            var upstream = new LocalUpstream(parsed.GetValue(options.RimStore), parsed.GetValue(options.OcspStore), http);
            var told = new ToldSource(upstream, kind => request.From(kind));
            if (CacheFolder.Open(verification, parsed.GetValue(options.Cache), told) is not { } cache)
            {
                return ExitCode.Unusable;
            }

            await using (cache.ConfigureAwait(false))
            {
                var needs = new CollateralNeeds(cache, verification, request.Hashes);
                var faults = await Bar.ShowAsync("collateral", tell =>
                {
                    told.Tell = tell;
                    return GatherAsync(request, needs, upstream, parsed.GetValue(options.Channel)!, parsed.GetValue(options.ProcessorCollateral), cancellation);
                }).ConfigureAwait(false);
                return CodeOf(faults, needs) ?? Write(request, needs, verification, parsed.GetValue(options.Out)!, parsed.GetValue(options.Format) == Options.Json);
            }
        }
    }

    // Told when the bar is gone.
    private static int? CodeOf(List<(string Id, string Message)> faults, CollateralNeeds needs)
    {
        var missing = faults.Count > 0 ? [] : needs.Missing.Select(item => ("bundle.missing", $"{item.Name}: {item.WhyNot}")).ToArray();
        foreach (var (id, message) in faults.Concat(missing))
        {
            Output.Error(id, message);
        }

        return faults.Count > 0 ? ExitCode.Refused : missing.Length > 0 ? ExitCode.Incomplete : null;
    }

    private static async Task<List<(string Id, string Message)>> GatherAsync(CreateRequest request, CollateralNeeds needs, LocalUpstream upstream, string channel, string? cpuCollateral, CancellationToken cancellation)
    {
        var faults = new List<(string Id, string Message)>();
        void Refuse(string id, string? whyNot)
        {
            if (whyNot is not null)
            {
                faults.Add((id, whyNot));
            }
        }

        if (cpuCollateral is not null && !request.Evidence.Processors.Any())
        {
            Refuse("cli.bundle", "--cpu-collateral belongs to processor evidence in --for: names in --ids are asked of the services");
        }

        foreach (var cpu in cpuCollateral is null ? [] : request.Evidence.Processors)
        {
            var read = ProcessorCollateralFiles.TryRead(cpuCollateral!, cpu, out var collateral, out var passedOver, out var whyNot);
            foreach (var other in read ? passedOver : [])
            {
                Output.Error("cli.unused", $"--cpu-collateral: not used: {other}");
            }

            Refuse("cpu.collateral", read ? upstream.Add(cpu, collateral!, channel, cpuCollateral!) : whyNot);
        }

        foreach (var (source, pem) in request.Chains)
        {
            Refuse("collateral.learn", await needs.LearnAsync(pem, cancellation).ConfigureAwait(false) ? null : $"{source}: no chain of a device that ends at a trusted root");
        }

        var time = new EvaluationTime(request.Now, TimeSource.System);
        foreach (var devices in request.Evidence.Devices)
        {
            Refuse("evidence.authentic", await needs.AddAsync(devices, time, cancellation).ConfigureAwait(false));
        }

        foreach (var cpu in request.Evidence.Processors)
        {
            Refuse("cpu.malformed", await needs.AddAsync(cpu, channel, cancellation).ConfigureAwait(false));
        }

        foreach (var key in request.Ids)
        {
            await needs.AddAsync(key, cancellation).ConfigureAwait(false);
        }

        return faults;
    }

    private static int Write(CreateRequest request, CollateralNeeds needs, ItemVerification verification, string path, bool json)
    {
        var (manifest, items) = needs.ToBundle(request.Created, request.Sequence);
        var file = CollateralBundle.Write(manifest, items, request.Keys);
        // Nothing leaves the house that its readers would refuse.
        var expected = new BundleExpectations
        {
            Keys = JsonWebKeySet.Of(request.Keys.Select(key => key.PublicKey)),
            Threshold = request.Keys.Count,
            MinimumSequence = 0,
            Time = new EvaluationTime(request.Now, TimeSource.System),
        };
        if (!VerifiedBundle.TryVerify(file, expected, verification, out var bundle, out var fault))
        {
            Output.Error(fault.Id, $"its readers would refuse it: {fault.Reason}");
            return ExitCode.Refused;
        }

        try
        {
            using var stream = new FileStream(path, FileMode.CreateNew, FileAccess.Write);
            stream.Write(file);
            stream.Flush(flushToDisk: true);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Output.Error("cli.out", $"{path}: {exception.Message}");
            return ExitCode.Unusable;
        }

        if (json)
        {
            BundlePrinter.PrintJson(bundle.Authentic.Bundle, items);
        }
        else
        {
            BundlePrinter.Print(path, bundle.Authentic.Bundle, items, verbose: false);
        }

        return ExitCode.Verified;
    }
}

using System.CommandLine;
using System.Runtime.InteropServices;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Http;
using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Trust;
using Microsoft.Extensions.Logging;

namespace Assay.Cli.Collateral;

/// <summary><c>assay collateral serve</c>.</summary>
internal static class ServeCommand
{
    public static DescribedCommand Create()
    {
        var options = new ServeOptions();
        var command = new DescribedCommand(
            "serve",
            "Serves RIMs, OCSP answers, revocation lists and the processors' collateral, each verified before it is kept, until interrupted.",
            "0 interrupted · 1 a chain or bundle is refused · 2 unusable command line, or it cannot start",
            [
                "assay collateral serve --cache /var/lib/assay-collateral --learn gpu.json",
                "assay collateral serve --offline --bundle rack7.bundle --bundle-keys site.jwks --cache /var/lib/assay-collateral",
                "assay collateral serve --listen 10.0.0.5:8093 --cache /var/lib/assay-collateral --learn gpu.json switch.json --max-stale 48",
                "assay verify --evidence gpu.json --rim-url http://127.0.0.1:8093 --ocsp-url http://127.0.0.1:8093 --nonce $NONCE",
            ]);
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        command.SetAction((parsed, cancellation) => RunAsync(options, parsed, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(ServeOptions options, ParseResult parsed, CancellationToken cancellation)
    {
        if (!ServeRequest.TryRead(options, parsed, out var request, out var faults))
        {
            foreach (var (id, message) in faults)
            {
                Output.Error(id, message);
            }

            return ExitCode.Unusable;
        }

        using (request)
        {
            try
            {
                return await ServeAsync(request, cancellation).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Output.Error("collateral.start", exception.Message);
                return ExitCode.Unusable;
            }
        }
    }

    private static async Task<int> ServeAsync(ServeRequest request, CancellationToken cancellation)
    {
        if (!CacheFolder.TryHold(request.Folder, request.Trust, out var held, out var whyNot))
        {
            Output.Error(whyNot.Value.Id, whyNot.Value.Message);
            return ExitCode.Unusable;
        }

        using var holding = held;
        using var logs = ServeLog.Create();
        var verification = new ItemVerification(request.Trust, new VerifierCache());
        using var upstream = new HttpUpstream(request.Upstreams);
        var cache = new CollateralCache(verification, request.Folder, upstream, request.Policy, TimeProvider.System, logger: logs.CreateLogger<CollateralCache>());
        await using (cache.ConfigureAwait(false))
        {
            foreach (var (source, pem) in request.Chains)
            {
                if (!verification.TryVerifyAuthority(pem, out var proof, out var fault))
                {
                    Output.Error("collateral.learn", $"{source}: {fault}");
                    return ExitCode.Refused;
                }

                cache.AddAuthorities(proof);
            }

            if (!TryImport(request, cache, verification))
            {
                return ExitCode.Refused;
            }

            await ServeAsync(request, cache, upstream, verification, logs, cancellation).ConfigureAwait(false);
        }

        return ExitCode.Verified;
    }

    private static async Task ServeAsync(ServeRequest request, CollateralCache cache, HttpUpstream upstream, ItemVerification verification, ILoggerFactory logs, CancellationToken cancellation)
    {
        // What comes over standard input comes once.
        var files = request.Bundles.Where(bundle => bundle.Path != "-").Select(bundle => (bundle.Path, (ReadOnlyMemory<byte>)bundle.File));
        var watch = request.BundleSigners is { } signers ? new BundleWatch(files, cache, verification, signers, TimeProvider.System, logs.CreateLogger<BundleWatch>()) : null;
        // Held also where there is no bundle to read: a hang-up would end the process.
        using var hangUp = OperatingSystem.IsWindows() ? null : PosixSignalRegistration.Create(PosixSignal.SIGHUP, signal =>
        {
            signal.Cancel = true;
            watch?.Reload();
        });
        try
        {
            var proxy = await CollateralProxy.StartAsync(request.Proxy, cache, upstream, verification, TimeProvider.System, cancellation, logs).ConfigureAwait(false);
            await using (proxy.ConfigureAwait(false))
            {
                Tell(proxy, cache, request);
                await Task.Delay(Timeout.Infinite, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
        finally
        {
            if (watch is not null)
            {
                await watch.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private static void Tell(CollateralProxy proxy, CollateralCache cache, ServeRequest request)
    {
        foreach (var (index, address) in proxy.Addresses.Index())
        {
            var pool = request.Proxy.Pools.GetValueOrDefault(index) is { } view ? $" to pool {view.Pool}{(view.WithStaged ? ", with its staged sets" : "")}" : "";
            Console.Out.WriteLine($"serving collateral on {address}{pool}");
        }

        var kept = request.Folder is null ? "in memory" : Printable.Of($"in {request.Folder}");
        Console.Out.WriteLine($"{cache.Count} items {kept}, anchors {Printable.Of(request.Trust.Name)}");
        foreach (var (what, paths, source) in Routes(request.Upstreams))
        {
            Console.Out.WriteLine($"  {what,-32} {paths,-40} {source}");
        }

        Console.Out.WriteLine("clients take an address above as the base address of each of these services; a verification takes it as --collateral-url");
        if (cache.WhyNotClock() is { } whyNot)
        {
            Output.Error("collateral.clock", whyNot);
        }
    }

    /// <summary>What is served, where, and from where what is not held is fetched.</summary>
    private static IEnumerable<(string What, string Paths, string Source)> Routes(UpstreamOptions upstreams)
    {
        static string From(ServiceAddress? address) => address is null ? "what is held" : $"from {Printable.Of($"{address}")}";
        yield return ("RIMs", "/v1/rim/{id}, /v1/rim/ids", From(upstreams.Rim));
        yield return ("OCSP answers", "POST / and /ocsp, GET below them", From(upstreams.Ocsp));
        yield return ("revocation lists of NVIDIA", "/crl/{name}", From(upstreams.Crl));
        yield return ("Intel's collateral", "/sgx|tdx/certification/v4/...", From(upstreams.Intel));
        yield return ("revocation list of Intel's root", "/sgx/certification/v4/rootcacrl", From(upstreams.IntelRootCrl ?? upstreams.Intel));
        yield return ("AMD's collateral", "/vcek|vlek/v1/{product}/...", From(upstreams.Amd));
        foreach (var (name, address) in upstreams.KeySets.OrderBy(set => set.Key, StringComparer.Ordinal))
        {
            yield return ($"key set {Printable.Of(name)}", $"/v1/jwks/{Printable.Of(name)}", From(address));
        }

        yield return ("what is held; chains of devices", "/v1/collateral; POST /v1/chains", "this server");
        yield return ("health and metrics", "/healthz, /readyz, /metrics", "this server");
    }

    private static bool TryImport(ServeRequest request, CollateralCache cache, ItemVerification verification)
    {
        foreach (var (path, file) in request.Bundles)
        {
            var name = InputFile.NameOf(path);
            if (!VerifiedBundle.TryVerify(file, request.BundleExpectations!, verification, out var bundle, out var fault) || !cache.TryImport(bundle, name, out _, out fault))
            {
                Output.Error(fault.Id, $"{name}: {fault.Reason}");
                return false;
            }

            Console.Out.WriteLine(Printable.Of($"{name}: {bundle.Manifest.Items.Length} items, sequence {bundle.Manifest.Sequence}, valid until {Instant.Text(bundle.Manifest.GoodUntil)}, when {BundleEnd.FirstOf([.. bundle.Items])} ends"));
        }

        return true;
    }
}

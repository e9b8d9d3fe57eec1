using System.Net;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Gathering;
using Assay.Collateral.Http;
using Assay.Collateral.Items;
using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policies;
using Assay.Policy;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Cli.Demo;

/// <summary>What came of pulling the plug.</summary>
/// <param name="Proxied">The verdict while the services answer, through a proxy.</param>
/// <param name="Fetched">Requests that the services had for it.</param>
/// <param name="Cached">The verdict after the services were stopped.</param>
/// <param name="FromCache">Answers that the proxy then had at hand.</param>
/// <param name="Alone">The verdict after the proxy was stopped too, by a bundle and nothing else.</param>
/// <param name="Bundle">The bundle.</param>
/// <param name="Past">Why the bundle is refused a second past its date.</param>
internal sealed record DemoPlugOutcome(Verdict Proxied, int Fetched, Verdict Cached, long FromCache, Verdict Alone, BundleManifest Bundle, BundleFault? Past)
{
    public bool AsExpected => Proxied.Kind is VerdictKind.Pass && Cached.Kind is VerdictKind.Pass && Alone.Kind is VerdictKind.Pass && Past is { Id: "bundle.current" };
}

/// <summary>The demonstration of an outage: services on loopback, a proxy before them, and what is left when one after the other is stopped.</summary>
internal sealed class DemoPlug
{
    private readonly DemoStage _stage;
    private readonly ItemVerification _verification;
    private readonly FixedClock _clock;

    private DemoPlug(DemoStage stage)
    {
        _stage = stage;
        _verification = new ItemVerification(stage.Honest.Expected.Basis.Trust, new VerifierCache());
        _clock = new FixedClock(stage.World.Now);
    }

    public static Task<DemoPlugOutcome> PullAsync(DemoStage stage, CancellationToken cancellation) => new DemoPlug(stage).PullAsync(cancellation);

    private async Task<DemoPlugOutcome> PullAsync(CancellationToken cancellation)
    {
        var services = await DemoServices.StartAsync(_stage.World, cancellation).ConfigureAwait(false);
        var isUp = true;
        try
        {
            var address = Address(services.Address);
            using var upstream = new HttpUpstream(new UpstreamOptions { Rim = address, Ocsp = address, Crl = address });
            var cache = new CollateralCache(_verification, null, upstream, new CachePolicy(), _clock, refreshes: false);
            await using (cache.ConfigureAwait(false))
            {
                var evidence = Evidence();
                Learn(cache, evidence);
                var options = new ProxyOptions { Listen = [new IPEndPoint(IPAddress.Loopback, 0)] };
                var proxy = await CollateralProxy.StartAsync(options, cache, upstream, _verification, _clock, cancellation).ConfigureAwait(false);
                await using (proxy.ConfigureAwait(false))
                {
                    var proxied = await ThroughAsync(proxy, evidence, cancellation).ConfigureAwait(false);
                    var fetched = services.Requests;
                    var file = await BundleAsync(cache, evidence, cancellation).ConfigureAwait(false);
                    await services.DisposeAsync().ConfigureAwait(false);
                    isUp = false;
                    var before = Hits(cache);
                    var cached = await ThroughAsync(proxy, evidence, cancellation).ConfigureAwait(false);
                    var hits = Hits(cache) - before;
                    await proxy.DisposeAsync().ConfigureAwait(false);
                    var bundle = Verify(file, _stage.World.Now, out var fault) ?? throw new InvalidOperationException($"the demonstration's own bundle is refused: {fault}");
                    var alone = await JudgeAsync(new CollateralSources { Rims = bundle, Ocsp = bundle }, evidence, cancellation).ConfigureAwait(false);
                    _ = Verify(file, bundle.Manifest.GoodUntil.AddSeconds(1), out var past);
                    return new DemoPlugOutcome(proxied, fetched, cached, hits, alone, bundle.Manifest, past);
                }
            }
        }
        finally
        {
            if (isUp)
            {
                await services.DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private DeviceEvidence[] Evidence() =>
        EvidenceFile.TryParse(_stage.Honest.Evidence, "evidence.json", out var devices, out var fault) ? [.. devices] : throw new InvalidOperationException($"the simulator's own evidence cannot be read: {fault}");

    // What an operator gives with --learn: the chains by whose authorities answers about devices are judged.
    private void Learn(CollateralCache cache, DeviceEvidence[] evidence)
    {
        foreach (var device in evidence)
        {
            _ = _verification.TryVerifyAuthority(device.Chain, out var proof, out var fault) ? cache.AddAuthorities(proof) : throw new InvalidOperationException($"the simulator's own chain is refused: {fault}");
        }
    }

    private async Task<byte[]> BundleAsync(CollateralCache cache, DeviceEvidence[] evidence, CancellationToken cancellation)
    {
        var needs = new CollateralNeeds(cache, _verification, [OcspHash.Sha1]);
        var whyNot = await needs.AddAsync(evidence, _stage.Honest.Expected.Basis.Time, cancellation).ConfigureAwait(false) ?? (needs.Missing.IsEmpty ? null : $"{needs.Missing[0]}");
        var (manifest, items) = whyNot is null ? needs.ToBundle(_stage.World.Now, sequence: 1) : throw new InvalidOperationException(whyNot);
        return CollateralBundle.Write(manifest, items, _stage.SigningKey);
    }

    // A verifier of its own each time: nothing is left over from the run before.
    private VerifiedBundle? Verify(byte[] file, DateTimeOffset at, out BundleFault? fault)
    {
        var expected = new BundleExpectations { Keys = _stage.Keys, Threshold = 1, MinimumSequence = 1, Time = new EvaluationTime(at, TimeSource.System) };
        return VerifiedBundle.TryVerify(file, expected, new ItemVerification(_verification.Trust, new VerifierCache()), out var bundle, out fault) ? bundle : null;
    }

    private async Task<Verdict> ThroughAsync(CollateralProxy proxy, DeviceEvidence[] evidence, CancellationToken cancellation)
    {
        var address = Address(proxy.Addresses.Single());
        using var sources = new CollateralSources { Rims = new RimServiceClient(address, new CollateralHttpOptions()), Ocsp = new OcspClient(address, new CollateralHttpOptions()) };
        return await JudgeAsync(sources, evidence, cancellation).ConfigureAwait(false);
    }

    private Task<Verdict> JudgeAsync(CollateralSources sources, DeviceEvidence[] evidence, CancellationToken cancellation) =>
        new MachineAppraiser(sources, new VerifierCache()).AppraiseAsync(new MachineEvidence { Devices = [.. evidence] }, _stage.Honest.Expected, cancellation: cancellation);

    private static long Hits(CollateralCache cache) => cache.Meters.Read("hits", CollateralKind.Rim) + cache.Meters.Read("hits", CollateralKind.Ocsp);

    private static ServiceAddress Address(string text) => ServiceAddress.TryParse(text, out var address, out var fault) ? address : throw new InvalidOperationException($"{fault}");
}

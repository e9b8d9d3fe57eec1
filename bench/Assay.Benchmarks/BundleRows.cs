using System.Security.Cryptography;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Gathering;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using OcspCertId = Assay.Trust.Revocation.OcspCertId;
using OcspRequest = Assay.Trust.Revocation.OcspRequest;

namespace Assay.Benchmarks;

/// <summary>A bundle for a fleet: an answer about each device, and what all of them share.</summary>
internal static class BundleRows
{
    private const int Gpus = 1000;
    // A round takes a second or two: few of them, and the first to warm up.
    private const int Rounds = 7;

    public static IEnumerable<Row> Rows()
    {
        var (file, expected, trust) = MakeAsync().GetAwaiter().GetResult();
        var verification = new ItemVerification(trust, new VerifierCache());
        Require(file, expected, verification, out var cache);
        var (verifications, imports) = (cache.Meter.SignatureVerifications + 1, cache.Meter.KeyImports + 1);
        var raw = new RawVerification();
        raw.Verify(verifications, devices: Gpus);
        var pairs = new (Cost Work, Cost Bare)[Rounds];
        for (var round = 0; round < Rounds; round++)
        {
            pairs[round] = (Cost.Of(() => Require(file, expected, verification, out _)), Cost.Of(() => raw.Verify(verifications, devices: Gpus)));
        }

        yield return new Row(
            $"bundle of a fleet of {Gpus} GPUs, {file.Length / 1024} kB, nothing cached", verifications, imports,
            Suite.Median(pairs.Select(pair => pair.Work.CpuMilliseconds)),
            Suite.Median(pairs.Select(pair => pair.Work.WallMilliseconds)),
            Suite.Median(pairs.Select(pair => pair.Work.CpuMilliseconds / pair.Bare.CpuMilliseconds)),
            Suite.Median(pairs.Select(pair => pair.Work.AllocatedKilobytes)),
            1.2);
    }

    private static void Require(byte[] file, BundleExpectations expected, ItemVerification like, out VerifierCache cache)
    {
        cache = new VerifierCache();
        if (!VerifiedBundle.TryVerify(file, expected, new ItemVerification(like.Trust, cache), out _, out var fault))
        {
            throw new CryptographicException($"the benchmark's own bundle is refused: {fault}");
        }
    }

    private static async Task<(byte[] File, BundleExpectations Expected, TrustSet Trust)> MakeAsync()
    {
        var now = EvaluationTime.ReleaseDate.AddDays(1);
        using var authority = SimulatedAuthority.Create(now);
        var devices = Enumerable.Range(0, Gpus).Select(_ => SimulatedDevice.Create(authority, DeviceProfile.Hopper580)).ToArray();
        var set = SimulatedSet.Of(authority, devices[0], RandomNumberGenerator.GetBytes(32), now);
        _ = TrustSet.TryParse(SimulatedAnchors.ToJson(authority, "bench"), out var trust, out _);
        _ = EvidenceFile.TryParse(SimulatedEvidence.ToJson(set.Evidence), "bench", out var evidence, out _);
        var verification = new ItemVerification(trust!, new VerifierCache());
        var cache = new CollateralCache(verification, null, new Fleet(set, devices, now), new CachePolicy(), new At(now), refreshes: false);
        await using (cache.ConfigureAwait(false))
        {
            var needs = new CollateralNeeds(cache, verification, [OcspHash.Sha1]);
            _ = await needs.AddAsync(evidence, new EvaluationTime(now, TimeSource.System), CancellationToken.None).ConfigureAwait(false);
            foreach (var device in devices)
            {
                _ = Certificate.TryParse(device.Certificate.Issuer!.Der.Span, out var subject, out _);
                _ = Certificate.TryParse(device.Certificate.Issuer.Issuer!.Der.Span, out var issuer, out _);
                var asked = OcspCertId.For(subject!, issuer!, OcspHash.Sha1);
                _ = await needs.AddAsync(ItemVerification.KeyOf(asked, cache.FindIssuer(asked)!), CancellationToken.None).ConfigureAwait(false);
            }

            using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
            _ = SigningKey.TryParse(System.Text.Encoding.ASCII.GetBytes(ecdsa.ExportPkcs8PrivateKeyPem()), out var key, out _);
            using (key)
            {
                var (manifest, items) = needs.ToBundle(now, sequence: 1);
                var expected = new BundleExpectations { Keys = JsonWebKeySet.Of(key!.PublicKey), Threshold = 1, MinimumSequence = 1, Time = new EvaluationTime(now, TimeSource.System) };
                return items.Count > Gpus ? (CollateralBundle.Write(manifest, items, key), expected, trust!) : throw new InvalidOperationException($"{items.Count} items, and {needs.Missing.FirstOrDefault()}");
            }
        }
    }

    /// <summary>NVIDIA's services for the fleet, with delegated responders as they have them.</summary>
    private sealed class Fleet(SimulatedSet set, SimulatedDevice[] devices, DateTimeOffset now) : ICollateralSource
    {
        private readonly SimulatedCertificate[] _known = [.. set.Ocsp.Keys.Concat(devices.Select(device => device.Certificate.Issuer!)).Distinct()];
        private readonly Dictionary<SimulatedCertificate, SimulatedCertificate> _responders = [];

        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation) => Task.FromResult(question switch
        {
            { Key.Kind: CollateralKind.Rim } when set.Rims.FirstOrDefault(rim => rim.Id == question.Key.Id) is { } rim => Fetched.Item("bench", rim.Xml),
            { CertId: { } asked } => Fetched.Item("bench", SimulatedOcsp.Answer(OcspRequest.Encode(asked), [.. _known], Good, echoNonce: false)),
            _ => Fetched.Absent("bench", "404"),
        });

        private OcspAnswer Good(SimulatedCertificate certificate)
        {
            lock (_responders)
            {
                var issuer = certificate.Issuer!;
                if (!_responders.TryGetValue(issuer, out var responder))
                {
                    responder = _responders[issuer] = SimulatedAuthority.IssueOcspResponder(issuer, now.AddDays(-30), now.AddDays(30));
                }

                return new OcspAnswer { Certificate = certificate, Status = Simulator.CertificateStatus.Good, ThisUpdate = now.AddHours(-1), NextUpdate = now.AddDays(7), Responder = responder };
            }
        }
    }

    private sealed class At(DateTimeOffset now) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => now;
    }
}

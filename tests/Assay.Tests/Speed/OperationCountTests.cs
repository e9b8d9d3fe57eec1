using System.Diagnostics.Tracing;
using System.Security.Cryptography;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Files;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Speed;

/// <summary>What speed is made of, as counts: they are the same on every machine.</summary>
[Collection(nameof(AloneInTheProcess))]
public sealed class OperationCountTests : IDisposable
{
    private static readonly DateTimeOffset s_now = EvaluationTime.ReleaseDate.AddDays(1);
    private readonly SimulatedAuthority _authority = SimulatedAuthority.Create(s_now);
    private readonly byte[] _nonce = RandomNumberGenerator.GetBytes(Nonce.Size);
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-speed-").FullName;

    public void Dispose()
    {
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Nothing_is_verified_or_imported_twice_and_a_warm_verification_costs_three_signatures()
    {
        var (first, expected) = Make();
        var (second, _) = Make();
        var cache = new VerifierCache();

        // Chain 4, report 1, driver RIM 3 + 1; the VBIOS RIM shares its signers, so 1.
        // Nine keys, of which the two anchors' are imported once for as long as the trust set lives.
        Assert.Equal((10, 9), await CostAsync(first, expected, cache));
        Assert.Equal((10, 7), await CostAsync(first, expected, new VerifierCache()));
        // Another GPU: its report, its leaf, its device certificate.
        Assert.Equal((3, 2), await CostAsync(second, expected, cache));
        // The same GPU again: its report.
        Assert.Equal((1, 0), await CostAsync(second, expected, cache));
    }

    [Fact]
    public async Task Revocation_costs_a_signature_for_each_answer_and_responder_once()
    {
        var (first, expected) = Make();
        var required = expected with { Basis = expected.Basis with { Revocation = RevocationChecking.Required } };
        var cache = new VerifierCache();
        var cold = await CostAsync(first, required, cache);
        var again = await CostAsync(first, required, cache);

        // 6 distinct certificates are asked about (3 of the device, 3 of the RIM signers); each answer and each delegate is verified once.
        Assert.Equal(10 + 6 + 6, cold.Verifications);
        Assert.Equal((1, 0), again);
    }

    [Fact]
    public async Task Forged_evidence_sends_nobody_anywhere()
    {
        var (evidence, expected) = Make();
        var report = evidence.Report.ToArray();
        report[60] ^= 1;
        var source = new CountingSource(new DirectoryRimStore(Path.Combine(_folder, "rims")));

        var result = await new Appraiser(source, null, new VerifierCache()).AppraiseAsync([evidence with { Report = report }], expected, null, TestContext.Current.CancellationToken);

        Assert.Equal(VerdictKind.Fail, DefaultPolicy.Decide(result).Kind);
        Assert.Equal(0, source.Fetches);
    }

    [Fact]
    public async Task A_warm_verification_makes_no_large_object()
    {
        var (first, expected) = Make();
        var (second, _) = Make();
        var cache = new VerifierCache();
        var rims = new DirectoryRimStore(Path.Combine(_folder, "rims"));
        await VerifyAsync(first, expected, cache, rims);

        using var listener = new LargeObjects();
        for (var round = 0; round < 50; round++)
        {
            await VerifyAsync(round % 2 == 0 ? first : second, expected, cache, rims);
        }

        // The runtime reports late: a large object of our own, made last, shows that everything before it was reported.
        Assert.Equal("System.Int64[]", await listener.FirstAfterAsync(() => GC.KeepAlive(new long[20_000])));
    }

    [Fact]
    public async Task Several_devices_are_verified_on_several_threads()
    {
        var devices = Enumerable.Range(0, 4).Select(_ => Make()).ToArray();
        var cache = new VerifierCache();
        var rims = new DirectoryRimStore(Path.Combine(_folder, "rims"));

        var result = await new Appraiser(rims, null, cache).AppraiseAsync([.. devices.Select(device => device.Evidence)], devices[0].Expected, null, TestContext.Current.CancellationToken);

        Assert.Equal(VerdictKind.Pass, DefaultPolicy.Decide(result).Kind);
        // Racing threads may verify a shared link twice, and no more often than there are threads.
        Assert.InRange(cache.Meter.SignatureVerifications, 4 * 3 + 2 + 5, 4 * 10);
    }

    private async Task<(long Verifications, long Imports)> CostAsync(DeviceEvidence evidence, DeviceExpectations expected, VerifierCache cache)
    {
        var (verifications, imports) = (cache.Meter.SignatureVerifications, cache.Meter.KeyImports);
        await VerifyAsync(evidence, expected, cache, new DirectoryRimStore(Path.Combine(_folder, "rims")));
        return (cache.Meter.SignatureVerifications - verifications, cache.Meter.KeyImports - imports);
    }

    private async Task VerifyAsync(DeviceEvidence evidence, DeviceExpectations expected, VerifierCache cache, ICollateralSource rims)
    {
        var ocsp = new DirectoryOcspStore(Path.Combine(_folder, "ocsp"));
        var result = await new Appraiser(rims, ocsp, cache).AppraiseAsync([evidence], expected, null, TestContext.Current.CancellationToken);
        Assert.Equal(VerdictKind.Pass, DefaultPolicy.Decide(result).Kind);
    }

    private int _others;

    // The first device's RIMs serve all: one firmware, signed once.
    private (DeviceEvidence Evidence, DeviceExpectations Expected) Make()
    {
        var set = SimulatedSet.Of(_authority, SimulatedDevice.Create(_authority, DeviceProfile.Hopper580), _nonce, s_now);
        var target = Directory.Exists(Path.Combine(_folder, "rims")) ? Path.Combine(_folder, $"other {++_others}") : _folder;
        set.Write(target);
        Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(set.Evidence), "evidence", out var devices, out _));
        Assert.True(TrustSet.TryParse(SimulatedAnchors.ToJson(_authority, "speed"), out var trust, out _));
        Assert.True(Nonce.TryCreate(_nonce, out var nonce));
        return (devices[0], new DeviceExpectations
        {
            Nonce = nonce,
            Basis = new TrustBasis(new EvaluationTime(s_now, TimeSource.System), trust, RevocationChecking.DangerouslySkipped),
        });
    }

    private sealed class CountingSource(ICollateralSource inner) : ICollateralSource
    {
        public int Fetches { get; private set; }

        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
        {
            Fetches++;
            return inner.FetchAsync(question, cancellation);
        }

        public Task<System.Collections.Immutable.ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) => inner.ListRimsAsync(cancellation);
    }

    /// <summary>Types of allocated objects of 85,000 bytes or more, from the runtime's own events, in order.</summary>
    private sealed class LargeObjects : EventListener
    {
        private const EventKeywords Gc = (EventKeywords)0x1;
        private const uint Large = 1;
        private readonly TaskCompletionSource<string> _first = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<string> FirstAfterAsync(Action allocate)
        {
            allocate();
            return _first.Task.WaitAsync(Patience.Long, TestContext.Current.CancellationToken);
        }

        protected override void OnEventSourceCreated(EventSource eventSource)
        {
            if (eventSource.Name == "Microsoft-Windows-DotNETRuntime")
            {
                EnableEvents(eventSource, EventLevel.Verbose, Gc);
            }
        }

        protected override void OnEventWritten(EventWrittenEventArgs eventData)
        {
            var isTick = eventData.EventName?.StartsWith("GCAllocationTick", StringComparison.Ordinal) ?? false;
            if (isTick && eventData.Payload is [_, Large, _, _, _, string type, ..])
            {
                _first.TrySetResult(type);
            }
        }
    }
}

/// <summary>Tests that look at the whole process run when no other does.</summary>
[CollectionDefinition(nameof(AloneInTheProcess), DisableParallelization = true)]
public sealed class AloneInTheProcess;

using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Cache;
using Assay.Collateral.Gathering;
using Assay.Collateral.Items;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Simulator;
using Assay.Tests.Cpu;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Tests.Collateral;

/// <summary>What a site makes and its readers use.</summary>
public sealed class BundleTests(BundleWorld world) : IClassFixture<BundleWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void The_same_inputs_give_the_same_bytes_but_for_the_signature()
    {
        using var key = world.Site.ToSigningKey();
        BundleMark[] marks = [new("ocsp:b", new ItemRank(null, BundleWorld.Now.AddDays(-1), true)), new("crl:a", new ItemRank(5, BundleWorld.Now.AddDays(-2), false))];
        byte[] Write(IEnumerable<VerifiedItem> items, IEnumerable<BundleMark> with) =>
            CollateralBundle.Write(BundleManifest.Of(items, with, BundleWorld.Now, 7), world.Items.ToDictionary(item => item.Key), key);

        var (one, other) = (Write(world.Items, marks), Write(world.Items.Reverse(), marks.Reverse()));

        Assert.True(CollateralBundle.TryParse(one, out var first, out var fault), fault?.ToString());
        Assert.True(CollateralBundle.TryParse(other, out var second, out fault), fault?.ToString());
        Assert.Equal(first.Digest, second.Digest);
        // What follows the list of signatures, and what comes before it.
        Assert.True(WithoutSignatures(one).SequenceEqual(WithoutSignatures(other)));
        Assert.False(one.AsSpan().SequenceEqual(other));
    }

    [Fact]
    public void What_it_writes_is_what_the_description_of_the_format_says()
    {
        using var key = world.Site.ToSigningKey();
        var written = CollateralBundle.Write(BundleManifest.Of(world.Items, [], BundleWorld.Now, 7), world.Items.ToDictionary(item => item.Key), key);

        Assert.True(WithoutSignatures(written).SequenceEqual(WithoutSignatures(world.Honest.Write(world.Site.As(key.PublicKey.KeyId)))));
    }

    [Fact]
    public async Task A_device_is_verified_from_a_bundle_alone()
    {
        var bundle = world.Accepted(world.Honest.Write(world.Site));
        Assert.True(Nonce.TryCreate(System.Security.Cryptography.SHA256.HashData("cache"u8), out var nonce));
        var expected = new DeviceExpectations { Nonce = nonce, Basis = new TrustBasis(new EvaluationTime(BundleWorld.Now, TimeSource.System), world.World.Trust, RevocationChecking.Required) };

        var verdict = DefaultPolicy.Decide(await new Appraiser(bundle, bundle, new VerifierCache()).AppraiseAsync(world.Evidence, expected, null, Cancellation));

        Assert.Equal(VerdictKind.Pass, verdict.Kind);
        Assert.Equal(Assay.Tests.Tokens.TokenFixture.DevicesAlone, verdict.Weakened);
    }

    [Fact]
    public async Task What_a_bundle_lacks_is_missing_by_name()
    {
        var without = BundleForge.Of(world.Items.Where(item => item.Key != world.World.RimKey && item.Key != world.BromKey), BundleWorld.Now);
        var bundle = world.Accepted(without.Write(world.Site));
        var expected = new DeviceExpectations { Nonce = null, Basis = new TrustBasis(new EvaluationTime(BundleWorld.Now, TimeSource.System), world.World.Trust, RevocationChecking.Required) };

        var verdict = DefaultPolicy.Decide(await new Appraiser(bundle, bundle, new VerifierCache()).AppraiseAsync(world.Evidence, expected, null, Cancellation));

        Assert.Equal(VerdictKind.Incomplete, verdict.Kind);
        Assert.Contains(verdict.Appraisal.AllFindings, finding => finding.Id == "rim.driver.available" && finding.Reason!.Contains("not in the bundle (sequence", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_cannot_be_had_is_named_before_a_bundle_is_made()
    {
        var services = world.Services();
        var honest = services.Answer;
        services.Answer = question => question.Key == world.World.RimKey ? Task.FromResult(Fetched.Absent("test", "404")) : honest(question);
        await using var cache = world.World.Cache(services, new ManualTime(BundleWorld.Now));
        var needs = new CollateralNeeds(cache, world.Verification(), [OcspHash.Sha1]);

        Assert.Null(await needs.AddAsync(world.Evidence, new EvaluationTime(BundleWorld.Now, TimeSource.System), Cancellation));

        Assert.Equal([$"{world.World.RimKey}"], needs.Missing.Select(item => item.Name));
    }

    [Fact]
    public async Task Forged_evidence_sends_nobody_anywhere()
    {
        var services = world.Services();
        await using var cache = world.World.Cache(services, new ManualTime(BundleWorld.Now));
        var report = world.Evidence[0].Report.ToArray();
        report[^1] ^= 1;

        var whyNot = await new CollateralNeeds(cache, world.Verification(), [OcspHash.Sha1]).AddAsync([world.Evidence[0] with { Report = report }], new EvaluationTime(BundleWorld.Now, TimeSource.System), Cancellation);

        Assert.Contains("report.signature.valid", whyNot, StringComparison.Ordinal);
        Assert.Empty(services.Asked);
    }

    [Fact]
    public void Answers_of_one_delegate_cost_one_import_of_its_key()
    {
        var responder = SimulatedAuthority.IssueOcspResponder(world.World.Brom.Issuer!, BundleWorld.Now.AddDays(-30), BundleWorld.Now.AddDays(30));
        var verifier = new VerifierCache();
        var verification = new ItemVerification(world.World.Trust, verifier);
        Assert.True(verification.TryVerifyAuthority(world.Evidence[0].Chain, out var proof, out var fault), fault?.ToString());
        var (verifications, imports) = (verifier.Meter.SignatureVerifications, verifier.Meter.KeyImports);
        foreach (var (hash, name) in new[] { (OcspHash.Sha1, System.Security.Cryptography.HashAlgorithmName.SHA1), (OcspHash.Sha384, System.Security.Cryptography.HashAlgorithmName.SHA384) })
        {
            var asked = CacheWorld.CertId(world.World.Brom, hash);
            var issuer = proof.Authorities.Single(authority => asked.IsIssuedBy(authority.Certificate));
            var answer = SimulatedOcsp.Respond(CacheWorld.Good(world.World.Brom) with { Responder = responder, CertIdHash = name });
            Assert.True(verification.TryVerifyOcsp(asked, issuer, answer, out _, out fault), fault?.ToString());
        }

        // Both answers and the delegate's certificate; the issuer's key was at hand from its own chain.
        Assert.Equal(3, verifier.Meter.SignatureVerifications - verifications);
        Assert.Equal(1, verifier.Meter.KeyImports - imports);
    }

    [Theory]
    [InlineData("tdx")]
    [InlineData("snp")]
    public async Task Processors_are_verified_from_a_bundle_made_of_files(string technology)
    {
        var (evidence, collateral) = Processor(technology);
        var verification = new ItemVerification(SimulatedCpu.Trust, new VerifierCache());
        var local = new LocalUpstream(null, null, new ScriptedUpstream(_ => Task.FromResult(Fetched.Absent("test", "404"))));
        Assert.Null(local.Add(evidence, collateral, ProcessorNeeds.StandardChannel, "files"));
        await using var cache = new CollateralCache(verification, null, local, new CachePolicy(), new ManualTime(SimulatedCpu.Now), refreshes: false);
        var needs = new CollateralNeeds(cache, verification, [OcspHash.Sha1]);
        Assert.Null(await needs.AddAsync(evidence, ProcessorNeeds.StandardChannel, Cancellation));
        Assert.Empty(needs.Missing);
        using var key = world.Site.ToSigningKey();
        var (manifest, items) = needs.ToBundle(SimulatedCpu.Now, 1);
        var file = CollateralBundle.Write(manifest, items, key);

        var expected = new BundleExpectations { Keys = JsonWebKeySet.Of(key.PublicKey), Threshold = 1, MinimumSequence = 0, Time = new EvaluationTime(SimulatedCpu.Now, TimeSource.System) };
        Assert.True(VerifiedBundle.TryVerify(file, expected, new ItemVerification(SimulatedCpu.Trust, new VerifierCache()), out var bundle, out var fault), fault?.ToString());
        var result = ProcessorAppraisal.Appraise(evidence, ProcessorNeeds.Assemble(evidence, key => bundle.Find(key) is { } item ? new CollateralItem(item.Body, item.Chain) : null), Judging(), new VerifierCache());

        Assert.Empty(result.Missing);
        Assert.DoesNotContain(result.Findings, finding => finding.State is CheckState.Failed);
        Assert.Contains(result.Findings, finding => finding.Id.EndsWith(".not-revoked", StringComparison.Ordinal) && finding.State is CheckState.Held);
    }

    private static (ProcessorEvidence, ProcessorCollateral) Processor(string technology)
    {
        var (tdx, snp) = (SimulatedCpu.Tdx(5, true), SimulatedCpu.Snp(SnpLine.Genoa, 3, vlek: false));
        var (bytes, collateral) = technology == "tdx" ? (tdx.Quote, new ProcessorCollateral { Tdx = tdx.Collateral }) : (snp.Report, new ProcessorCollateral { Snp = snp.Collateral });
        Assert.True(ProcessorEvidence.TryParse(bytes, technology, out var evidence, out var fault), fault?.ToString());
        return (evidence, collateral);
    }

    private static ProcessorExpectations Judging() => new()
    {
        Key = null,
        AdditionalEvidence = "",
        ReportData = ReportData.TryCreate(SimulatedCpu.Data, out var data) ? data : null,
        TdxReferences = null,
        SnpReferences = null,
        SnpMinimumTcb = null,
        Basis = new TrustBasis(new EvaluationTime(SimulatedCpu.Now, TimeSource.System), SimulatedCpu.Trust, RevocationChecking.Required),
    };

    private static byte[] WithoutSignatures(byte[] file)
    {
        const int manifestAt = 13;
        var manifest = System.Buffers.Binary.BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(manifestAt));
        var signaturesAt = manifestAt + 4 + manifest;
        var signatures = System.Buffers.Binary.BinaryPrimitives.ReadInt32LittleEndian(file.AsSpan(signaturesAt));
        return [.. file[..signaturesAt], .. file[(signaturesAt + 4 + signatures)..]];
    }
}

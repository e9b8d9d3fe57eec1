using System.Collections.Immutable;
using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Collateral.Gathering;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Collateral;

/// <summary>A simulated GPU, everything that vouches for it gathered through a cache, and a site that signs bundles of it.</summary>
public sealed class BundleWorld : IAsyncLifetime
{
    internal CacheWorld World { get; } = new();

    internal ForgeKey Site { get; } = ForgeKey.New("site");

    internal ImmutableArray<VerifiedItem> Items { get; private set; }

    internal DeviceEvidence[] Evidence { get; private set; } = [];

    internal static DateTimeOffset Now => CacheWorld.Now;

    internal DateTimeOffset GoodUntil => Items.Min(item => item.ValidUntil);

    internal CollateralKey BromKey => Items.Single(item => item.Key.Kind is CollateralKind.Ocsp && item.Key.Id.Contains($"/{World.Brom.SerialNumber}/", StringComparison.OrdinalIgnoreCase)).Key;

    internal BundleForge Honest => BundleForge.Of(Items, Now);

    public async ValueTask InitializeAsync()
    {
        Assert.True(EvidenceFile.TryParse(SimulatedEvidence.ToJson(World.Set.Evidence), "evidence.json", out var devices, out var fault), fault?.ToString());
        Evidence = [.. devices];
        await using var cache = World.Cache(Services(), new ManualTime(Now));
        var needs = new CollateralNeeds(cache, Verification(), [OcspHash.Sha1]);
        Assert.Null(await needs.AddAsync(Evidence, new EvaluationTime(Now, TimeSource.System), CancellationToken.None));
        Assert.Empty(needs.Missing);
        Items = needs.Items;
    }

    public ValueTask DisposeAsync()
    {
        World.Dispose();
        return ValueTask.CompletedTask;
    }

    internal ItemVerification Verification() => new(World.Trust, new VerifierCache());

    /// <summary>NVIDIA's services, honest.</summary>
    internal ScriptedUpstream Services() => new(question => Task.FromResult(question switch
    {
        { Key.Kind: CollateralKind.Rim } when World.Set.Rims.FirstOrDefault(rim => rim.Id == question.Key.Id) is { } rim => Fetched.Item("test", rim.Xml),
        { Key.Kind: CollateralKind.Ocsp } => Fetched.Item("test", SimulatedOcsp.Answer(Assay.Trust.Revocation.OcspRequest.Encode(question.CertId!), [.. World.Set.Ocsp.Keys], certificate => CacheWorld.Good(certificate), echoNonce: false)),
        { Key.Kind: CollateralKind.Crl } when World.Authority.CrlIssuers.GetValueOrDefault(question.Key.Id) is { } issuer => Fetched.Item("test", SimulatedCrl.Issue(issuer, 5, Now.AddHours(-1), Now.AddDays(30))),
        _ => Fetched.Absent("test", "404"),
    }));

    internal BundleExpectations Expected(DateTimeOffset? at = null, TimeSource source = TimeSource.System) =>
        new() { Keys = ForgeKey.SetOf(Site), Threshold = 1, MinimumSequence = 0, Time = new EvaluationTime(at ?? Now, source) };

    internal VerifiedBundle Accepted(byte[] file, BundleExpectations? expected = null)
    {
        Assert.True(VerifiedBundle.TryVerify(file, expected ?? Expected(), Verification(), out var bundle, out var fault), fault?.ToString());
        return bundle;
    }

    internal BundleFault Refused(byte[] file, BundleExpectations? expected = null)
    {
        Assert.False(VerifiedBundle.TryVerify(file, expected ?? Expected(), Verification(), out _, out var fault));
        return fault!;
    }
}

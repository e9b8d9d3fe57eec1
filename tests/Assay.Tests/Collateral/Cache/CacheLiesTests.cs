using System.Text;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Trust;

namespace Assay.Tests.Collateral;

/// <summary>The programs of whoever stands between a cache and its upstream: whatever they send, nothing of it is kept or passed on.</summary>
public sealed class CacheLiesTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> RimLies => new()
    {
        { "another manifest", "mismatch" },
        { "a spoilt signature", "signature" },
        { "half of it", "malformed" },
        { "a foreign signer", "chain" },
        { "a signer that has ended", "not-current" },
        { "HTML", "malformed" },
        { "nothing", "malformed" },
    };

    public static TheoryData<string, string> OcspLies => new()
    {
        { "an answer about another certificate", "mismatch" },
        { "a spoilt signature", "signature" },
        { "half of it", "malformed" },
        { "a responder of another authority", "signature" },
        { "a window that is over", "not-current" },
        { "a window that has not begun", "not-current" },
        { "try later", "malformed" },
    };

    public static TheoryData<TdxFault, string> StatementLies => new()
    {
        { TdxFault.AlteredTcbInfo, "signature" },
        { TdxFault.ForeignTcbRoot, "chain" },
        { TdxFault.TcbInfoSignedByPck, "chain" },
        { TdxFault.OtherFmspc, "mismatch" },
        { TdxFault.ExpiredTcbInfo, "not-current" },
        { TdxFault.ExpiredTcbSigner, "not-current" },
    };

    [Theory]
    [MemberData(nameof(RimLies))]
    public async Task A_lie_about_a_manifest_is_neither_kept_nor_served(string lie, string reason)
    {
        var foreign = SimulatedAuthority.Create(CacheWorld.Now);
        ReadOnlyMemory<byte> body = lie switch
        {
            "another manifest" => world.OtherRim.Xml,
            "a spoilt signature" => world.Rim.WithSpoiledSignature().Xml,
            "half of it" => world.Rim.Xml[..(world.Rim.Xml.Length / 2)],
            "a foreign signer" => SimulatedRim.Sign(RimDraft.For(DeviceProfile.Hopper580).Single(draft => draft.Id == world.Rim.Id), foreign.IssueRimSigner(DeviceFamily.Hopper)).Xml,
            "a signer that has ended" => world.RimBy(CacheWorld.Now.AddYears(-2), CacheWorld.Now.AddSeconds(-1)).Xml,
            "HTML" => Encoding.ASCII.GetBytes("<html>hello</html>"),
            _ => ReadOnlyMemory<byte>.Empty,
        };

        await RefusedAsync(world.RimKey, body, default, reason);
    }

    [Theory]
    [MemberData(nameof(OcspLies))]
    public async Task A_lie_about_revocation_is_neither_kept_nor_served(string lie, string reason)
    {
        var other = world.Brom.Issuer!;
        var body = lie switch
        {
            "an answer about another certificate" => SimulatedOcsp.Respond(CacheWorld.Good(other)),
            "a spoilt signature" => SimulatedOcsp.Respond(CacheWorld.Good(world.Brom) with { SpoilSignature = true }),
            "half of it" => SimulatedOcsp.Respond(CacheWorld.Good(world.Brom))[..60],
            "a responder of another authority" => SimulatedOcsp.Respond(CacheWorld.Good(world.Brom) with { Responder = SimulatedAuthority.IssueOcspResponder(other.Issuer!, CacheWorld.Now.AddDays(-1), CacheWorld.Now.AddDays(1)) }),
            "a window that is over" => SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, CacheWorld.Now.AddDays(-9), TimeSpan.FromDays(7))),
            "a window that has not begun" => SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, CacheWorld.Now.AddHours(1))),
            _ => SimulatedOcsp.Refuse(Assay.Simulator.OcspResponseStatus.TryLater),
        };
        await using var cache = world.Cache(world.Honest(), new ManualTime(CacheWorld.Now));

        await RefusedAsync(CacheWorld.OcspKey(cache, world.Brom), body, default, reason);
    }

    [Theory]
    [MemberData(nameof(StatementLies))]
    public async Task A_lie_about_a_TCB_is_neither_kept_nor_served(TdxFault lie, string reason)
    {
        var (body, chain) = CacheWorld.TcbInfo(world.Intel, lie);

        await RefusedAsync(await TcbKeyAsync(), body, chain, reason);
    }

    [Fact]
    public async Task An_answer_about_a_certificate_of_an_unknown_issuer_is_not_even_asked_for()
    {
        var upstream = world.Honest();
        await using var cache = new CollateralCache(new ItemVerification(world.Trust, new VerifierCache()), null, upstream, new CachePolicy(), new ManualTime(CacheWorld.Now), refreshes: false);

        Assert.Null(cache.FindIssuer(CacheWorld.CertId(world.Brom)));
        var answer = await cache.GetAsync(new CollateralKey(CollateralKind.Ocsp, $"{new string('a', 96)}/01/sha1"), Cancellation);

        Assert.Equal(CacheFailure.Refused, answer.Failure);
        Assert.StartsWith("unknown-issuer", answer.WhyNot, StringComparison.Ordinal);
        Assert.Empty(upstream.Asked);
    }

    [Fact]
    public void A_chain_that_ends_elsewhere_makes_nobody_an_authority()
    {
        using var foreign = SimulatedAuthority.Create(CacheWorld.Now);
        using var device = SimulatedDevice.Create(foreign, DeviceProfile.Hopper580);
        var chain = Encoding.ASCII.GetBytes(string.Concat(device.Certificate.Chain.Select(certificate => certificate.Pem)));

        Assert.False(new ItemVerification(world.Trust, new VerifierCache()).TryVerifyAuthority(chain, out _, out var fault));
        Assert.Equal(ItemRefusal.Chain, fault.Refusal);
    }

    private async Task<CollateralKey> TcbKeyAsync()
    {
        var (body, chain) = CacheWorld.TcbInfo(world.Intel);
        var key = new CollateralKey(CollateralKind.TcbInfo, $"tdx/{Fmspc(body)}/standard");
        var upstream = world.Honest();
        upstream.Says(body, chain);
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now));
        var answer = await cache.GetAsync(key, Cancellation);
        Assert.True(answer.Item is not null, answer.WhyNot);
        Assert.Equal(Convert.ToHexString(body.Span), Convert.ToHexString(answer.Item.Body.Span));
        return key;
    }

    private static string Fmspc(ReadOnlyMemory<byte> body)
    {
        var text = Encoding.UTF8.GetString(body.Span);
        var start = text.IndexOf("\"fmspc\":\"", StringComparison.Ordinal) + 9;
        return text[start..(start + 12)];
    }

    // The lie is told to a cache that holds nothing, and to one that holds the truth.
    private async Task RefusedAsync(CollateralKey key, ReadOnlyMemory<byte> lie, ReadOnlyMemory<byte> chain, string reason)
    {
        var folder = world.NewFolder();
        var upstream = world.Honest();
        upstream.Says(lie, chain);
        await using (var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now), folder))
        {
            var answer = await cache.GetAsync(key, Cancellation);

            Assert.Null(answer.Item);
            Assert.Equal(CacheFailure.Refused, answer.Failure);
            Assert.StartsWith(reason + ":", answer.WhyNot, StringComparison.Ordinal);
            Assert.False(cache.TryGetHeld(key, out _));
            Assert.Equal(1, cache.Meters.Read("refused", key.Kind, reason));
            Assert.Equal(key, cache.Refused().Single().Key);
        }

        Assert.DoesNotContain(Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories), file => Path.GetFileName(Path.GetDirectoryName(file)) == CollateralKinds.NameOf(key.Kind));
    }
}

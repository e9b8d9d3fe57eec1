using Assay.Checks;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Collateral;

/// <summary>What a cache keeps, for how long, and what it gives out while nobody answers.</summary>
public sealed class CollateralCacheTests(CacheWorld world) : IClassFixture<CacheWorld>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_verified_is_given_out_to_the_byte_and_asked_for_once()
    {
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now), world.NewFolder());

        var first = await cache.GetAsync(world.RimKey, Cancellation);
        var second = await cache.GetAsync(world.RimKey, Cancellation);

        Assert.Equal((CacheState.Miss, CacheState.Hit), (first.State, second.State));
        Assert.True(second.Item!.Body.Span.SequenceEqual(world.Rim.Xml.Span));
        Assert.Single(upstream.Asked);
    }

    [Fact]
    public async Task A_thousand_at_one_time_are_one_request()
    {
        var gate = new TaskCompletionSource<Fetched<CollateralItem>>(TaskCreationOptions.RunContinuationsAsynchronously);
        var upstream = new ScriptedUpstream(_ => gate.Task);
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now));

        var asked = Enumerable.Range(0, 1000).Select(_ => cache.GetAsync(world.RimKey, Cancellation)).ToArray();
        gate.SetResult(Fetched.Item("test", world.Rim.Xml));
        var answers = await Task.WhenAll(asked);

        Assert.All(answers, answer => Assert.NotNull(answer.Item));
        Assert.Single(upstream.Asked);
    }

    [Fact]
    public async Task Whoever_goes_away_takes_nobody_elses_answer_with_him()
    {
        var gate = new TaskCompletionSource<Fetched<CollateralItem>>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var cache = world.Cache(new ScriptedUpstream(_ => gate.Task), new ManualTime(CacheWorld.Now));
        using var impatient = new CancellationTokenSource();

        var gone = cache.GetAsync(world.RimKey, impatient.Token);
        var stays = cache.GetAsync(world.RimKey, Cancellation);
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        gate.SetResult(Fetched.Item("test", world.Rim.Xml));

        Assert.NotNull((await stays).Item);
    }

    [Fact]
    public async Task There_is_none_and_nobody_answers_are_believed_for_times_of_their_own()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = new ScriptedUpstream(_ => Task.FromResult(Fetched.Absent("test", "404")));
        var policy = new CachePolicy();
        await using var cache = world.Cache(upstream, time, policy: policy);

        Assert.Equal(CacheFailure.Absent, (await cache.GetAsync(world.RimKey, Cancellation)).Failure);
        time.Now += policy.AbsentLife - TimeSpan.FromSeconds(1);
        Assert.Equal(CacheFailure.Absent, (await cache.GetAsync(world.RimKey, Cancellation)).Failure);
        Assert.Single(upstream.Asked);

        upstream.IsDown();
        time.Now += TimeSpan.FromSeconds(1);
        var down = await cache.GetAsync(world.RimKey, Cancellation);
        Assert.Equal(CacheFailure.Unreachable, down.Failure);
        Assert.InRange(down.RetryAfter!.Value, TimeSpan.FromSeconds(1), policy.LongestErrorLife);
        await cache.GetAsync(world.RimKey, Cancellation);
        Assert.Equal(2, upstream.Asked.Count);

        upstream.Says(world.Rim.Xml);
        time.Now += down.RetryAfter.Value;
        Assert.Equal(CacheState.Miss, (await cache.GetAsync(world.RimKey, Cancellation)).State);
    }

    [Fact]
    public async Task At_half_its_life_an_item_is_asked_for_again_beside_serving_it()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, time);
        await cache.GetAsync(world.RimKey, Cancellation);

        time.Now += TimeSpan.FromDays(7) * 0.39;
        await cache.RefreshAsync();
        Assert.Single(upstream.Asked);

        time.Now += TimeSpan.FromDays(7) * 0.22;
        await cache.RefreshAsync();
        Assert.Equal(2, upstream.Asked.Count);
        Assert.Equal(time.Now, cache.Held().Single(item => item.Key == world.RimKey).Fetched);
    }

    [Fact]
    public async Task Thirty_days_before_a_signer_ends_its_manifest_is_asked_for_again()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        upstream.Says(world.RimBy(CacheWorld.Now.AddYears(-1), CacheWorld.Now.AddDays(31)).Xml);
        await using var cache = world.Cache(upstream, time);
        await cache.GetAsync(world.RimKey, Cancellation);

        time.Now += TimeSpan.FromDays(1) + TimeSpan.FromMinutes(1);
        upstream.Says(world.RimBy(CacheWorld.Now.AddDays(-1), CacheWorld.Now.AddYears(2)).Xml);
        await cache.RefreshAsync();

        Assert.True(cache.Held().Single(item => item.Key == world.RimKey).SignersUntil > CacheWorld.Now.AddYears(1));
    }

    [Fact]
    public async Task While_nobody_answers_what_still_holds_is_given_out_and_nothing_after_its_end()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, time);
        var key = CacheWorld.OcspKey(cache, world.Brom);
        upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, life: TimeSpan.FromDays(3))));
        await cache.GetAsync(key, Cancellation);
        upstream.IsDown();

        time.Now = CacheWorld.Now.AddDays(2);
        var stale = await cache.GetAsync(key, Cancellation);
        Assert.Equal(CacheState.Stale, stale.State);

        time.Now = CacheWorld.Now.AddHours(-1).AddDays(3);
        Assert.Equal(CacheState.Stale, (await cache.GetAsync(key, Cancellation)).State);

        time.Now += TimeSpan.FromSeconds(1);
        var over = await cache.GetAsync(key, Cancellation);
        Assert.Null(over.Item);
        Assert.Equal(CacheFailure.Unreachable, over.Failure);
    }

    [Fact]
    public async Task A_sites_own_bound_on_staleness_ends_it_earlier()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, time, policy: CacheWorld.Patient with { MostStale = TimeSpan.FromHours(6) });
        var key = CacheWorld.OcspKey(cache, world.Brom);
        upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom)));
        await cache.GetAsync(key, Cancellation);
        upstream.IsDown();

        time.Now = CacheWorld.Now.AddDays(1).AddHours(6);
        Assert.Equal(CacheState.Stale, (await cache.GetAsync(key, Cancellation)).State);
        time.Now += TimeSpan.FromSeconds(1);
        Assert.Null((await cache.GetAsync(key, Cancellation)).Item);
    }

    [Fact]
    public async Task A_good_that_is_older_than_a_seen_revoked_never_wins()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        var folder = world.NewFolder();
        CollateralKey key;
        await using (var cache = world.Cache(upstream, time, folder))
        {
            key = CacheWorld.OcspKey(cache, world.Brom);
            upstream.Says(SimulatedOcsp.Respond(CacheWorld.Revoked(world.Brom)));
            Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Revoked, (await cache.GetAsync(key, Cancellation)).Verified!.Status);

            upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom, CacheWorld.Now.AddHours(-2))));
            time.Now += TimeSpan.FromMinutes(40);
            await cache.RefreshAsync();
            Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Revoked, (await cache.GetAsync(key, Cancellation)).Verified!.Status);
            Assert.Equal(1, cache.Meters.Read("refused", CollateralKind.Ocsp, "older"));

            // Of one instant, the revocation wins.
            upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom)));
            time.Now += TimeSpan.FromHours(1);
            Assert.NotEqual(Assay.Trust.Revocation.CertificateStatus.Good, (await cache.GetAsync(key, Cancellation)).Verified?.Status);

            // Evicted items leave their marks.
            Assert.True(cache.Remove(key));
        }

        await using var next = world.Cache(upstream, time, folder);
        var again = await next.GetAsync(key, Cancellation);
        Assert.Null(again.Item);
        Assert.StartsWith("older", again.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_revocation_under_one_hash_is_one_under_every_hash()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, time);
        var (sha1, sha384) = (CacheWorld.OcspKey(cache, world.Brom), CacheWorld.OcspKey(cache, world.Brom, OcspHash.Sha384));
        upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom)));
        Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Good, (await cache.GetAsync(sha1, Cancellation)).Verified!.Status);

        upstream.Says(SimulatedOcsp.Respond(CacheWorld.Revoked(world.Brom, CacheWorld.Now.AddMinutes(-1)) with { CertIdHash = System.Security.Cryptography.HashAlgorithmName.SHA384 }));
        Assert.Equal(Assay.Trust.Revocation.CertificateStatus.Revoked, (await cache.GetAsync(sha384, Cancellation)).Verified!.Status);

        upstream.IsDown();
        Assert.Null((await cache.GetAsync(sha1, Cancellation)).Item);
    }

    [Fact]
    public async Task An_older_manifest_or_statement_replaces_nothing()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        var newer = world.RimBy(CacheWorld.Now.AddDays(-1), CacheWorld.Now.AddYears(2));
        upstream.Says(newer.Xml);
        await using var cache = world.Cache(upstream, time);
        await cache.GetAsync(world.RimKey, Cancellation);

        upstream.Says(world.Rim.Xml);
        time.Now += TimeSpan.FromDays(8);
        var answer = await cache.GetAsync(world.RimKey, Cancellation);

        Assert.Equal(CacheState.Stale, answer.State);
        Assert.True(answer.Item!.Body.Span.SequenceEqual(newer.Xml.Span));
        Assert.Equal(1, cache.Meters.Read("refused", CollateralKind.Rim, "older"));
    }

    [Fact]
    public async Task After_a_restart_nothing_is_read_before_it_is_asked_for_and_everything_is_verified_again()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        var folder = world.NewFolder();
        await using (var cache = world.Cache(upstream, time, folder))
        {
            await cache.GetAsync(world.RimKey, Cancellation);
        }

        upstream.IsDown();
        var verifier = new VerifierCache();
        await using var next = new CollateralCache(new ItemVerification(world.Trust, verifier), folder, upstream, new CachePolicy(), time, refreshes: false);
        Assert.Equal(0, verifier.Meter.SignatureVerifications);
        Assert.Equal(0, next.Meters.Read("loads", CollateralKind.Rim));
        Assert.Contains(next.Held(), item => item.Key == world.RimKey);

        var answer = await next.GetAsync(world.RimKey, Cancellation);
        Assert.Equal(CacheState.Hit, answer.State);
        Assert.True(verifier.Meter.SignatureVerifications > 0);
        Assert.True(answer.Item!.Body.Span.SequenceEqual(world.Rim.Xml.Span));
    }

    [Theory]
    [InlineData("body")]
    [InlineData("header")]
    [InlineData("cut")]
    [InlineData("another item")]
    public async Task A_damaged_file_is_set_aside_and_asked_for_again(string damage)
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        var folder = world.NewFolder();
        await using (var cache = world.Cache(upstream, time, folder))
        {
            await cache.GetAsync(world.RimKey, Cancellation);
        }

        var file = Directory.EnumerateFiles(Path.Combine(folder, "rim")).Single();
        var bytes = await File.ReadAllBytesAsync(file, Cancellation);
        var end = Array.IndexOf(bytes, (byte)'\n');
        switch (damage)
        {
            case "body":
                bytes[end + 2000] ^= 1;
                break;
            case "header":
                bytes[5] ^= 1;
                break;
            case "cut":
                bytes = bytes[..^10];
                break;
            default:
                // A whole and authentic file of another key in its place: header and content are right, and not what was asked for.
                bytes = ReplacedBody(bytes[..end], world.OtherRim.Xml.ToArray());
                break;
        }

        await File.WriteAllBytesAsync(file, bytes, Cancellation);
        await using var next = world.Cache(upstream, time, folder);
        var answer = await next.GetAsync(world.RimKey, Cancellation);

        Assert.Equal(CacheState.Miss, answer.State);
        Assert.True(answer.Item!.Body.Span.SequenceEqual(world.Rim.Xml.Span));
        Assert.Single(Directory.EnumerateFiles(Path.Combine(folder, "rim"), "*.damaged"));
    }

    [Fact]
    public async Task A_clock_behind_what_verified_judges_nothing()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = world.Honest();
        await using var cache = world.Cache(upstream, time);
        var key = CacheWorld.OcspKey(cache, world.Brom);
        upstream.Says(SimulatedOcsp.Respond(CacheWorld.Good(world.Brom)));
        await cache.GetAsync(key, Cancellation);

        time.Now = CacheWorld.Now.AddDays(-1);
        Assert.Equal(CacheFailure.Clock, (await cache.GetAsync(key, Cancellation)).Failure);
        time.Now = EvaluationTime.ReleaseDate.AddDays(-1);
        Assert.Equal(CacheFailure.Clock, (await cache.GetAsync(key, Cancellation)).Failure);

        // A jump ahead makes everything end, and back again nothing is worse than before.
        time.Now = CacheWorld.Now.AddYears(10);
        upstream.IsDown();
        Assert.Null((await cache.GetAsync(key, Cancellation)).Item);
        time.Now = CacheWorld.Now.AddMinutes(1);
        Assert.Equal(CacheState.Hit, (await cache.GetAsync(key, Cancellation)).State);
    }

    [Fact]
    public async Task Bounds_hold_and_the_least_recently_used_goes()
    {
        var time = new ManualTime(CacheWorld.Now);
        var upstream = new ScriptedUpstream(question => Task.FromResult(Fetched.Item("test", world.Set.Rims.Single(rim => rim.Id == question.Key.Id).Xml)));
        await using var cache = world.Cache(upstream, time, world.NewFolder());
        var authorities = cache.Count;
        await cache.GetAsync(world.RimKey, Cancellation);
        authorities = cache.Count - 1;
        await using var bounded = world.Cache(upstream, time, world.NewFolder(), CacheWorld.Patient with { MostEntries = authorities + 1 });
        await bounded.GetAsync(world.RimKey, Cancellation);
        time.Now += TimeSpan.FromMinutes(1);
        await bounded.GetAsync(new CollateralKey(CollateralKind.Rim, world.OtherRim.Id), Cancellation);

        Assert.Equal(authorities + 1, bounded.Count);
        Assert.False(bounded.TryGetHeld(world.RimKey, out _));
        Assert.True(bounded.TryGetHeld(new CollateralKey(CollateralKind.Rim, world.OtherRim.Id), out _));
    }

    [Fact]
    public async Task What_could_not_be_remembered_as_seen_is_not_kept()
    {
        var upstream = new ScriptedUpstream(question => Task.FromResult(Fetched.Item("test", world.Set.Rims.Single(rim => rim.Id == question.Key.Id).Xml)));
        await using var full = world.Cache(upstream, new ManualTime(CacheWorld.Now), world.NewFolder(), CacheWorld.Patient with { MostMarks = 1 });

        var answer = await full.GetAsync(world.RimKey, Cancellation);

        Assert.Null(answer.Item);
        Assert.Contains("no-room", answer.WhyNot, StringComparison.Ordinal);
        Assert.False(full.TryGetHeld(world.RimKey, out _));
        Assert.Equal(1, full.Meters.Read("refused", CollateralKind.Rim, "no-room"));
    }

    [Fact]
    public async Task Names_that_nobody_has_fill_nothing()
    {
        var upstream = new ScriptedUpstream(_ => Task.FromResult(Fetched.Absent("test", "404")));
        await using var cache = world.Cache(upstream, new ManualTime(CacheWorld.Now), world.NewFolder());
        var before = cache.Count;

        for (var index = 0; index < 20_000; index++)
        {
            await cache.GetAsync(new CollateralKey(CollateralKind.Rim, $"NV_GPU_DRIVER_GH100_{index}"), Cancellation);
        }

        Assert.Equal(before, cache.Count);
    }

    [Fact]
    public async Task What_a_killed_process_left_behind_is_removed()
    {
        var folder = world.NewFolder();
        await using (var cache = world.Cache(world.Honest(), new ManualTime(CacheWorld.Now), folder))
        {
            await cache.GetAsync(world.RimKey, Cancellation);
        }

        var left = Path.Combine(folder, "rim", "abc.item.123.1.new");
        await File.WriteAllBytesAsync(left, [1, 2, 3], Cancellation);
        await File.AppendAllTextAsync(Path.Combine(folder, "marks"), "rim:half", Cancellation);
        await using var next = world.Cache(world.Honest(), new ManualTime(CacheWorld.Now), folder);

        Assert.False(File.Exists(left));
        Assert.Equal(CacheState.Hit, (await next.GetAsync(world.RimKey, Cancellation)).State);
    }

    [Fact]
    public async Task A_full_disk_costs_persistence_and_not_service()
    {
        var folder = world.NewFolder();
        await using var cache = world.Cache(world.Honest(), new ManualTime(CacheWorld.Now), folder);
        // A file where the folder of a kind should be: no disk takes an item there.
        await File.WriteAllTextAsync(Path.Combine(folder, "rim"), "", Cancellation);

        Assert.Equal(CacheState.Miss, (await cache.GetAsync(world.RimKey, Cancellation)).State);
        Assert.Equal(CacheState.Hit, (await cache.GetAsync(world.RimKey, Cancellation)).State);
        Assert.Equal(1, cache.Meters.Read("store_errors", CollateralKind.Rim));
    }

    private static byte[] ReplacedBody(byte[] header, byte[] body)
    {
        var json = System.Text.Json.Nodes.JsonNode.Parse(header)!;
        json["sha256"] = Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(body));
        json["body"] = body.Length;
        return [.. System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()), (byte)'\n', .. body];
    }
}

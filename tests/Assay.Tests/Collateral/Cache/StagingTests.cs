using System.Net;
using System.Text.Json;
using Assay.Collateral.Staging;
using Assay.Collateral.Upstreams;
using Assay.Tests.Cli;

namespace Assay.Tests.Collateral;

/// <summary>RIMs that are staged for a pool, promoted, rolled back and removed: by commands, while a server runs on the folder.</summary>
public sealed class StagingTests(LiveServices live) : IClassFixture<LiveServices>
{
    private static readonly AssayCommand s_assay = new();
    private static readonly DateTimeOffset s_now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void The_default_pool_serves_everything_until_its_first_promotion_and_others_nothing()
    {
        var (open, canary) = (new RimPool { Name = RimPool.Default }, new RimPool { Name = "canary" });
        Assert.True(open.Serves("a", withStaged: false));
        Assert.False(canary.Serves("a", withStaged: true));

        var staged = Staged(open, "one", "a");
        Assert.True(staged.Serves("b", withStaged: false));
        var promoted = Promoted(staged, "one");
        Assert.True(promoted.Serves("a", withStaged: false));
        Assert.False(promoted.Serves("b", withStaged: false));

        Assert.True(promoted.TryRollBack(out var back, out var set, out _));
        Assert.Equal("one", set);
        Assert.False(back.IsGoverned);
    }

    [Fact]
    public void Sets_are_promoted_beside_each_other_and_a_removed_one_is_denied_but_for_what_others_have()
    {
        var pool = Promoted(Staged(Promoted(Staged(new RimPool { Name = RimPool.Default }, "old", "driver-1", "vbios"), "old"), "new", "driver-2", "vbios"), "new");
        Assert.True(pool.Serves("driver-1", withStaged: false) && pool.Serves("driver-2", withStaged: false));

        Assert.True(pool.TryRemove("old", out var without, out _));
        Assert.False(without.Serves("driver-1", withStaged: true));
        Assert.True(without.Serves("vbios", withStaged: false));
        Assert.Equal(["driver-1"], without.Denied);

        // A roll-back does not bring back what was removed, and the last set's removal opens nothing.
        Assert.True(without.TryRollBack(out var back, out _, out _));
        Assert.False(back.Serves("driver-1", withStaged: true));
        Assert.False(back.TryRollBack(out _, out _, out var whyNot));
        Assert.Equal("no set of pool default is promoted", whyNot);
        Assert.True(without.TryRemove("new", out var empty, out _));
        Assert.False(empty.Serves("driver-2", withStaged: true));
        Assert.True(empty.IsGoverned);

        // Promoted anew it is served, and denied again when that is rolled back.
        var again = Promoted(Staged(without, "old", "driver-1"), "old");
        Assert.True(again.Serves("driver-1", withStaged: false));
        Assert.True(again.TryRollBack(out var denied, out _, out _));
        Assert.Equal(["driver-1"], denied.Denied);
    }

    [Fact]
    public void What_makes_no_sense_changes_nothing()
    {
        var pool = Promoted(Staged(new RimPool { Name = "canary" }, "one", "a"), "one");

        Assert.False(pool.TryStage("one", ["b"], s_now, out _, out var whyNot));
        Assert.StartsWith("set one is promoted in pool canary", whyNot, StringComparison.Ordinal);
        Assert.False(pool.TryPromote("one", s_now, out _, out _));
        Assert.False(pool.TryPromote("two", s_now, out _, out _));
        Assert.False(pool.TryRemove("two", out _, out _));
        Assert.All(new[] { "", ".a", "a/b", "a+staged", new string('a', 65), "ä" }, name => Assert.False(RimPool.IsName(name)));
    }

    [Fact]
    public void A_pools_file_reads_as_it_was_written_and_a_damaged_one_is_refused()
    {
        var pool = Promoted(Staged(new RimPool { Name = "canary" }, "one", "a", "b"), "one");
        var json = pool.ToJson();

        Assert.True(RimPool.TryParse(json, out var read, out _));
        Assert.Equal(json, read.ToJson());
        Assert.All(Enumerable.Range(0, json.Length - 1), length => Assert.False(RimPool.TryParse(json.AsMemory(0, length), out _, out _)));
        Assert.False(RimPool.TryParse(System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(json).Replace("\"a\"", "\"../a\"", StringComparison.Ordinal)), out _, out _));
    }

    [Fact]
    public async Task A_running_server_follows_the_commands_and_verification_follows_the_server()
    {
        await using var upstream = await Loopback.StartAsync(context => live.AnswerAsync(context));
        var folder = live.NewFolder();
        using var server = await ServeProcess.StartAsync(
            "--cache", folder, "--anchors", live.Anchors, "--learn", live.Evidence, "--rim-url", "none", "--ocsp-url", upstream.Text, "--crl-url", "none", "--intel-url", "none", "--intel-root-crl-url", "none", "--amd-url", "none",
            "--listen", "127.0.0.1:0", "127.0.0.1:0=canary", "127.0.0.1:0=canary+staged");
        var (open, canary, trying) = (server.Addresses[0], server.Addresses[1], server.Addresses[2]);
        var driver = live.Set.Rims.Single(rim => rim.Id.Contains("DRIVER", StringComparison.Ordinal)).Id;
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(canary, driver));

        s_assay.Says(0, "collateral", "stage", "--cache", folder, "--pool", "canary", "--set", "580", "--anchors", live.Anchors, Path.Combine(live.Folder, "rims"));
        await ReachesAsync(trying, driver, HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(canary, driver));
        Assert.Equal(3, Verify(canary));
        Assert.Equal(0, Verify(trying));

        Assert.Contains("pool canary is served set 580", s_assay.Says(0, "collateral", "promote", "--cache", folder, "--pool", "canary", "--set", "580"), StringComparison.Ordinal);
        await ReachesAsync(canary, driver, HttpStatusCode.OK);
        Assert.Equal(0, Verify(canary));

        s_assay.Says(0, "collateral", "rollback", "--cache", folder, "--pool", "canary");
        await ReachesAsync(canary, driver, HttpStatusCode.NotFound);
        s_assay.Says(0, "collateral", "promote", "--cache", folder, "--pool", "canary", "--set", "580");
        await ReachesAsync(canary, driver, HttpStatusCode.OK);

        Assert.Contains("2 RIMs are denied", s_assay.Says(0, "collateral", "remove", "--cache", folder, "--pool", "canary", "--set", "580"), StringComparison.Ordinal);
        await ReachesAsync(canary, driver, HttpStatusCode.NotFound);
        Assert.Equal(3, Verify(canary));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync(trying, driver));
        // The default pool was never governed, and serves what verified.
        Assert.Equal(0, Verify(open));

        var listed = JsonDocument.Parse(s_assay.Says(0, "collateral", "list", "--cache", folder, "--format", "json")).RootElement;
        Assert.Equal(2, listed[0].GetProperty("denied").GetArrayLength());
        Assert.Contains($"denied: {driver}", s_assay.Says(0, "collateral", "list", "--cache", folder), StringComparison.Ordinal);
        var status = JsonDocument.Parse(await server.Http.GetStringAsync("/v1/collateral", Cancellation)).RootElement;
        Assert.Contains(status.GetProperty("pools").EnumerateArray(), pool => pool.GetProperty("name").GetString() == "canary" && pool.GetProperty("state").GetString() == "governed");

        // Whoever spoils the file that denies gets nothing served.
        await File.WriteAllTextAsync(Path.Combine(folder, "pools", "default.json"), "{", Cancellation);
        await ReachesAsync(open, driver, HttpStatusCode.NotFound);

        int Verify(string address) => s_assay.Run("verify", "--evidence", live.Evidence, "--anchors", live.Anchors, "--rim-url", address, "--ocsp-url", address, "--nonce", live.Nonce).ExitCode;
    }

    [Fact]
    public void What_does_not_verify_is_not_staged_and_keeps_all_beside_it_from_being()
    {
        var (folder, rims) = (live.NewFolder(), live.NewFolder());
        foreach (var rim in live.Set.Rims)
        {
            File.WriteAllBytes(Path.Combine(rims, rim.Id + ".xml"), rim.Xml.ToArray());
        }

        var spoilt = Path.Combine(rims, live.Set.Rims[0].Id + ".xml");
        File.WriteAllBytes(spoilt, live.Set.Rims[0].WithSpoiledSignature().Xml.ToArray());
        Assert.Contains("collateral.stage", s_assay.Says(1, "collateral", "stage", "--cache", folder, "--set", "one", "--anchors", live.Anchors, rims), StringComparison.Ordinal);

        File.WriteAllBytes(spoilt, live.Set.Rims[1].Xml.ToArray());
        Assert.Contains("mismatch", s_assay.Says(1, "collateral", "stage", "--cache", folder, "--set", "one", "--anchors", live.Anchors, rims), StringComparison.Ordinal);
        Assert.Contains("chain", s_assay.Says(1, "collateral", "stage", "--cache", folder, "--set", "one", Path.Combine(rims, live.Set.Rims[1].Id + ".xml")), StringComparison.Ordinal);
        Assert.Contains("no pool", s_assay.Says(0, "collateral", "list", "--cache", folder), StringComparison.Ordinal);
        Assert.Contains("stage it first", s_assay.Says(1, "collateral", "promote", "--cache", folder, "--set", "one"), StringComparison.Ordinal);
        s_assay.Says(2, "collateral", "promote", "--cache", folder, "--set", "../one");
        s_assay.Says(2, "collateral", "stage", "--cache", folder, "--set", "one", live.NewFolder());
    }

    [Fact]
    public async Task A_staged_file_that_somebody_altered_serves_nobody()
    {
        var folder = live.NewFolder();
        s_assay.Says(0, "collateral", "stage", "--cache", folder, "--set", "one", "--anchors", live.Anchors, Path.Combine(live.Folder, "rims"));
        foreach (var file in Directory.EnumerateFiles(Path.Combine(folder, "staged", "rim")))
        {
            var bytes = await File.ReadAllBytesAsync(file, Cancellation);
            bytes[^200] ^= 1;
            await File.WriteAllBytesAsync(file, bytes, Cancellation);
        }

        Assert.True(Assay.Trust.TrustSet.TryParse(await File.ReadAllBytesAsync(live.Anchors, Cancellation), out var trust, out _));
        await using var proxy = await ServedProxy.StartAsync(trust, TimeProvider.System, new UpstreamOptions(), folder: folder);

        foreach (var rim in live.Set.Rims)
        {
            using var answer = await proxy.Http.GetAsync($"/v1/rim/{rim.Id}", Cancellation);
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        }
    }

    private static RimPool Staged(RimPool pool, string set, params string[] rims)
    {
        Assert.True(pool.TryStage(set, rims, s_now, out var after, out var whyNot), whyNot);
        return after;
    }

    private static RimPool Promoted(RimPool pool, string set)
    {
        Assert.True(pool.TryPromote(set, s_now.AddMinutes(pool.Sets.Length), out var after, out var whyNot), whyNot);
        return after;
    }

    private static async Task<HttpStatusCode> StatusAsync(string address, string id)
    {
        using var http = new HttpClient { Timeout = Patience.Long };
        using var answer = await http.GetAsync($"{address}/v1/rim/{id}", Cancellation);
        return answer.StatusCode;
    }

    // A server looks at the files of pools once a second.
    private static async Task ReachesAsync(string address, string id, HttpStatusCode expected)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(Patience.Long);
        while (await StatusAsync(address, id) != expected)
        {
            await Task.Delay(100, patience.Token);
        }
    }
}

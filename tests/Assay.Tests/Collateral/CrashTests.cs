using System.Net;
using System.Text.Json;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Trust;

namespace Assay.Tests.Collateral;

/// <summary>Real processes of <c>assay collateral serve</c> that are killed while they write, run out of disk and out of memory.</summary>
public sealed class CrashTests(LiveServices live) : IClassFixture<LiveServices>
{
    private const int Manifests = 40;
    private const int Short = 5;
    private const int Long = 200;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task Killed_while_it_writes_it_has_kept_whatever_it_had_served() => KillAsync(Short);

    [Fact]
    [Trait("Category", "Soak")]
    public Task Killed_two_hundred_times_while_it_writes_it_has_kept_whatever_it_had_served() => KillAsync(Long);

    [Fact]
    public async Task A_disk_that_is_full_costs_persistence_and_neither_service_nor_what_was_seen()
    {
        _ = Peer.Require("unshare");
        var folder = live.NewFolder();
        string[] small = ["unshare", Environment.IsPrivilegedProcess ? "-m" : "-rm", "sh", "-c", $"mount -t tmpfs -o size=192k tmpfs '{folder}' && exec \"$@\"", "sh"];
        var canMount = await Task.Run(() => Peer.Require("unshare").Run([.. small[1..], "true"]), Cancellation);
        Assert.False(!canMount.Accepted && Environment.GetEnvironmentVariable("CI") == "true", $"no file system can be mounted here, and CI proves everything: {canMount.Output}");
        Assert.SkipUnless(canMount.Accepted, $"no file system can be mounted here: {canMount.Output}");
        var rims = live.OtherRims(Manifests);
        await using var upstream = await UpstreamAsync(rims);
        using var server = await ServeProcess.StartAsync(small, Arguments(folder, upstream));

        foreach (var _ in Enumerable.Range(0, 2))
        {
            foreach (var rim in rims)
            {
                Assert.Equal(rim.Xml.ToArray(), await RimAsync(server.Http, rim.Id));
            }
        }

        var metrics = await server.Http.GetStringAsync("/metrics", Cancellation);
        Assert.Matches("assay_collateral_store_errors_total\\{kind=\"rim\"\\} [1-9]", metrics);
        Assert.Contains($"assay_collateral_hits_total{{kind=\"rim\"}} {Manifests}\n", metrics, StringComparison.Ordinal);
        Assert.Equal(Manifests, upstream.Requests.Count);
        Assert.False(server.HasExited);
    }

    [Fact]
    public Task Within_a_small_heap_it_serves_for_long() => SoakAsync(20_000);

    [Fact]
    [Trait("Category", "Soak")]
    public Task Within_a_small_heap_it_serves_a_million_requests() => SoakAsync(1_000_000);

    // A collector that may not have more than 96 MB ends the process when anything is kept for good: items, names that nobody has, whoever asked.
    private async Task SoakAsync(int requests)
    {
        var rims = live.OtherRims(Manifests);
        await using var upstream = await UpstreamAsync(rims);
        using var server = await ServeProcess.StartAsync(
            ["env", "DOTNET_GCHeapHardLimit=0x6000000", "DOTNET_gcServer=0"], [.. Arguments(live.NewFolder(), upstream), "--rate", "0", "--max-items", "30"]);
        var query = NvidiaServices.Query(live.Brom);
        var der = Assay.Trust.Revocation.OcspRequest.Encode(query.Certificate, query.Issuer);
        var number = 0;
        var resident = new List<long>();

        await Parallel.ForEachAsync(Enumerable.Range(0, requests), new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancellation }, async (index, cancellation) =>
        {
            var serial = (byte[])der.Clone();
            serial[^3] ^= (byte)(index & 0xFF);
            serial[^4] ^= (byte)((index >> 8) & 0xFF);
            using var answer = (index % 8) switch
            {
                0 => await server.Http.GetAsync($"/v1/rim/{rims[index / 8 % rims.Length].Id}", cancellation),
                1 => await server.Http.GetAsync($"/v1/rim/NV_GPU_DRIVER_GH100_{index}", cancellation),
                2 => await server.Http.GetAsync("/" + Uri.EscapeDataString(Convert.ToBase64String(serial)), cancellation),
                3 => await server.Http.GetAsync($"/crl/{index}.crl", cancellation),
                4 => await server.Http.GetAsync($"/vcek/v1/Milan/{index:x128}?blSPL=1&teeSPL=0&snpSPL=1&ucodeSPL=1", cancellation),
                5 => await server.Http.GetAsync($"/nothing/{index}", cancellation),
                _ => await server.Http.GetAsync($"/v1/rim/{live.Set.Rims[0].Id}", cancellation),
            };
            Assert.True((int)answer.StatusCode < 500 || answer.StatusCode is HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable, $"{answer.StatusCode}");
            if (Interlocked.Increment(ref number) % (requests / 10) == 0)
            {
                lock (resident)
                {
                    resident.Add(server.ResidentBytes);
                }
            }
        });

        Assert.False(server.HasExited, server.Said);
        Assert.Equal("ok\n", await server.Http.GetStringAsync("/healthz", Cancellation));
        TestContext.Current.TestOutputHelper?.WriteLine($"resident, in tenths of the run: {string.Join(' ', resident.Select(bytes => $"{bytes >> 20} MiB"))}");
    }

    private async Task KillAsync(int times)
    {
        var rims = live.OtherRims(Manifests);
        var folder = live.NewFolder();
        await using var upstream = await UpstreamAsync(rims);
        for (var time = 0; time < times; time++)
        {
            if (Directory.Exists(Path.Combine(folder, "rim")))
            {
                Directory.Delete(Path.Combine(folder, "rim"), recursive: true);
            }

            var served = await ServeAndKillAsync(folder, upstream, rims, TimeSpan.FromMilliseconds(time * 37 % 120));

            await using var next = Reopened(folder);
            foreach (var id in served)
            {
                var answer = await next.GetAsync(new CollateralKey(CollateralKind.Rim, id), Cancellation);
                Assert.True(answer.State is CacheState.Hit, $"kill {time}: {id} was served and is not there: {answer.WhyNot}");
                Assert.Equal(rims.Single(rim => rim.Id == id).Xml.ToArray(), answer.Item!.Body.ToArray());
            }

            // What the process left half-written is gone, and nothing whole was taken for damaged.
            Assert.Empty(Directory.EnumerateFiles(folder, "*.damaged", SearchOption.AllDirectories));
            Assert.Empty(Directory.EnumerateFiles(Path.Combine(folder, "rim"), "*.new"));
        }
    }

    // The kill comes another while after the first answer, with forty manifests under way.
    private async Task<IReadOnlyCollection<string>> ServeAndKillAsync(string folder, Loopback upstream, IReadOnlyCollection<SimulatedRim> rims, TimeSpan after)
    {
        using var server = await ServeProcess.StartAsync([], Arguments(folder, upstream));
        var served = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var first = new TaskCompletionSource();
        var asking = rims.Select(async rim =>
        {
            try
            {
                await RimAsync(server.Http, rim.Id);
                served.Enqueue(rim.Id);
                first.TrySetResult();
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException)
            {
                // The kill came first.
            }
        }).ToArray();
        await Task.WhenAny(first.Task, Task.WhenAll(asking));
        await Task.Delay(after, Cancellation);
        server.Kill();
        await Task.WhenAll(asking);
        return served;
    }

    private CollateralCache Reopened(string folder) => new(
        new ItemVerification(Trust(), new VerifierCache()), folder, new ScriptedUpstream(_ => Task.FromResult(Fetched.Failed("test", "down"))), new CachePolicy(), TimeProvider.System, refreshes: false);

    private TrustSet Trust()
    {
        Assert.True(TrustSet.TryParse(File.ReadAllBytes(live.Anchors), out var trust, out var fault), fault?.ToString());
        return trust;
    }

    private Task<Loopback> UpstreamAsync(IEnumerable<SimulatedRim> rims)
    {
        var others = rims.ToDictionary(rim => rim.Id, StringComparer.Ordinal);
        return Loopback.StartAsync(context => live.AnswerAsync(context, others));
    }

    private static async Task<byte[]> RimAsync(HttpClient http, string id)
    {
        using var answer = await http.GetAsync($"/v1/rim/{id}", Cancellation);
        answer.EnsureSuccessStatusCode();
        var json = JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync(Cancellation)).RootElement;
        return json.GetProperty("rim").GetBytesFromBase64();
    }

    private string[] Arguments(string folder, Loopback upstream) =>
    [
        "--cache", folder, "--anchors", live.Anchors, "--learn", live.Evidence, "--rim-url", upstream.Text, "--ocsp-url", upstream.Text,
        "--crl-url", "none", "--intel-url", "none", "--intel-root-crl-url", "none", "--amd-url", "none",
    ];
}

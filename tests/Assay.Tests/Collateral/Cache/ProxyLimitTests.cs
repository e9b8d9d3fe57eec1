using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;

namespace Assay.Tests.Collateral;

/// <summary>How much the proxy takes, of one client and of all.</summary>
public sealed class ProxyLimitTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static TheoryData<string, string> SameClient => new()
    {
        { "192.0.2.1", "::ffff:192.0.2.1" },
        { "2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff" },
    };

    public static TheoryData<string, string> OtherClient => new()
    {
        { "192.0.2.1", "192.0.2.2" },
        { "::ffff:192.0.2.1", "::ffff:192.0.2.2" },
        { "::ffff:192.0.2.1", "::1" },
        { "::192.0.2.1", "192.0.2.1" },
        { "0.0.0.1", "::1" },
        { "2001:db8:1:2::1", "2001:db8:1:3::1" },
    };

    [Theory]
    [MemberData(nameof(SameClient))]
    public void One_client_is_counted_as_one(string one, string other) => Assert.Equal(ClientAddress.Of(IPAddress.Parse(one)), ClientAddress.Of(IPAddress.Parse(other)));

    [Theory]
    [MemberData(nameof(OtherClient))]
    public void Two_clients_are_counted_apart(string one, string other) => Assert.NotEqual(ClientAddress.Of(IPAddress.Parse(one)), ClientAddress.Of(IPAddress.Parse(other)));

    [Fact]
    public void A_client_is_named_as_it_is_counted()
    {
        Assert.Equal("192.0.2.1", ClientAddress.Of(IPAddress.Parse("::ffff:192.0.2.1")).ToString());
        Assert.Equal("2001:db8:1:2::/64", ClientAddress.Of(IPAddress.Parse("2001:db8:1:2:3:4:5:6")).ToString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Too_many_requests_of_one_or_of_all_are_told_when_to_come_again_and_probes_are_not(bool ofOne)
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, options => ofOne ? options with { Rate = 1 } : options with { Rate = 0, TotalRate = 1 });

        using var refused = await proxy.UntilRefusedAsync();

        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2));
        Assert.Equal("""{"type":"urn:assay:collateral-too-many-requests","title":"this address asks too often","status":429}""", await refused.Content.ReadAsStringAsync(Cancellation));
        foreach (var path in (string[])["/healthz", "/readyz", "/metrics"])
        {
            for (var index = 0; index < 20; index++)
            {
                using var probed = await proxy.Http.GetAsync(path, Cancellation);
                Assert.Equal(HttpStatusCode.OK, probed.StatusCode);
            }
        }
    }

    [Fact]
    public async Task An_address_that_a_header_claims_is_believed_by_nobody()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, options => options with { Rate = 1 });
        for (var tries = 0; tries < 10_000; tries++)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/rim/ids");
            request.Headers.Add("X-Forwarded-For", $"192.0.2.{tries % 250}");
            request.Headers.Add("Forwarded", $"for=192.0.2.{tries % 250}");
            using var response = await proxy.Http.SendAsync(request, Cancellation);
            if (response.StatusCode is HttpStatusCode.TooManyRequests)
            {
                return;
            }
        }

        Assert.Fail("10,000 requests were answered");
    }

    [Fact]
    public async Task Requests_for_what_is_not_there_are_counted_too()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, options => options with { Rate = 1 });
        for (var tries = 0; tries < 10_000; tries++)
        {
            using var response = await proxy.Http.GetAsync("/nothing", Cancellation);
            if (response.StatusCode is HttpStatusCode.TooManyRequests)
            {
                return;
            }
        }

        Assert.Fail("10,000 requests were answered");
    }

    [Fact]
    public async Task When_too_many_requests_are_under_way_the_next_is_told_to_come_again()
    {
        var (asked, go) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource());
        await using var upstream = await Loopback.StartAsync(async context =>
        {
            asked.TrySetResult();
            await go.Task;
            await nvidia.AnswerAsync(context);
        });
        await using var proxy = await ServedAsync(upstream, options => options with { Concurrency = 1 });

        var first = proxy.Http.GetAsync($"/v1/rim/{nvidia.DriverRim.Id}", Cancellation);
        await asked.Task.WaitAsync(Patience.Long, Cancellation);
        using (var second = await proxy.Http.GetAsync("/v1/collateral", Cancellation))
        {
            Assert.Equal(HttpStatusCode.ServiceUnavailable, second.StatusCode);
            Assert.Equal(TimeSpan.FromSeconds(1), second.Headers.RetryAfter!.Delta);
            Assert.Equal("urn:assay:collateral-busy", JsonDocument.Parse(await second.Content.ReadAsStringAsync(Cancellation)).RootElement.GetProperty("type").GetString());
        }

        Assert.Equal("ok\n", await proxy.Http.GetStringAsync("/healthz", Cancellation));
        go.SetResult();
        using var answered = await first;
        Assert.Equal(HttpStatusCode.OK, answered.StatusCode);
    }

    [Fact]
    public async Task A_problem_has_its_form_whatever_the_client_accepts()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedAsync(upstream, options => options);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/nothing");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/html"));

        using var response = await proxy.Http.SendAsync(request, Cancellation);

        Assert.Equal("""{"type":"urn:assay:collateral-not-found","title":"there is nothing at this address","status":404}""", await response.Content.ReadAsStringAsync(Cancellation));
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType!.ToString());
    }

    private Task<ServedProxy> ServedAsync(Loopback upstream, Func<ProxyOptions, ProxyOptions> with) => ServedProxy.StartAsync(
        nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address }, with);
}

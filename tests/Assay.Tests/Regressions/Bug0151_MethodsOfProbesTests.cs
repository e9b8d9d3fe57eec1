using Assay.Collateral.Upstreams;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>The addresses for probes and metrics answered 200 to every method, and without any limit of their own.</summary>
public sealed class Bug0151_MethodsOfProbesTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("POST", 404)]
    [InlineData("PUT", 405)]
    [InlineData("DELETE", 405)]
    [InlineData("FOO", 405)]
    public async Task Probes_and_metrics_are_read_and_nothing_else(string method, int status)
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedProxy.StartAsync(nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address });
        foreach (var path in (string[])["/healthz", "/readyz", "/metrics"])
        {
            using var request = new HttpRequestMessage(new HttpMethod(method), path);
            using var response = await proxy.Http.SendAsync(request, Cancellation);

            Assert.Equal(status, (int)response.StatusCode);
            Assert.Equal(status == 405 ? ["GET", "HEAD", "POST"] : [], response.Content.Headers.Allow);
        }
    }
}

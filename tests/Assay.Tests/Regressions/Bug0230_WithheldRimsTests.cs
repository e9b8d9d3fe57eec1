using System.Text.Json;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Collateral.Proxy;
using Assay.Collateral.Staging;
using Assay.Collateral.Upstreams;
using Assay.Tests.Collateral;

namespace Assay.Tests.Regressions;

/// <summary>A RIM that the operator withholds looked to the client as if the service had none: "new firmware, or an id that was never published".</summary>
public sealed class Bug0230_WithheldRimsTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_answer_is_a_problem_of_its_own_and_the_client_says_withheld()
    {
        await using var upstream = await Loopback.StartAsync(nvidia.AnswerAsync);
        await using var proxy = await ServedProxy.StartAsync(
            nvidia.Expectations.Basis.Trust, new ManualTime(NvidiaServices.Now), new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address },
            options => options with { Pools = options.Pools.Add(0, new PoolView("canary", false)) });
        var id = nvidia.DriverRim.Id;

        using var response = await proxy.Http.GetAsync($"/v1/rim/{id}", Cancellation);
        using var problem = JsonDocument.Parse(await response.Content.ReadAsStringAsync(Cancellation));
        using var client = new RimServiceClient(Loopback.Addressed(proxy.Address), Loopback.Patient);
        var fetched = await client.FetchAsync(CollateralQuestion.OfRim(id), Cancellation);

        Assert.Equal((404, "application/problem+json"), ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        Assert.Equal("urn:assay:collateral-withheld", problem.RootElement.GetProperty("type").GetString());
        // By this member NVIDIA's clients tell that there is none.
        Assert.Equal("RIM_NOT_FOUND", problem.RootElement.GetProperty("message").GetString());
        Assert.Contains($"the service withholds RIM {id}", fetched.WhyNot, StringComparison.Ordinal);
        Assert.Contains("not in a promoted set of pool canary", fetched.WhyNot, StringComparison.Ordinal);
        Assert.DoesNotContain("never published", fetched.WhyNot, StringComparison.Ordinal);
    }
}

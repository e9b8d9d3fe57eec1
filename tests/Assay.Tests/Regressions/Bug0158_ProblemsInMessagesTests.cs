using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Tests.Collateral;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Regressions;

/// <summary>What a proxy refused with was quoted as JSON, cut after 200 characters: the reason was what was cut.</summary>
public sealed class Bug0158_ProblemsInMessagesTests
{
    private const string Reason = "https://rims.example/v1/rim/NV_GPU_X: no connection: the host name has no address (DNS)";

    [Theory]
    [InlineData($$"""{"type":"urn:assay:collateral-unreachable","title":"{{Reason}}","status":503}""", Reason)]
    [InlineData($$"""{"type":"urn:assay:collateral-unreachable","title":"unreachable","detail":"{{Reason}}","status":503}""", Reason)]
    [InlineData("""{"type":"about:blank","status":503}""", """{"type":"about:blank","status":503}""")]
    [InlineData("""{"detail":"a","detail":"b"}""", """{"detail":"a","detail":"b"}""")]
    [InlineData("""{"detail":"\ud800"}""", """{"detail":"\ud800"}""")]
    [InlineData("""{"detail":"one\nline"}""", "one line")]
    [InlineData("""["detail"]""", """["detail"]""")]
    public async Task A_message_has_the_detail_of_a_problem(string problem, string shown)
    {
        var answer = await AskAsync(problem, null);

        Assert.EndsWith($"HTTP 403 (\"{shown}\"): a service key may be needed, none was sent", answer.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_is_repeated_anywhere_in_a_problem_leaves_it_out()
    {
        Assert.True(SecretText.TryCreate("a-secret-service-key", out var key, out _));
        using (key)
        {
            var answer = await AskAsync("""{"detail":"no","asked":"a-secret-service-key"}""", key);

            Assert.Contains("repeats the service key", answer.WhyNot, StringComparison.Ordinal);
        }
    }

    private static async Task<Fetched<Assay.Endorsements.CollateralItem>> AskAsync(string problem, SecretText? key)
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = 403;
            context.Response.ContentType = "application/problem+json";
            return context.Response.WriteAsync(problem);
        });
        using var rims = new RimServiceClient(server.Address, Loopback.Patient with { ServiceKey = key });
        return await rims.FetchAsync(CollateralQuestion.OfRim("NV_GPU_X"), TestContext.Current.CancellationToken);
    }
}

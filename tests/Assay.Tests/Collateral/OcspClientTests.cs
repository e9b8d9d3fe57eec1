using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Wire;

namespace Assay.Tests.Collateral;

public sealed class OcspClientTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    [Fact]
    public async Task An_answer_comes_back_whole_with_the_nonce_that_was_sent()
    {
        byte[] request = [];
        var response = SimulatedOcsp.Respond(NvidiaServices.Good(nvidia.Brom));
        await using var server = await Loopback.StartAsync(async context =>
        {
            request = await NvidiaServices.BodyAsync(context);
            await NvidiaServices.SendAsync(context, response);
        });

        var fetch = await FetchAsync(server);

        var item = Assert.Single(fetch.Items);
        Assert.Equal(response, item.Body.ToArray());
        Assert.Equal(32, item.NonceSent.Length);
        Assert.Contains(Convert.ToHexString(item.NonceSent.Span), Convert.ToHexString(request), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_URL_is_asked_exactly_as_given()
    {
        await using var server = await Loopback.StartAsync(context => nvidia.AnswerOcspAsync(context));
        using var client = new OcspClient(Loopback.Addressed(server.Text + "/ocsp/v1?tenant=7"), Loopback.Patient with { Time = TimeProvider.System });

        Assert.Null((await client.FetchAsync(NvidiaServices.Query(nvidia.Brom), TestContext.Current.CancellationToken)).WhyNot);
        Assert.Equal("/ocsp/v1", server.Requests.Single().Path);
    }

    [Theory]
    [InlineData(OcspResponseStatus.TryLater, "busy (tryLater): try again later")]
    [InlineData(OcspResponseStatus.InternalError, "internalError")]
    [InlineData(OcspResponseStatus.MalformedRequest, "malformedRequest")]
    [InlineData(OcspResponseStatus.SignatureRequired, "sigRequired")]
    [InlineData(OcspResponseStatus.Unauthorized, "does not know this certificate (unauthorized)")]
    public async Task An_unsuccessful_status_is_an_outage_in_words(OcspResponseStatus status, string words)
    {
        await using var server = await Loopback.StartAsync(context => NvidiaServices.SendAsync(context, SimulatedOcsp.Refuse(status)));

        var fetch = await FetchAsync(server);

        Assert.Empty(fetch.Items);
        Assert.StartsWith($"{server.Text}: the responder ", fetch.WhyNot, StringComparison.Ordinal);
        Assert.Contains(words, fetch.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Garbage_is_an_outage()
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.ContentType = "text/html";
            return context.Response.Body.WriteAsync("<html>hello</html>"u8.ToArray()).AsTask();
        });

        var fetch = await FetchAsync(server);

        Assert.Empty(fetch.Items);
        Assert.StartsWith($"{server.Text}: the answer is not an OCSP response, sent as text/html (", fetch.WhyNot, StringComparison.Ordinal);
        Assert.EndsWith("): check the URL", fetch.WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_answer_is_an_outage()
    {
        await using var server = await Loopback.StartAsync(_ => Task.CompletedTask);

        Assert.Contains("the answer is not an OCSP response", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true, "bytes, ")]
    [InlineData(false, "more than")]
    public async Task An_answer_beyond_the_limit_is_refused(bool declared, string words)
    {
        await using var server = await Loopback.StartAsync(async context =>
        {
            var body = new byte[Limits.OcspResponseBytes + 1];
            context.Response.ContentLength = declared ? body.Length : null;
            await context.Response.Body.WriteAsync(body);
        });

        Assert.Contains(words, (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_retry_asks_the_same_question_again()
    {
        var bodies = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var server = await Loopback.StartAsync(async context =>
        {
            var body = await NvidiaServices.BodyAsync(context);
            bodies.Enqueue(Convert.ToHexString(body));
            if (bodies.Count == 1)
            {
                context.Response.StatusCode = 500;
            }
            else
            {
                await NvidiaServices.SendAsync(context, SimulatedOcsp.Answer(body, nvidia.Known, NvidiaServices.Good));
            }
        });

        Assert.Single((await FetchAsync(server)).Items);
        Assert.Equal(2, bodies.Count);
        Assert.Single(bodies.Distinct());
    }

    [Fact]
    public async Task A_foreign_TLS_certificate_is_refused_at_once_and_its_root_may_be_named()
    {
        await using var server = await Loopback.StartAsync(context => nvidia.AnswerOcspAsync(context), withTls: true);

        var refused = await FetchAsync(server);
        var accepted = await FetchAsync(server, Loopback.Patient with { Time = TimeProvider.System, TlsRoots = [Loopback.TlsCertificate.Value] });

        Assert.StartsWith($"{server.Text}: TLS failed: ", refused.WhyNot, StringComparison.Ordinal);
        Assert.DoesNotContain("tries", refused.WhyNot, StringComparison.Ordinal);
        Assert.Null(accepted.WhyNot);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_named_TLS_root_certifies_no_other_host_name()
    {
        await using var server = await Loopback.StartAsync(context => nvidia.AnswerOcspAsync(context), withTls: true);
        using var client = new OcspClient(
            Loopback.Addressed(server.Text.Replace("127.0.0.1", "localhost", StringComparison.Ordinal)),
            Loopback.Patient with { Time = TimeProvider.System, TlsRoots = [Loopback.TlsCertificate.Value] });

        Assert.Contains("TLS failed: ", (await client.FetchAsync(NvidiaServices.Query(nvidia.Brom), TestContext.Current.CancellationToken)).WhyNot, StringComparison.Ordinal);
    }

    private async Task<Fetched<CollateralItem>> FetchAsync(Loopback server, CollateralHttpOptions? options = null)
    {
        using var client = new OcspClient(server.Address, options ?? Loopback.Patient);
        return await client.FetchAsync(NvidiaServices.Query(nvidia.Brom), TestContext.Current.CancellationToken);
    }
}

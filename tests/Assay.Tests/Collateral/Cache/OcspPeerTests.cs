using Assay.Collateral.Proxy;
using Assay.Collateral.Upstreams;
using Assay.Simulator;

namespace Assay.Tests.Collateral;

/// <summary>Programs of others as clients of the proxy: openssl ocsp and GnuTLS' ocsptool ask it, promtool reads its metrics and the alerts on them.</summary>
public sealed class OcspPeerTests(LiveServices live) : IClassFixture<LiveServices>
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    private string Subject => live.Save("brom.pem", live.Brom.Pem);

    private string Issuer => live.Save("issuer.pem", live.Brom.Issuer!.Pem);

    private string Roots => live.Save("roots.pem", string.Concat(live.Brom.Chain.Skip(1).Select(certificate => certificate.Pem)));

    [Theory]
    [InlineData("/ocsp", "-no_nonce")]
    [InlineData("/", "-no_nonce")]
    [InlineData("/ocsp", "-nonce")]
    public async Task Openssl_asks_the_proxy_and_verifies_what_it_says_when_the_responder_is_gone(string path, string nonce)
    {
        var openssl = Peer.Require("openssl");
        var upstream = await Loopback.StartAsync(context => live.AnswerAsync(context));
        await using var proxy = await ServedAsync(upstream);
        Task<PeerAnswer> AskAsync() => Task.Run(() => openssl.Run("ocsp", "-issuer", Issuer, "-cert", Subject, "-url", proxy.Address + path, nonce, "-CAfile", Roots, "-validity_period", "300"), Cancellation);

        var first = await AskAsync();
        await upstream.DisposeAsync();
        var second = await AskAsync();

        Assert.Contains("Response verify OK", first.Output, StringComparison.Ordinal);
        Assert.Contains(": good", second.Output, StringComparison.Ordinal);
        Assert.Contains("Response verify OK", second.Output, StringComparison.Ordinal);
        // The cached answer has nobody's nonce, and openssl says so.
        Assert.Equal(nonce == "-nonce", second.Output.Contains("no nonce in response", StringComparison.Ordinal));
        Assert.Single(upstream.Requests);
    }

    [Fact]
    public async Task With_a_nonce_forwarded_openssl_finds_its_own_in_the_answer()
    {
        var openssl = Peer.Require("openssl");
        await using var upstream = await Loopback.StartAsync(context => live.AnswerAsync(context));
        await using var proxy = await ServedAsync(upstream, OcspNonceMode.Forward);

        var answer = await Task.Run(() => openssl.Run("ocsp", "-issuer", Issuer, "-cert", Subject, "-url", proxy.Address + "/ocsp", "-nonce", "-CAfile", Roots, "-validity_period", "300"), Cancellation);

        Assert.Contains("Response verify OK", answer.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("onces", answer.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("no nonce", answer.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Openssl_sees_a_revocation_as_one_and_behind_a_lying_responder_nothing()
    {
        var openssl = Peer.Require("openssl");
        await using var revoking = await Loopback.StartAsync(async context =>
            await NvidiaServices.SendAsync(context, SimulatedOcsp.Answer(await NvidiaServices.BodyAsync(context), live.Known, certificate => live.Good(certificate) with { Status = CertificateStatus.Revoked, Reason = RevocationReason.KeyCompromise })));
        await using var revoked = await ServedAsync(revoking);
        await using var lying = await Loopback.StartAsync(async context =>
            await NvidiaServices.SendAsync(context, SimulatedOcsp.Answer(await NvidiaServices.BodyAsync(context), live.Known, certificate => live.Good(certificate) with { SpoilSignature = true })));
        await using var lied = await ServedAsync(lying);
        Task<PeerAnswer> AskAsync(string address) => Task.Run(() => openssl.Run("ocsp", "-issuer", Issuer, "-cert", Subject, "-url", address + "/ocsp", "-no_nonce", "-CAfile", Roots, "-validity_period", "300"), Cancellation);

        var said = await AskAsync(revoked.Address);
        Assert.Contains(": revoked", said.Output, StringComparison.Ordinal);
        Assert.Contains("keyCompromise", said.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(": good", (await AskAsync(lied.Address)).Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Promtool_accepts_the_metrics_of_a_proxy_that_saw_everything()
    {
        _ = Peer.Require("promtool");
        var sh = Peer.Require("sh");
        await using var upstream = await Loopback.StartAsync(context => context.Request.Path.Value!.EndsWith("lie", StringComparison.Ordinal) ? context.Response.Body.WriteAsync("{}"u8.ToArray()).AsTask() : live.AnswerAsync(context));
        await using var proxy = await ServedAsync(upstream);
        using var known = await proxy.AskAsync(NvidiaServices.Query(live.Brom));
        foreach (var id in new[] { live.Set.Rims[0].Id, live.Set.Rims[0].Id, "absent", "lie" })
        {
            using var answer = await proxy.Http.GetAsync($"/v1/rim/{id}", Cancellation);
        }

        var metrics = live.Save("metrics.txt", await proxy.Http.GetStringAsync("/metrics", Cancellation));
        var judged = await Task.Run(() => sh.Run("-c", $"promtool check metrics < {metrics}"), Cancellation);

        Assert.Equal((0, ""), (judged.ExitCode, judged.Output));
        Assert.Contains("assay_collateral_expires_seconds{kind=\"rim\"", await File.ReadAllTextAsync(metrics, Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Promtool_accepts_the_alerts_and_they_burn_when_they_should()
    {
        var promtool = Peer.Require("promtool");
        var folder = Path.Combine(Repository.Root, "deploy", "prometheus");

        var check = await Task.Run(() => promtool.Run("check", "rules", Path.Combine(folder, "collateral-alerts.yml")), Cancellation);
        var tested = await Task.Run(() => promtool.Run("test", "rules", Path.Combine(folder, "collateral-alerts.test.yml")), Cancellation);

        Assert.True(check.Accepted, check.Output);
        Assert.True(tested.Accepted, tested.Output);
        // Every metric that an alert asks about is one that the proxy writes.
        await using var upstream = await Loopback.StartAsync(context => live.AnswerAsync(context));
        await using var proxy = await ServedAsync(upstream);
        var metrics = await proxy.Http.GetStringAsync("/metrics", Cancellation);
        var asked = System.Text.RegularExpressions.Regex.Matches(await File.ReadAllTextAsync(Path.Combine(folder, "collateral-alerts.yml"), Cancellation), "(assay_)?collateral_[a-z_]+").Select(match => match.Value).Distinct();
        Assert.All(asked, name => Assert.Contains($"# TYPE {name} ", metrics, StringComparison.Ordinal));
    }

    private Task<ServedProxy> ServedAsync(Loopback upstream, OcspNonceMode nonce = OcspNonceMode.Cached)
    {
        Assert.True(Assay.Trust.TrustSet.TryParse(File.ReadAllBytes(live.Anchors), out var trust, out var fault), fault?.ToString());
        return ServedProxy.StartAsync(
            trust, TimeProvider.System, new UpstreamOptions { Rim = upstream.Address, Ocsp = upstream.Address },
            options => options with { Nonce = nonce },
            chain: System.Text.Encoding.ASCII.GetBytes(live.Brom.ChainPem));
    }
}

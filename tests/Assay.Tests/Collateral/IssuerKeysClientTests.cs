using System.Text;
using System.Text.Json.Nodes;
using Assay.Collateral.Http;
using Assay.Tests.Tokens;
using Assay.Trust.Jose;
using Assay.Wire;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Collateral;

/// <summary>The keys of an issuer are found by its name, and nothing that is answered on the way leads to other keys.</summary>
public sealed class IssuerKeysClientTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    private const string Document = "/.well-known/openid-configuration";

    [Fact]
    public async Task The_keys_are_those_that_the_issuers_document_names()
    {
        await using var server = await Serve();

        var answer = await Fetch(server.Text);

        Assert.Null(answer.WhyNot);
        Assert.Equal(fixture.Keys.ToJson(), answer.Keys!.ToJson());
        Assert.Equal([$"GET {Document}", "GET /keys?v=1"], server.Requests.Select(request => $"{request.Method} {request.Path}{(request.Path == "/keys" ? "?v=1" : "")}"));
        Assert.Equal(["application/json", "application/jwk-set+json, application/json"], server.Requests.Select(request => request.Accept?.Replace(",application", ", application", StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData("/tenant", "/tenant")]
    [InlineData("/tenant/a", "/tenant/a")]
    [InlineData("/", "")]
    [InlineData("/tenant/", "/tenant")]
    public async Task An_issuer_with_a_path_has_its_document_below_it(string path, string place)
    {
        await using var server = await Serve(place: place, issuer: origin => origin + path);

        Assert.NotNull((await Fetch(server.Text + path)).Keys);
        Assert.Equal(place + Document, server.Requests.First().Path);
    }

    [Fact]
    public async Task The_keys_may_be_on_another_server()
    {
        await using var keys = await Loopback.StartAsync(context => context.Response.Body.WriteAsync(fixture.Keys.ToJson()).AsTask());
        await using var server = await Serve(keysUri: _ => $"{keys.Text}/k");

        Assert.NotNull((await Fetch(server.Text)).Keys);
        Assert.Single(keys.Requests);
    }

    // The mix-up of RFC 9207: whoever answers for one issuer must not hand out keys for the tokens of another.
    [Theory]
    [InlineData("ORIGIN/")]
    [InlineData("ORIGIN/tenant")]
    [InlineData("ORIGIN ")]
    [InlineData(" ORIGIN")]
    [InlineData("HTTP://127.0.0.1:PORT")]
    [InlineData("http://localhost:PORT")]
    [InlineData("http://127.1:PORT")]
    [InlineData("https://127.0.0.1:PORT")]
    [InlineData("http://127.0.0.1")]
    [InlineData("https://verifier.example")]
    [InlineData("http://127.0.0.1:PORT\u0000")]
    [InlineData("http://127.0.0.1:PORT\u202e")]
    [InlineData("")]
    public async Task A_document_that_names_another_issuer_is_refused_and_its_keys_are_not_asked_for(string named)
    {
        await using var server = await Serve(issuer: origin => named.Replace("ORIGIN", origin, StringComparison.Ordinal).Replace("PORT", $"{new Uri(origin).Port}", StringComparison.Ordinal));

        var answer = await Fetch(server.Text);

        Malformed(answer, $"exactly \"{server.Text}\" is expected");
        Assert.DoesNotContain('\u202e', answer.WhyNot!);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("http://verifier.example/keys", "plain http")]
    [InlineData("http://10.0.0.1/keys", "plain http")]
    [InlineData("http://127.0.0.1.verifier.example/keys", "plain http")]
    [InlineData("http://user:secret@127.0.0.1/keys", "user")]
    [InlineData("https://verifier.example/keys#a", "fragment")]
    [InlineData("file:///etc/passwd", "absolute URL")]
    [InlineData("ftp://127.0.0.1/keys", "absolute URL")]
    [InlineData("/keys", "absolute URL")]
    [InlineData("", "address of the key set")]
    public async Task Keys_at_another_kind_of_address_are_not_asked_for(string address, string reason)
    {
        await using var server = await Serve(keysUri: _ => address);

        Malformed(await Fetch(server.Text), reason);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("https://verifier.example", "http://127.0.0.1:8443/keys", false)]
    [InlineData("https://verifier.example", "https://localhost/keys", false)]
    [InlineData("https://verifier.example", "https://[::1]/keys", false)]
    [InlineData("https://verifier.example", "https://keys.example/k", true)]
    [InlineData("http://127.0.0.1:8443", "http://127.0.0.1:9000/keys", true)]
    [InlineData("http://127.0.0.1:8443", "https://keys.example/k", true)]
    public void An_issuer_elsewhere_sends_nobody_to_services_of_this_machine(string issuer, string keys, bool allowed) =>
        Assert.Equal(allowed, IssuerKeysClient.WhyNotThere(Loopback.Addressed(issuer), Loopback.Addressed(keys)) is null);

    [Theory]
    [InlineData(301)]
    [InlineData(302)]
    [InlineData(303)]
    [InlineData(307)]
    [InlineData(308)]
    public async Task Redirects_are_not_followed_neither_for_the_document_nor_for_the_keys(int status)
    {
        await using var elsewhere = await Serve();
        foreach (var path in (string[])[Document, "/keys"])
        {
            await using var server = await Serve(intercept: context =>
            {
                if (context.Request.Path != path)
                {
                    return false;
                }

                (context.Response.StatusCode, context.Response.Headers.Location) = (status, elsewhere.Text + path);
                return true;
            });

            var answer = await Fetch(server.Text);

            Unreachable(answer, "redirects are not followed");
            Assert.Empty(elsewhere.Requests);
        }
    }

    [Theory]
    [InlineData(Document, Limits.IssuerMetadataBytes, true)]
    [InlineData(Document, Limits.IssuerMetadataBytes, false)]
    [InlineData("/keys", Limits.KeySetBytes, true)]
    [InlineData("/keys", Limits.KeySetBytes, false)]
    public async Task What_is_too_large_is_not_read(string path, int most, bool declared)
    {
        var size = most;
        await using var server = await Serve(pad: (asked, body) => asked == path ? body + new string(' ', size - body.Length) : body, declared: declared);

        Assert.NotNull((await Fetch(server.Text)).Keys);
        size = most + 1;
        Unreachable(await Fetch(server.Text), $"{most}");
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("<html></html>")]
    [InlineData("""{"issuer":"ORIGIN"}""")]
    [InlineData("""{"issuer":["ORIGIN"],"jwks_uri":"ORIGIN/keys"}""")]
    [InlineData("""{"issuer":"ORIGIN","jwks_uri":["ORIGIN/keys"]}""")]
    [InlineData("""{"issuer":"ORIGIN","jwks_uri":7}""")]
    [InlineData("""{"issuer":"https://verifier.example","issuer":"ORIGIN","jwks_uri":"ORIGIN/keys"}""")]
    [InlineData("""{"issuer":"ORIGIN","issuer":"https://verifier.example","jwks_uri":"ORIGIN/keys"}""")]
    [InlineData("""{"issuer":"ORIGIN","jwks_uri":"ORIGIN/keys","jwks_ur\u0069":"https://verifier.example/keys"}""")]
    [InlineData("""{"issuer":"ORIGIN","jwks_uri":"ORIGIN/keys"}{}""")]
    [InlineData("""{"issuer":"ORIGIN","jwks_uri":"ORIGIN/keys",}""")]
    [InlineData("""{"issuer":"ORIGIN",/**/"jwks_uri":"ORIGIN/keys"}""")]
    [InlineData("""{"issuer":"ORIGIN","jwks_uri":"ORIGIN/keys","a":[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]}""")]
    [InlineData("""{"issuer":"ORIGIN","jwks_uri":"ORIGIN/keys","a":"\ud800"}""")]
    public async Task A_document_of_another_shape_is_refused(string json)
    {
        await using var server = await Serve(pad: (path, body) => path == Document ? json.Replace("ORIGIN", JsonNode.Parse(body)!["issuer"]!.GetValue<string>(), StringComparison.Ordinal) : body);

        Malformed(await Fetch(server.Text), server.Text + Document);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task Keys_that_are_no_key_set_are_refused()
    {
        var set = JsonNode.Parse(fixture.Keys.ToJson())!;
        set["keys"]![2]!["d"] = "AA";
        foreach (var keys in (string[])["", "{}", """{"keys":[]}""", set.ToJsonString(), Encoding.UTF8.GetString(fixture.Keys.ToJson()) + "x"])
        {
            await using var server = await Serve(pad: (path, body) => path == "/keys" ? keys : body);

            Malformed(await Fetch(server.Text), server.Text + "/keys");
        }
    }

    [Theory]
    [InlineData(Document, 404)]
    [InlineData(Document, 503)]
    [InlineData("/keys", 401)]
    [InlineData("/keys", 500)]
    public async Task What_is_refused_is_unreachable(string path, int status)
    {
        await using var server = await Serve(intercept: context => context.Request.Path == path && (context.Response.StatusCode = status) > 0);

        Unreachable(await Fetch(server.Text), $"{server.Text}{path}: HTTP {status}");
    }

    [Fact]
    public async Task A_service_key_is_sent_to_neither()
    {
        await using var server = await Serve();
        Assert.True(SecretText.TryCreate("a-key-of-somebody", out var key, out var whyNot), $"{whyNot}");
        using (key)
        {
            Assert.NotNull((await Fetch(server.Text, Loopback.Patient with { ServiceKey = key })).Keys);
        }

        Assert.All(server.Requests, request => Assert.Null(request.Authorization));
    }

    [Fact]
    public async Task Over_TLS_the_issuer_is_believed_for_its_certificate()
    {
        await using var server = await Serve(withTls: true);

        Unreachable(await Fetch(server.Text), "TLS failed");
        Assert.NotNull((await Fetch(server.Text, Loopback.Patient with { TlsRoots = [Loopback.TlsCertificate.Value] })).Keys);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("verifier.example")]
    [InlineData("http://verifier.example")]
    [InlineData("ftp://verifier.example")]
    [InlineData("https://verifier.example?tenant=1")]
    [InlineData("https://verifier.example/?")]
    [InlineData("https://verifier.example/#a")]
    [InlineData("https://user:secret@verifier.example")]
    [InlineData(513)]
    public void An_issuer_that_is_no_place_is_refused(object? issuer)
    {
        var text = issuer is int length ? "https://" + new string('a', length - "https://".Length) : (string?)issuer;

        Assert.False(IssuerKeysClient.TryCreate(text, Loopback.Patient, out var client, out var fault));
        Assert.Null(client);
        Assert.NotNull(fault);
    }

    private Task<Loopback> Serve(
        string place = "", Func<string, string>? issuer = null, Func<string, string>? keysUri = null, Func<string, string, string>? pad = null, Func<HttpContext, bool>? intercept = null,
        bool declared = true, bool withTls = false) => Loopback.StartAsync(
            async context =>
            {
                var origin = $"{context.Request.Scheme}://{context.Request.Host}";
                string path = context.Request.Path;
                if (intercept?.Invoke(context) is true)
                {
                    return;
                }

                var body = path == place + Document
                    ? new JsonObject { ["issuer"] = issuer?.Invoke(origin) ?? origin, ["jwks_uri"] = keysUri?.Invoke(origin) ?? $"{origin}/keys?v=1", ["subject_types_supported"] = new JsonArray("public") }.ToJsonString()
                    : path == "/keys" ? Encoding.UTF8.GetString(fixture.Keys.ToJson()) : null;
                if (body is null)
                {
                    context.Response.StatusCode = 404;
                    return;
                }

                var bytes = Encoding.UTF8.GetBytes(pad?.Invoke(path, body) ?? body);
                context.Response.ContentLength = declared ? bytes.Length : null;
                await context.Response.Body.WriteAsync(bytes);
            },
            withTls);

    private static async Task<KeySetAnswer> Fetch(string issuer, CollateralHttpOptions? options = null)
    {
        Assert.True(IssuerKeysClient.TryCreate(issuer, options ?? Loopback.Patient, out var client, out var fault), fault?.ToString());
        using (client)
        {
            return await client.FetchAsync(TestContext.Current.CancellationToken);
        }
    }

    private static void Malformed(KeySetAnswer answer, string reason) => None(answer, reason, malformed: true);

    private static void Unreachable(KeySetAnswer answer, string reason) => None(answer, reason, malformed: false);

    private static void None(KeySetAnswer answer, string reason, bool malformed)
    {
        Assert.Null(answer.Keys);
        Assert.Contains(reason, answer.WhyNot, StringComparison.Ordinal);
        Assert.Equal(malformed, answer.IsMalformed);
    }
}

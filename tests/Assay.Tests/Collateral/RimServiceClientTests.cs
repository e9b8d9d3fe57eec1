using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Endorsements;
using Assay.Wire;
using Microsoft.AspNetCore.Http;

namespace Assay.Tests.Collateral;

public class RimServiceClientTests
{
    private const string Id = "NV_GPU_DRIVER_GH100_550.144.03";
    private static readonly byte[] s_rim = Encoding.UTF8.GetBytes("<SoftwareIdentity>±</SoftwareIdentity>\n");

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_right_answer_gives_the_bytes()
    {
        await using var server = await Loopback.StartAsync(context => context.Response.WriteAsync(NvidiaServices.RimJson(Id, s_rim)));

        var answer = await FetchAsync(server);

        Assert.Null(answer.WhyNot);
        Assert.Equal(s_rim, answer.Item!.Body.ToArray());
        Assert.Equal($"/v1/rim/{Id}", server.Requests.Single().Path);
    }

    [Fact]
    public async Task A_base_address_may_have_a_path_and_a_final_slash()
    {
        await using var server = await Loopback.StartAsync(context => context.Response.WriteAsync(NvidiaServices.RimJson(Id, s_rim)));
        using var client = new RimServiceClient(Loopback.Addressed(server.Text + "/mirror/"), Loopback.Patient with { Time = TimeProvider.System });

        Assert.NotNull((await client.FetchAsync(Id, Cancellation)).Bytes);
        Assert.Equal($"/mirror/v1/rim/{Id}", server.Requests.Single().Path);
    }

    [Fact]
    public async Task A_digest_in_upper_case_and_no_format_are_right_too()
    {
        var json = NvidiaServices.RimJson(Id, s_rim).Replace(Sha256, Sha256.ToUpperInvariant(), StringComparison.Ordinal).Replace("\"rim_format\":\"TCG\",", "", StringComparison.Ordinal);

        Assert.NotNull((await AnswerAsync(json)).Bytes);
    }

    /// <summary>What is put for what, and what the refusal names.</summary>
    public static TheoryData<string, string, string> Lies => new()
    {
        { Id, "NV_GPU_DRIVER_GH100_550.144.04", "another id" },
        { Sha256, Convert.ToHexStringLower(SHA256.HashData("else"u8)), "sha256 does not match rim" },
        { Sha256, Sha256[..^2], "sha256 does not match rim" },
        { "\"sha256\"", "\"sha512\"", "sha256 does not match rim" },
        { "\"TCG\"", "\"CORIM\"", "CoRIM" },
        { "\"TCG\"", "\"tcg\"", "rim_format" },
        { "\"TCG\"", "null", "rim_format" },
        { "\"TCG\"", "\"\\ud800\"", "rim_format" },
        { Base64, " " + Base64, "canonical base64" },
        { Base64, Base64[..^4], "sha256 does not match rim" },
        { Base64, Base64.TrimEnd('='), "canonical base64" },
        { Base64, "Pg==Pg==", "canonical base64" },
        { Base64, "Ph==", "canonical base64" },
        { Base64, "", "empty" },
        { "\"rim\"", "\"RIM\"", "canonical base64" },
        { "\"id\"", "\"id\":\"" + Id + "\",\"id\"", "not a JSON object" },
        { "\"request_id\"", "\"\\ud800\"", "not a JSON object" },
        { "{", "[{", "not a JSON object" },
        { "}", "} ", "" },
        { "}", "}}", "not a JSON object" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task An_answer_that_is_not_as_described_is_refused_by_name(string right, string put, string named)
    {
        var json = NvidiaServices.RimJson(Id, s_rim);
        Assert.Contains(right, json, StringComparison.Ordinal);

        var answer = await AnswerAsync(json.Replace(right, put, StringComparison.Ordinal));

        Assert.Equal(named.Length == 0, answer.Item?.Body is not null);
        Assert.Contains(named, answer.WhyNot ?? "", StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_404_says_that_the_service_has_no_such_RIM_and_is_final()
    {
        await using var server = await StatusAsync(404, "{\"message\":\"RIM_NOT_FOUND\"}", "application/json");

        Assert.Equal(
            $"{server.Text}/v1/rim/{Id}: the service has no RIM {Id}: new firmware, or an id that was never published; ask again later, or compare with the ids that it lists",
            (await FetchAsync(server)).WhyNot);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task A_refusal_without_key_says_that_one_may_be_needed(int status)
    {
        await using var server = await StatusAsync(status, "{\"message\":\"nope\"}", "application/json");

        Assert.EndsWith($"HTTP {status} (\"{{\"message\":\"nope\"}}\"): a service key may be needed, none was sent", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task The_key_is_in_no_text_even_when_the_service_repeats_it()
    {
        const string secret = "nvapi-0123456789abcdef";
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = 403;
            context.Response.ContentType = "text/plain";
            return context.Response.WriteAsync($"bad header: {context.Request.Headers.Authorization}");
        });
        Assert.True(SecretText.TryCreate(secret, out var key, out _));
        using var held = key;
        var options = Loopback.Patient with { Time = TimeProvider.System, ServiceKey = held };

        var answer = await FetchAsync(server, options);

        Assert.Equal($"Bearer {secret}", server.Requests.Single().Authorization);
        Assert.EndsWith("HTTP 403 (its text repeats the service key and is left out): the service key was not accepted", answer.WhyNot, StringComparison.Ordinal);
        Assert.DoesNotContain(secret[..8], answer.WhyNot + options + held, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://elsewhere.example/v1/rim/x?token=abc", "https://elsewhere.example/v1/rim/x")]
    [InlineData("/login?next=x", "http://127.0.0.1:")]
    [InlineData("https://user:word@elsewhere.example/", "https://elsewhere.example")]
    public async Task A_redirect_is_not_followed_and_named_without_its_secrets(string location, string named)
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = 302;
            context.Response.Headers.Location = location;
            return Task.CompletedTask;
        });

        var whyNot = (await FetchAsync(server)).WhyNot;

        Assert.Contains($"HTTP 302 redirects to {named}", whyNot, StringComparison.Ordinal);
        Assert.DoesNotContain("token", whyNot, StringComparison.Ordinal);
        Assert.DoesNotContain("word", whyNot, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData(408)]
    [InlineData(429)]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    public async Task A_passing_fault_is_asked_again(int status)
    {
        var asked = 0;
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = Interlocked.Increment(ref asked) < 3 ? status : 200;
            return context.Response.StatusCode == 200 ? context.Response.WriteAsync(NvidiaServices.RimJson(Id, s_rim)) : Task.CompletedTask;
        });
        var time = new HastyTime();

        Assert.NotNull((await FetchAsync(server, Loopback.Patient with { Time = time })).Bytes);
        Assert.Equal(3, server.Requests.Count);

        // Full jitter: at most the base, then at most its double; a pause of nothing makes no timer.
        Assert.All(time.Pauses, pause => Assert.InRange(pause, TimeSpan.Zero, TimeSpan.FromMilliseconds(200)));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(405)]
    [InlineData(418)]
    [InlineData(501)]
    [InlineData(204)]
    [InlineData(206)]
    public async Task Any_other_status_is_final(int status)
    {
        await using var server = await StatusAsync(status, null, null);

        Assert.EndsWith($": HTTP {status}", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_fault_that_lasts_is_given_up_after_four_tries()
    {
        await using var server = await StatusAsync(500, "out\r\nof\u0007 order", "text/plain; charset=utf-8");

        Assert.EndsWith("HTTP 500 (\"out  of order\") (after 4 tries)", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
        Assert.Equal(4, server.Requests.Count);
    }

    [Theory]
    [InlineData("2", 2)]
    [InlineData("0", 0)]
    [InlineData("86400", 5)]
    [InlineData("Fri, 31 Dec 2066 23:59:59 GMT", 5)]
    [InlineData("Fri, 31 Dec 1999 23:59:59 GMT", 0)]
    public async Task Retry_after_is_honoured_up_to_the_cap(string header, int seconds)
    {
        var asked = 0;
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = Interlocked.Increment(ref asked) == 1 ? 429 : 200;
            context.Response.Headers.RetryAfter = header;
            return context.Response.StatusCode == 200 ? context.Response.WriteAsync(NvidiaServices.RimJson(Id, s_rim)) : Task.CompletedTask;
        });
        var time = new HastyTime();

        Assert.NotNull((await FetchAsync(server, Loopback.Patient with { Time = time })).Bytes);
        Assert.Equal(seconds == 0 ? [] : [TimeSpan.FromSeconds(seconds)], time.Pauses.Where(pause => pause > TimeSpan.Zero));
    }

    [Fact]
    public async Task A_long_error_page_is_quoted_to_200_characters()
    {
        await using var server = await StatusAsync(400, new string('x', 100_000), "text/html");

        Assert.EndsWith($"HTTP 400 (\"{new string('x', 200)}\")", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_binary_error_body_is_not_quoted()
    {
        await using var server = await StatusAsync(400, "secret binary", "application/octet-stream");

        Assert.EndsWith(": HTTP 400", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refused_connection_is_an_outage_after_four_tries()
    {
        // A port that was free a moment ago, and is not listened on.
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var address = $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}";
        listener.Stop();
        using var client = new RimServiceClient(Loopback.Addressed(address), Loopback.Patient);

        var whyNot = (await client.FetchAsync(Id, Cancellation)).WhyNot;

        Assert.StartsWith($"{address}/v1/rim/{Id}: no connection: ", whyNot, StringComparison.Ordinal);
        Assert.EndsWith("(after 4 tries)", whyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_that_is_cut_is_an_outage_after_four_tries()
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Abort();
            return Task.CompletedTask;
        });

        Assert.EndsWith("(after 4 tries)", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
        Assert.Equal(4, server.Requests.Count);
    }

    [Fact]
    public async Task A_body_that_is_cut_short_is_an_outage()
    {
        await using var server = await Loopback.StartAsync(async context =>
        {
            context.Response.ContentLength = 1000;
            await context.Response.WriteAsync("{\"id\":");
            await context.Response.Body.FlushAsync();
            context.Abort();
        });

        Assert.EndsWith("(after 4 tries)", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_slow_service_times_out_in_each_try()
    {
        await using var server = await Loopback.StartAsync(context => Task.Delay(Timeout.Infinite, context.RequestAborted));

        Assert.EndsWith("no complete answer within 0.5 s (after 2 tries)", (await FetchAsync(server, Impatient)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_service_that_hangs_in_the_middle_of_its_body_times_out()
    {
        await using var server = await Loopback.StartAsync(async context =>
        {
            await context.Response.WriteAsync("{\"id\":");
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });

        Assert.EndsWith("no complete answer within 0.5 s (after 2 tries)", (await FetchAsync(server, Impatient)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_whose_text_never_comes_is_a_refusal_all_the_same()
    {
        await using var server = await Loopback.StartAsync(async context =>
        {
            context.Response.StatusCode = 403;
            context.Response.ContentType = "text/plain";
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });

        // Long enough for the status to come on a slow machine; the text never does.
        var options = Impatient with { RequestTimeout = TimeSpan.FromSeconds(10) };
        Assert.Contains("HTTP 403: a service key may be needed", (await FetchAsync(server, options)).WhyNot, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_host_name_without_address_is_an_outage_after_four_tries()
    {
        // A label of more than 63 characters: no resolver asks anybody about it.
        var address = $"https://{new string('a', 64)}.invalid";
        using var client = new RimServiceClient(Loopback.Addressed(address), Loopback.Patient);

        Assert.EndsWith("the host name has no address (DNS) (after 4 tries)", (await client.FetchAsync(Id, Cancellation)).WhyNot, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(500, "HTTP 500")]
    [InlineData(400, "HTTP 400")]
    public async Task An_error_page_that_never_ends_costs_no_more_than_its_beginning(int status, string said)
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = status;
            context.Response.ContentType = "text/plain";
            return EndlessAsync(context);
        });

        Assert.Contains(said, (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_declares_too_much_is_refused_before_it_is_read()
    {
        // Not one byte of the body ever comes: whoever waited for it would time out.
        await using var server = await Loopback.StartAsync(async context =>
        {
            context.Response.ContentLength = 1L << 40;
            await context.Response.Body.FlushAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        });

        Assert.Contains("the answer has 1099511627776 bytes, ", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_stream_without_end_is_refused_at_the_limit()
    {
        await using var server = await Loopback.StartAsync(EndlessAsync);

        Assert.Contains("the answer has more than ", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task A_RIM_of_the_largest_size_is_had_and_one_byte_more_is_not()
    {
        await using var server = await Loopback.StartAsync(context => context.Response.WriteAsync(
            NvidiaServices.RimJson(Id, new byte[Limits.RimBytes + (context.Request.Path.Value!.StartsWith("/more", StringComparison.Ordinal) ? 1 : 0)])));
        using var more = new RimServiceClient(Loopback.Addressed(server.Text + "/more"), Loopback.Patient with { Time = TimeProvider.System });

        Assert.Equal(Limits.RimBytes, (await FetchAsync(server)).Bytes?.Length);
        Assert.EndsWith($"rim: larger than {Limits.RimBytes} bytes", (await more.FetchAsync(Id, Cancellation)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_compressed_answer_is_refused()
    {
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.Headers.ContentEncoding = "gzip";
            return context.Response.WriteAsync("bomb");
        });

        Assert.EndsWith("the answer is compressed, although that was not requested", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_page_instead_of_an_answer_is_called_one()
    {
        await using var server = await StatusAsync(200, "<html>log in</html>", "text/html");

        Assert.EndsWith("the answer is not a JSON object but text/html: check the URL", (await FetchAsync(server)).WhyNot, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../ids")]
    [InlineData("a/b")]
    [InlineData("a?b")]
    [InlineData("..")]
    [InlineData("")]
    public async Task An_id_that_is_no_URL_segment_is_not_asked_for(string id)
    {
        await using var server = await Loopback.StartAsync(_ => Task.CompletedTask);
        using var client = new RimServiceClient(server.Address, Loopback.Patient with { Time = TimeProvider.System });

        Assert.Equal("the id is not a valid URL segment", (await client.FetchAsync(id, Cancellation)).WhyNot);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Cancellation_ends_a_request_and_is_no_outage()
    {
        var reached = new TaskCompletionSource();
        await using var server = await Loopback.StartAsync(context =>
        {
            reached.SetResult();
            return Task.Delay(Timeout.Infinite, context.RequestAborted);
        });
        using var client = new RimServiceClient(server.Address, Loopback.Patient with { Time = TimeProvider.System });
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);

        var fetch = client.FetchAsync(Id, cancellation.Token);
        await reached.Task;
        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => fetch);
    }

    [Fact]
    public async Task Cancellation_ends_a_pause_too()
    {
        using var cancellation = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        await using var server = await Loopback.StartAsync(context =>
        {
            context.Response.StatusCode = 503;
            context.Response.Headers.RetryAfter = "3600";
            context.Response.OnCompleted(() => cancellation.CancelAsync());
            return Task.CompletedTask;
        });

        using var client = new RimServiceClient(server.Address, Loopback.Patient with { Time = TimeProvider.System, LongestDelay = TimeSpan.FromHours(1) });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client.FetchAsync(Id, cancellation.Token));
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData("""{"ids":["b_1","a_1","b_1","../x",7,"\ud800"],"request_id":"1"}""", "a_1 b_1")]
    [InlineData("""{"ids":[]}""", "")]
    [InlineData("""{"ids":{"a":1}}""", "")]
    [InlineData("""["a"]""", "")]
    [InlineData("garbage", "")]
    public async Task The_list_holds_what_can_be_asked_for(string json, string ids)
    {
        await using var server = await Loopback.StartAsync(context => context.Response.WriteAsync(json));
        using var client = new RimServiceClient(server.Address, Loopback.Patient with { Time = TimeProvider.System });

        Assert.Equal(ids, string.Join(' ', await client.ListRimsAsync(Cancellation)));
        Assert.Equal("/v1/rim/ids", server.Requests.Single().Path);
    }

    [Fact]
    public async Task A_list_of_too_many_ids_or_without_end_is_empty()
    {
        await using var many = await Loopback.StartAsync(context => context.Response.WriteAsync($"{{\"ids\":[{string.Join(',', Enumerable.Repeat("\"a\"", 100_001))}]}}"));
        await using var endless = await Loopback.StartAsync(EndlessAsync);
        await using var broken = await StatusAsync(404, null, null);

        foreach (var server in new[] { many, endless, broken })
        {
            using var client = new RimServiceClient(server.Address, Loopback.Patient with { Time = TimeProvider.System });
            Assert.Empty(await client.ListRimsAsync(Cancellation));
        }
    }

    private static string Base64 => Convert.ToBase64String(s_rim);

    private static string Sha256 => Convert.ToHexStringLower(SHA256.HashData(s_rim));

    private static CollateralHttpOptions Impatient => new() { RequestTimeout = TimeSpan.FromMilliseconds(500), Retries = 1, BaseDelay = TimeSpan.FromMilliseconds(1) };

    private static async Task<Fetched<CollateralItem>> AnswerAsync(string json)
    {
        await using var server = await Loopback.StartAsync(context => context.Response.WriteAsync(json));
        return await FetchAsync(server);
    }

    private static async Task<Fetched<CollateralItem>> FetchAsync(Loopback server, CollateralHttpOptions? options = null)
    {
        using var client = new RimServiceClient(server.Address, options ?? Loopback.Patient);
        return await client.FetchAsync(Id, Cancellation);
    }

    private static Task<Loopback> StatusAsync(int status, string? body, string? type) => Loopback.StartAsync(context =>
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        return body is null ? Task.CompletedTask : context.Response.WriteAsync(body);
    });

    // Ends with the connection, or after more than any limit.
    private static async Task EndlessAsync(HttpContext context)
    {
        const int most = 64 << 20;
        var chunk = new byte[1 << 16];
        Array.Fill(chunk, (byte)' ');
        try
        {
            for (var sent = 0; sent < most; sent += chunk.Length)
            {
                await context.Response.Body.WriteAsync(chunk, context.RequestAborted);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}

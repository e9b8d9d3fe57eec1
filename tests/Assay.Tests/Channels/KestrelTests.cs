using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Json;
using System.Net.Security;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Assay.Binding;
using Assay.Client.AspNetCore;
using Assay.Client.Channels;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Assay.Tests.Channels;

/// <summary>Kestrel behind attested channels, and its users: the attested clients.</summary>
public sealed class KestrelTests : IAsyncDisposable
{
    private readonly List<IAsyncDisposable> _servers = [];
    private readonly SemaphoreSlim _gate = new(0);
    private int _requests;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }

        _gate.Dispose();
    }

    [Theory]
    [InlineData(ChannelLevel.Challenge)]
    [InlineData(ChannelLevel.Exporter)]
    public async Task Requests_and_bodies_pass_with_the_scheme_https_and_one_channel_serves_many(ChannelLevel level)
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, _) = await ServeAsync(world.Server(level));
        var opened = new ConcurrentQueue<ChannelResult>();
        using var client = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(world.Policy(level)), opened.Enqueue));

        Assert.Equal($"https://{url.Authority}/ HTTP/1.1 peer False", await client.GetStringAsync(url, Cancellation));
        var body = RandomNumberGenerator.GetBytes(3 * 1024 * 1024);
        using var answer = await client.PostAsync(new Uri(url, "digest"), new ByteArrayContent(body), Cancellation);
        Assert.Equal(Convert.ToHexString(SHA256.HashData(body)), await answer.Content.ReadAsStringAsync(Cancellation));
        var repeated = Enumerable.Repeat(body[..4], 500_000).SelectMany(bytes => bytes).ToArray();
        Assert.Equal(repeated, await client.GetByteArrayAsync(new Uri(url, $"bytes?of={Convert.ToHexString(body[..4])}&times=500000"), Cancellation));
        Assert.Equal(level, Assert.Single(opened).Level);
    }

    [Theory]
    [InlineData(ChannelLevel.Challenge)]
    [InlineData(ChannelLevel.Exporter)]
    public async Task An_answer_comes_chunk_by_chunk_as_it_is_written(ChannelLevel level)
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, _) = await ServeAsync(world.Server(level));
        using var client = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(world.Policy(level))));

        using var answer = await client.GetAsync(new Uri(url, "stream"), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await using var stream = await answer.Content.ReadAsStreamAsync(Cancellation);
        // The next part is written after this one was read here: were it kept anywhere, this would wait for ever.
        for (var part = 0; part < 5; part++)
        {
            var read = new byte[6];
            await stream.ReadExactlyAsync(read, Cancellation);
            Assert.Equal($"part {part}", Encoding.ASCII.GetString(read));
            _gate.Release();
        }

        Assert.Equal(0, await stream.ReadAsync(new byte[1], Cancellation));
    }

    [Theory]
    [InlineData(ChannelLevel.Challenge)]
    [InlineData(ChannelLevel.Exporter)]
    public async Task A_WebSocket_passes(ChannelLevel level)
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, _) = await ServeAsync(world.Server(level));
        using var invoker = new HttpMessageInvoker(ChannelHttp.CreateHandler(new ChannelClient(world.Policy(level))));
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new UriBuilder(new Uri(url, "socket")) { Scheme = "ws" }.Uri, invoker, Cancellation);

        foreach (var size in new[] { 1, 70_000 })
        {
            var (sent, received) = (RandomNumberGenerator.GetBytes(size), new byte[size]);
            await socket.SendAsync(sent, WebSocketMessageType.Binary, endOfMessage: true, Cancellation);
            for (var count = 0; count < size;)
            {
                count += (await socket.ReceiveAsync(received.AsMemory(count), Cancellation)).Count;
            }

            Assert.Equal(sent, received);
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, Cancellation);
    }

    [Fact]
    public async Task The_user_of_a_mutual_channel_is_the_attested_client_with_its_claims()
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, _) = await ServeAsync(world.Server(clients: world.Policy()));
        using var own = world.Identities(options => options with { Role = ChannelRole.Client });
        using var client = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(world.Policy(), own)));

        var claims = (await client.GetFromJsonAsync<string[][]>(new Uri(url, "me"), Cancellation))!.ToLookup(claim => claim[0], claim => claim[1]);
        string Only(string type) => Assert.Single(claims[type]);
        Assert.Equal("exporter", Only(AssayClaimTypes.Level));
        Assert.Equal(ChannelWorld.Purpose, Only(AssayClaimTypes.Purpose));
        Assert.Equal($"a certificate of the configured CA for {ChannelWorld.Host}", Only(AssayClaimTypes.Operator));
        Assert.Equal(Convert.ToHexStringLower(world.Epoch), Only(AssayClaimTypes.Epoch));
        Assert.Equal(Convert.ToHexStringLower((await own.CurrentAsync(Cancellation)).Certificate.Digest.Span), Only(AssayClaimTypes.Leaf));
        Assert.Equal("boot-event", Only(AssayClaimTypes.Binding));
        Assert.Equal("not-asked", Only(AssayClaimTypes.Platform));
        Assert.Equal($"{Guest.GuestWorld.Gpus}", Only(AssayClaimTypes.Gpus));
        Assert.Equal(Guest.GuestWorld.Gpus, claims[AssayClaimTypes.GpuUeid].Distinct().Count());
        Assert.Contains("reference-values-unsigned", claims[AssayClaimTypes.Weakened]);
    }

    [Fact]
    public async Task Without_an_attested_client_there_is_no_user_whatever_the_request_says()
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, _) = await ServeAsync(world.Server());
        using var client = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(world.Policy())));
        client.DefaultRequestHeaders.Add("Authorization", "AssayAttestation level=exporter");
        client.DefaultRequestHeaders.Add(AssayClaimTypes.Level.Replace(':', '-'), "exporter");

        using var answer = await client.GetAsync(new Uri(url, "me"), Cancellation);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
    }

    [Theory]
    [InlineData(ChannelLevel.Exporter, HttpStatusCode.Unauthorized)]
    [InlineData(ChannelLevel.Challenge, HttpStatusCode.OK)]
    public async Task A_client_that_is_attested_at_a_lower_level_than_the_scheme_asks_for_is_no_user(ChannelLevel minimum, HttpStatusCode expected)
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, _) = await ServeAsync(world.Server(ChannelLevel.Challenge, clients: world.Policy(ChannelLevel.Challenge)), minimum);
        using var own = world.Identities(options => options with { Role = ChannelRole.Client });
        using var client = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(world.Policy(ChannelLevel.Challenge), own)));

        Assert.EndsWith("peer True", await client.GetStringAsync(url, Cancellation), StringComparison.Ordinal);
        using var answer = await client.GetAsync(new Uri(url, "me"), Cancellation);
        Assert.Equal(expected, answer.StatusCode);
    }

    [Theory]
    [InlineData(ChannelLevel.Challenge)]
    [InlineData(ChannelLevel.Exporter)]
    public async Task Who_speaks_plain_HTTP_or_plain_TLS_gets_nothing_and_is_logged(ChannelLevel level)
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, log) = await ServeAsync(world.Server(level));
        byte[] request = [.. "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8];

        using (var plain = new TcpClient())
        {
            await plain.ConnectAsync(url.Host, url.Port, Cancellation);
            await plain.GetStream().WriteAsync(request, Cancellation);
            Assert.DoesNotContain("HTTP/", Encoding.Latin1.GetString(await DrainAsync(plain.GetStream())), StringComparison.Ordinal);
            // While the client stays: one that goes before the server looks is told as gone, and of that there is no line at this level.
            await log.WaitForAsync(1);
        }

        foreach (var protocol in new[] { SslApplicationProtocol.Http11, default })
        {
            using var tcp = new TcpClient();
            await tcp.ConnectAsync(url.Host, url.Port, Cancellation);
            await using var tls = new SslStream(tcp.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => certificate is not null);
            try
            {
                await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = "localhost", ApplicationProtocols = protocol == default ? null : [protocol] }, Cancellation);
                await tls.WriteAsync(request, Cancellation);
                Assert.Empty(await DrainAsync(tls));
            }
            catch (Exception exception) when (exception is IOException or System.Security.Authentication.AuthenticationException)
            {
                // Refused in the handshake already.
            }

            await log.WaitForAsync(1);
        }

        Assert.Equal(0, _requests);
        Assert.Equal(3, log.Lines.Count);
        Assert.All(log.Lines, line => Assert.Equal((1401, LogLevel.Warning), (line.Id, line.Level)));
        Assert.Contains(log.Lines, line => line.Text.Contains("channel.tls", StringComparison.Ordinal));
        Assert.Contains(log.Lines, line => line.Text.Contains("channel.protocol", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_client_that_refuses_the_server_sends_no_byte_of_its_request()
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, log) = await ServeAsync(world.Server());
        // Evidence and operator are good: the verdict alone, which comes last, says no.
        var refusing = world.Policy() with { Appraiser = new Refusing(world.Appraiser) };
        using var client = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(refusing)));
        using var content = new CountedContent();

        var failed = await Assert.ThrowsAsync<HttpRequestException>(() => client.PostAsync(new Uri(url, "digest"), content, Cancellation));
        Assert.Equal("channel.verdict", Assert.IsType<ChannelException>(failed.InnerException).Id);
        await log.WaitForAsync(1);
        Assert.Equal((0, 0), (content.Asked, _requests));

        // The same request, where the client agrees.
        using var agreeing = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(world.Policy())));
        using var again = new CountedContent();
        using var answer = await agreeing.PostAsync(new Uri(url, "digest"), again, Cancellation);
        Assert.Equal((1, 1), (again.Asked, _requests));
    }

    [Fact]
    public async Task A_client_without_evidence_does_not_reach_a_server_that_demands_it()
    {
        await using var world = await ChannelWorld.StartAsync();
        var (url, log) = await ServeAsync(world.Server(clients: world.Policy()));
        using var client = new HttpClient(ChannelHttp.CreateHandler(new ChannelClient(world.Policy())));

        await Assert.ThrowsAsync<HttpRequestException>(() => client.GetStringAsync(url, Cancellation));
        await log.WaitForAsync(1);
        Assert.Equal(0, _requests);
    }

    [Fact]
    public void A_scheme_without_a_level_is_refused() => Assert.Throws<InvalidOperationException>(() => new AssayAttestationOptions { MinimumLevel = ChannelLevel.None }.Validate());

    private static async Task<byte[]> DrainAsync(Stream stream)
    {
        using var all = new MemoryStream();
        try
        {
            await stream.CopyToAsync(all, Cancellation);
        }
        catch (IOException)
        {
            // Reset: what came before counts.
        }

        return all.ToArray();
    }

    private async Task<(Uri Url, LogLines Log)> ServeAsync(ChannelServer server, ChannelLevel minimum = ChannelLevel.Exporter)
    {
        var log = new LogLines();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseAssayChannel(server)));
        builder.Services.AddAuthentication().AddAssayAttestation(options => options.MinimumLevel = minimum);
        builder.Services.AddAuthorization();
        var app = builder.Build();
        _servers.Add(app);
        app.Use((context, next) =>
        {
            Interlocked.Increment(ref _requests);
            return next(context);
        });
        app.UseWebSockets();
        app.UseAuthentication();
        app.UseAuthorization();
        Map(app);
        await app.StartAsync(Cancellation);
        return (new Uri(app.Urls.Single()), log);
    }

    private void Map(WebApplication app)
    {
        app.MapGet("/", (HttpContext context) => $"{context.Request.GetEncodedUrl()} {context.Request.Protocol} peer {context.Features.Get<AssayChannelFeature>()!.Peer is not null}");
        app.MapGet("/me", [Authorize] (HttpContext context) => context.User.Claims.Select(claim => new[] { claim.Type, claim.Value }));
        app.MapPost("/digest", async (HttpContext context) => await context.Response.WriteAsync(Convert.ToHexString(await SHA256.HashDataAsync(context.Request.Body, context.RequestAborted))));
        app.MapGet("/bytes", async (HttpContext context, string of, int times) =>
        {
            var part = Convert.FromHexString(of);
            for (var time = 0; time < times; time += 1024)
            {
                await context.Response.Body.WriteAsync(Enumerable.Repeat(part, Math.Min(1024, times - time)).SelectMany(bytes => bytes).ToArray(), context.RequestAborted);
            }
        });
        app.MapGet("/stream", async (HttpContext context) =>
        {
            for (var part = 0; part < 5; part++)
            {
                await context.Response.WriteAsync($"part {part}", context.RequestAborted);
                await context.Response.Body.FlushAsync(context.RequestAborted);
                await _gate.WaitAsync(context.RequestAborted);
            }
        });
        app.MapGet("/socket", async (HttpContext context) =>
        {
            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            var buffer = new byte[16 * 1024];
            while (await socket.ReceiveAsync(buffer.AsMemory(), context.RequestAborted) is { MessageType: not WebSocketMessageType.Close } received)
            {
                await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, context.RequestAborted);
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, context.RequestAborted);
        });
    }

    /// <summary>Judges as it should, and then says no.</summary>
    private sealed class Refusing(IChannelAppraiser appraiser) : IChannelAppraiser
    {
        public async Task<Assay.Policy.Verdict> AppraiseAsync(Assay.Channels.ChannelEvidence evidence, CancellationToken cancellation) =>
            await appraiser.AppraiseAsync(evidence, cancellation) with { Kind = Assay.Policy.VerdictKind.Fail };
    }

    /// <summary>Counts how often its bytes are asked for.</summary>
    private sealed class CountedContent : HttpContent
    {
        public int Asked { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            Asked++;
            return stream.WriteAsync("body"u8.ToArray()).AsTask();
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 4;
            return true;
        }
    }

    /// <summary>Lines of the middleware; an error of Kestrel's own would be one of them too.</summary>
    private sealed class LogLines : ILoggerProvider, ILogger
    {
        private readonly SemaphoreSlim _written = new(0);

        public ConcurrentQueue<(int Id, LogLevel Level, string Text)> Lines { get; } = new();

        public async Task WaitForAsync(int lines)
        {
            while (lines-- > 0)
            {
                Assert.True(await _written.WaitAsync(Patience.Long, Cancellation));
            }
        }

        public ILogger CreateLogger(string categoryName) => this;

        public void Dispose()
        {
        }

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Warning;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                Lines.Enqueue((eventId.Id, logLevel, formatter(state, exception)));
                _written.Release();
            }
        }
    }
}

using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Assay.Client.AspNetCore;
using Assay.Client.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Assay.Benchmarks;

/// <summary>One Kestrel with a port for its own TLS and one for channels, the same bytes from both, in turn. Milliseconds for each of the bodies.</summary>
internal sealed class KestrelRows : IAsyncDisposable
{
    private const int Bytes = 256 << 20;

    private readonly WebApplication _app;
    private readonly HttpClient _plain;
    private readonly HttpClient _channel;

    private KestrelRows(WebApplication app, HttpClient plain, HttpClient channel) => (_app, _plain, _channel) = (app, plain, channel);

    public static async Task<KestrelRows> StartAsync(X509Certificate2 certificate, string host, X509ChainPolicy trust, ChannelServer server, ChannelClient client)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseHttps(certificate, https => https.SslProtocols = SslProtocols.Tls13));
            kestrel.Listen(IPAddress.Loopback, 0, listen => listen.UseAssayChannel(server));
        });
        var app = builder.Build();
        app.Run(SendAsync);
        await app.StartAsync().ConfigureAwait(false);
        var ports = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Select(address => new Uri(address).Port).ToArray();
        var plain = new SocketsHttpHandler
        {
            SslOptions = new SslClientAuthenticationOptions { CertificateChainPolicy = trust },
            ConnectCallback = async (context, cancellation) =>
            {
                var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(IPAddress.Loopback, context.DnsEndPoint.Port, cancellation).ConfigureAwait(false);
                return new NetworkStream(socket, ownsSocket: true);
            },
        };
        return new KestrelRows(app, new HttpClient(plain) { BaseAddress = new Uri($"https://{host}:{ports[0]}/") }, new HttpClient(ChannelHttp.CreateHandler(client)) { BaseAddress = new Uri($"http://127.0.0.1:{ports[1]}/") });
    }

    public Task<double> PlainAsync() => TimeAsync(_plain);

    public Task<double> ChannelAsync() => TimeAsync(_channel);

    public async ValueTask DisposeAsync()
    {
        _plain.Dispose();
        _channel.Dispose();
        await _app.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task SendAsync(HttpContext context)
    {
        if (context.Request.Path == "/warm")
        {
            return;
        }

        context.Response.ContentLength = Bytes;
        var buffer = new byte[64 * 1024];
        for (var sent = 0; sent < Bytes; sent += buffer.Length)
        {
            await context.Response.Body.WriteAsync(buffer).ConfigureAwait(false);
        }
    }

    private static async Task<double> TimeAsync(HttpClient client)
    {
        // The connection is there, and attested, before the time counts.
        await client.GetStringAsync(new Uri("/warm", UriKind.Relative)).ConfigureAwait(false);
        var watch = Stopwatch.StartNew();
        using var answer = await client.GetAsync(new Uri("/", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead).ConfigureAwait(false);
        var content = await answer.Content.ReadAsStreamAsync().ConfigureAwait(false);
        var (buffer, received) = (new byte[64 * 1024], 0L);
        while (await content.ReadAsync(buffer).ConfigureAwait(false) is > 0 and var read)
        {
            received += read;
        }

        return received == Bytes ? watch.Elapsed.TotalMilliseconds : throw new EndOfStreamException();
    }
}

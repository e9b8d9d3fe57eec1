using System.Net;
using System.Net.WebSockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Channels;

/// <summary>A server that answers line by line, and writes each line only after the test says that the client has the one before.</summary>
internal sealed class StreamingServer : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly SemaphoreSlim _next = new(0);
    private int _requests;

    private StreamingServer(WebApplication application) => _application = application;

    public int Port => new Uri(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    /// <summary>Requests that came.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>The Host of the last one.</summary>
    public string LastHost { get; private set; } = "";

    public static async Task<StreamingServer> StartAsync(X509Certificate2? certificate = null)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, listener =>
        {
            listener.Protocols = HttpProtocols.Http1;
            if (certificate is not null)
            {
                listener.UseHttps(certificate);
            }
        }));
        if (certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        var server = new StreamingServer(builder.Build());
        server._application.UseWebSockets();
        server._application.Run(server.AnswerAsync);
        await server._application.StartAsync(TestContext.Current.CancellationToken);
        return server;
    }

    /// <summary>Lets the next line be written.</summary>
    public void Continue() => _next.Release();

    public async ValueTask DisposeAsync()
    {
        _next.Release(1000);
        await _application.StopAsync();
        await _application.DisposeAsync();
    }

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        LastHost = context.Request.Host.Value ?? "";
        switch (context.Request.Path.Value)
        {
            case "/stream":
                await StreamAsync(context, "", "\n");
                break;
            case "/events":
                context.Response.ContentType = "text/event-stream";
                // Headers alone, as a model sends them before its first token.
                await context.Response.Body.FlushAsync();
                await _next.WaitAsync(context.RequestAborted);
                await StreamAsync(context, "data: ", "\n\n");
                break;
            case "/socket":
                await EchoAsync(await context.WebSockets.AcceptWebSocketAsync(), context.RequestAborted);
                break;
            case "/echo":
                await context.Request.Body.CopyToAsync(context.Response.Body);
                break;
            default:
                await context.Response.WriteAsync("hello\n");
                break;
        }
    }

    private async Task StreamAsync(HttpContext context, string before, string behind)
    {
        foreach (var word in (string[])["one", "two", "three"])
        {
            await context.Response.Body.WriteAsync(Encoding.ASCII.GetBytes(before + word + behind));
            await context.Response.Body.FlushAsync();
            await _next.WaitAsync(context.RequestAborted);
        }
    }

    private static async Task EchoAsync(WebSocket socket, CancellationToken cancellation)
    {
        var buffer = new byte[1024];
        while (await socket.ReceiveAsync(buffer.AsMemory(), cancellation) is { MessageType: not WebSocketMessageType.Close } received)
        {
            await socket.SendAsync(buffer.AsMemory(0, received.Count), received.MessageType, received.EndOfMessage, cancellation);
        }

        await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, cancellation);
    }
}

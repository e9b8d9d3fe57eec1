using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Cli.Demo;

/// <summary>The server inside the VM: it listens on loopback, knows nothing of channels, and streams words. It writes a word only after it is told that the client has the one before.</summary>
internal sealed class DemoUpstream : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly SemaphoreSlim _next = new(0);
    private int _requests;

    private DemoUpstream(WebApplication application) => _application = application;

    public static IReadOnlyList<string> Words { get; } = ["tokens", "come", "one", "by", "one"];

    public int Port => new Uri(_application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;

    /// <summary>Requests that came.</summary>
    public int Requests => Volatile.Read(ref _requests);

    public static async Task<DemoUpstream> StartAsync(CancellationToken cancellation)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var server = new DemoUpstream(builder.Build());
        server._application.Run(server.AnswerAsync);
        await server._application.StartAsync(cancellation).ConfigureAwait(false);
        return server;
    }

    /// <summary>Lets the next word be written.</summary>
    public void Continue() => _next.Release();

    public async ValueTask DisposeAsync()
    {
        _next.Release(Words.Count);
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }

    private async Task AnswerAsync(HttpContext context)
    {
        Interlocked.Increment(ref _requests);
        if (context.Request.Path != "/stream")
        {
            await WriteAsync(context, "hello from inside the VM\n").ConfigureAwait(false);
            return;
        }

        foreach (var word in Words)
        {
            await WriteAsync(context, word + "\n").ConfigureAwait(false);
            await _next.WaitAsync(context.RequestAborted).ConfigureAwait(false);
        }
    }

    private static async Task WriteAsync(HttpContext context, string text)
    {
        await context.Response.Body.WriteAsync(Encoding.ASCII.GetBytes(text), context.RequestAborted).ConfigureAwait(false);
        await context.Response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
    }
}

using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Cli.Channels;

/// <summary>Counts for Prometheus, at a listener of their own: what is proxied has every path.</summary>
internal sealed class MetricsSide : IAsyncDisposable
{
    private readonly WebApplication _application;

    private MetricsSide(WebApplication application) => _application = application;

    /// <summary>Where it listens.</summary>
    public string Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    /// <summary>Starts it. Throws <see cref="IOException"/> when the address is taken.</summary>
    public static async Task<MetricsSide> StartAsync(IPEndPoint listen, ProxyCounts counts, CancellationToken cancellation)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(listen, listener => listener.Protocols = HttpProtocols.Http1);
        });
        var application = builder.Build();
        var isOnLoopback = IPAddress.IsLoopback(listen.Address);
        application.Run(context => AnswerAsync(context, isOnLoopback, counts));
        await Listening.StartAsync(application, cancellation).ConfigureAwait(false);
        return new MetricsSide(application);
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task AnswerAsync(HttpContext context, bool isOnLoopback, ProxyCounts counts)
    {
        if (isOnLoopback && !HostNames.Admits(context.Request))
        {
            context.Response.StatusCode = StatusCodes.Status421MisdirectedRequest;
            return;
        }

        if (context.Request.Path != "/metrics")
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        context.Response.ContentType = "text/plain; version=0.0.4; charset=utf-8";
        await context.Response.BodyWriter.WriteAsync(Encoding.UTF8.GetBytes(counts.Metrics()), context.RequestAborted).ConfigureAwait(false);
    }
}

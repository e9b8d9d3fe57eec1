using System.Net;
using Assay.Client.Channels;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Yarp.ReverseProxy.Forwarder;

namespace Assay.Cli.Channels;

/// <summary>HTTP in the clear on one side, HTTP inside attested channels on the other: requests share channels, and nothing is held back on the way, whether stream, event or WebSocket.</summary>
internal sealed class HttpSide : IAsyncDisposable
{
    private const int HeaderBytes = 64 * 1024;
    private const int MostConnections = 4096;

    // A model may think for long before its first token; a server that is gone breaks the connection off.
    private static readonly ForwarderRequestConfig s_request = new()
    {
        ActivityTimeout = TimeSpan.FromHours(1),
        Version = HttpVersion.Version11,
        VersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static readonly TimeSpan s_ending = TimeSpan.FromSeconds(1);

    private readonly WebApplication _application;
    private readonly IHttpForwarder _forwarder;
    private readonly UpstreamAddress _upstream;
    private readonly UpstreamDialer _dialer;
    private readonly PolicyHolder _policies;
    private readonly OnlyHost _transformer;
    private readonly bool _isOnLoopback;
    private readonly Lock _changing = new();
    private HttpRoute _route;

    private HttpSide(WebApplication application, IPEndPoint listen, UpstreamAddress upstream, UpstreamDialer dialer, PolicyHolder policies)
    {
        (_application, _upstream, _dialer, _policies) = (application, upstream, dialer, policies);
        _forwarder = application.Services.GetRequiredService<IHttpForwarder>();
        _transformer = new OnlyHost(upstream.Authority);
        _isOnLoopback = IPAddress.IsLoopback(listen.Address);
        _route = new HttpRoute(policies.Current, dialer);
    }

    /// <summary>Where it listens.</summary>
    public string Address => _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();

    /// <summary>Starts it. Throws <see cref="IOException"/> when the address is taken.</summary>
    public static async Task<HttpSide> StartAsync(IPEndPoint listen, UpstreamAddress upstream, UpstreamDialer dialer, PolicyHolder policies, CancellationToken cancellation)
    {
        // Empty: an appsettings.json in the folder or a variable may not open a listener of its own.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => Configure(kestrel, listen));
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = s_ending);
        builder.Services.AddHttpForwarder();
        var side = new HttpSide(builder.Build(), listen, upstream, dialer, policies);
        side._application.Run(side.ForwardAsync);
        await Listening.StartAsync(side._application, cancellation).ConfigureAwait(false);
        return side;
    }

    public async ValueTask DisposeAsync()
    {
        await _application.StopAsync().ConfigureAwait(false);
        await _application.DisposeAsync().ConfigureAwait(false);
        _route.Retire();
    }

    // What passes is as large and as slow as client and server like: both are the caller's.
    private static void Configure(KestrelServerOptions kestrel, IPEndPoint listen)
    {
        kestrel.AddServerHeader = false;
        kestrel.Limits.MaxRequestBodySize = null;
        kestrel.Limits.MinRequestBodyDataRate = null;
        kestrel.Limits.MinResponseDataRate = null;
        kestrel.Limits.MaxRequestHeadersTotalSize = HeaderBytes;
        kestrel.Limits.MaxConcurrentConnections = MostConnections;
        kestrel.Limits.MaxConcurrentUpgradedConnections = MostConnections;
        kestrel.Listen(listen, listener => listener.Protocols = HttpProtocols.Http1);
    }

    private async Task ForwardAsync(HttpContext context)
    {
        if (_isOnLoopback && !HostNames.Admits(context.Request))
        {
            await ChannelProblem.WriteAsync(context, StatusCodes.Status421MisdirectedRequest, "channel.host", "the Host of this request is no name of this machine's loopback, or a page of another origin sends it: a page in a browser may have been led here").ConfigureAwait(false);
            return;
        }

        var route = Enter();
        try
        {
            var error = await _forwarder.SendAsync(context, $"http://{_upstream.Authority}", route.Invoker, s_request, _transformer).ConfigureAwait(false);
            if (error is not ForwarderError.None && !context.Response.HasStarted && !context.RequestAborted.IsCancellationRequested)
            {
                await TellAsync(context, error).ConfigureAwait(false);
            }
        }
        finally
        {
            route.Leave();
        }
    }

    private Task TellAsync(HttpContext context, ForwarderError error)
    {
        var exception = context.Features.Get<IForwarderErrorFeature>()?.Exception;
        for (var inner = exception; inner is not null; inner = inner.InnerException)
        {
            if (inner is ChannelException refused)
            {
                return ChannelProblem.WriteAsync(context, StatusCodes.Status502BadGateway, refused.Id, refused.Reason);
            }
        }

        Output.Error("channel.upstream", $"{_upstream}: {error}: {exception?.Message ?? "no answer"}");
        return ChannelProblem.WriteAsync(context, StatusCodes.Status502BadGateway, "channel.upstream", $"the server at the end of the channel gave no answer: {error}");
    }

    // A policy that came since the last request brings a pool of its own.
    private HttpRoute Enter()
    {
        lock (_changing)
        {
            if (!ReferenceEquals(_route.Policy, _policies.Current))
            {
                _route.Retire();
                _route = new HttpRoute(_policies.Current, _dialer);
            }

            return _route.TryEnter() ? _route : throw new InvalidOperationException("the route ended while it was entered");
        }
    }

    /// <summary>Passes headers as they are, under the server's own name.</summary>
    private sealed class OnlyHost(string authority) : HttpTransformer
    {
        public override async ValueTask TransformRequestAsync(HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
        {
            await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken).ConfigureAwait(false);
            proxyRequest.Headers.Host = authority;
        }

        // A client that follows an absolute address would send the same request again, and in the clear: the server's own becomes one of this proxy, and no other passes.
        private bool StayInside(HttpResponse response)
        {
            foreach (var name in (string[])["Location", "Content-Location"])
            {
                if (response.Headers[name].ToString() is not { Length: > 0 } text || (!text.StartsWith("//", StringComparison.Ordinal) && !text.Contains(':', StringComparison.Ordinal)))
                {
                    continue;
                }

                if (!Uri.TryCreate(text.StartsWith("//", StringComparison.Ordinal) ? $"http:{text}" : text, UriKind.RelativeOrAbsolute, out var address))
                {
                    return false;
                }

                // A colon may be in a path too.
                if (!address.IsAbsoluteUri)
                {
                    continue;
                }

                if (!address.Authority.Equals(authority, StringComparison.OrdinalIgnoreCase) && !$"{address.Host}:{address.Port}".Equals(authority, StringComparison.OrdinalIgnoreCase))
                {
                    return false;
                }

                response.Headers[name] = address.PathAndQuery + address.Fragment;
            }

            response.Headers.Remove("Refresh");
            return true;
        }

        // A stream's headers are sent when they come: its first byte may be long in coming.
        public override async ValueTask<bool> TransformResponseAsync(HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
        {
            var hasBody = await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken).ConfigureAwait(false);
            if (proxyResponse is not null && !StayInside(httpContext.Response))
            {
                await ChannelProblem.WriteAsync(httpContext, StatusCodes.Status502BadGateway, "channel.redirect", "the server sends the client to an address outside the channel").ConfigureAwait(false);
                return false;
            }

            if (hasBody && proxyResponse is { StatusCode: not HttpStatusCode.SwitchingProtocols, Content.Headers.ContentLength: null })
            {
                await httpContext.Response.Body.FlushAsync(cancellationToken).ConfigureAwait(false);
            }

            return hasBody;
        }
    }
}

using Assay.Client.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Assay.Client.AspNetCore;

/// <summary>Attested channels for Kestrel.</summary>
public static class AssayChannelListenOptionsExtensions
{
    /// <summary>
    /// Accepts attested channels on this address, in place of TLS, and nothing else: who does not speak the channel, or is refused, gets no answer of the application. Requests have the
    /// scheme https, and <see cref="AssayChannelFeature"/>. HTTP/1.1; WebSockets and streams pass.
    /// </summary>
    /// <param name="options">The address.</param>
    /// <param name="server">Accepts the channels.</param>
    public static ListenOptions UseAssayChannel(this ListenOptions options, ChannelServer server)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(server);
        var logger = options.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger<ChannelMiddleware>();
        // The channel's ALPN names the channel, so that no other version of HTTP can be agreed on.
        options.Protocols = HttpProtocols.Http1;
        options.Use(next => new ChannelMiddleware(next, server, logger).RunAsync);
        return options;
    }
}

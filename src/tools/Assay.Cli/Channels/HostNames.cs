using System.Net;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Assay.Cli.Channels;

/// <summary>
/// Whom a proxy on loopback answers: programs of this machine, and pages that it serves itself. A page in a browser that comes from elsewhere must not read what comes out of the channel, whether
/// its name was made to lead to this machine (DNS rebinding: the Host is another), or it opens a WebSocket or fetches across origins (the Origin is another).
/// </summary>
internal static class HostNames
{
    public static bool Admits(HttpRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return IsLoopback(request.Host)
            && (StringValues.IsNullOrEmpty(request.Headers.Origin) || string.Equals(request.Headers.Origin, $"http://{request.Host}", StringComparison.OrdinalIgnoreCase))
            && request.Headers["Sec-Fetch-Site"].ToString() is "" or "none" or "same-origin";
    }

    private static bool IsLoopback(HostString host) => host.HasValue
        && (host.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase) || (IPAddress.TryParse(host.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address)));
}

using System.Net;
using Microsoft.AspNetCore.Http;

namespace Assay.Cli.Channels;

/// <summary>
/// The names under which a proxy on loopback is asked: addresses of loopback, localhost, and the server's own. A page in a browser whose name was made to lead to this machine has
/// another (DNS rebinding), and must not read what comes out of the channel.
/// </summary>
internal sealed class HostNames(string upstream)
{
    public bool Contains(HostString host) => host.HasValue && (
        host.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || host.Host.Equals(upstream, StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Host.Trim('[', ']'), out var address) && (IPAddress.IsLoopback(address) || address.ToString() == upstream)));
}

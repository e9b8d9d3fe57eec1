using System.Net.Sockets;
using Microsoft.AspNetCore.Builder;

namespace Assay.Cli.Channels;

/// <summary>Starts servers whose address may be taken.</summary>
internal static class Listening
{
    /// <summary>Starts it. Throws <see cref="IOException"/> when the address is taken, or not this machine's.</summary>
    public static async Task StartAsync(WebApplication application, CancellationToken cancellation)
    {
        try
        {
            await application.StartAsync(cancellation).ConfigureAwait(false);
        }
        catch (Exception exception) when (exception is SocketException or IOException)
        {
            await application.DisposeAsync().ConfigureAwait(false);
            throw new IOException(exception.Message, exception);
        }
    }
}

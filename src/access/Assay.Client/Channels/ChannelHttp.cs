using System.Net.Sockets;

namespace Assay.Client.Channels;

/// <summary>Attested channels for <see cref="HttpClient"/>.</summary>
public static class ChannelHttp
{
    /// <summary>
    /// A handler whose every connection is attested before a byte of a request is sent on it. Requests are for <c>http://</c> addresses: the channel is the TLS, and the handler knows nothing of it.
    /// HTTP/1.1; WebSockets and streams pass.
    /// </summary>
    /// <param name="client">Opens the channels.</param>
    /// <param name="opened">Called for each channel that opens; null: no callback.</param>
    /// <param name="lifetime">After which a connection takes no further request, and a new one is attested; null: ten minutes.</param>
    public static SocketsHttpHandler CreateHandler(ChannelClient client, Action<ChannelResult>? opened = null, TimeSpan? lifetime = null)
    {
        ArgumentNullException.ThrowIfNull(client);
        return new SocketsHttpHandler
        {
            UseProxy = false,
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = System.Net.DecompressionMethods.None,
            PooledConnectionLifetime = lifetime ?? TimeSpan.FromMinutes(10),
            // An https address would be TLS inside the channel, to whomever that certificate names.
            SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => false },
            ConnectCallback = async (context, cancellation) =>
            {
                var connection = await DialAsync(client, context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancellation).ConfigureAwait(false);
                opened?.Invoke(connection.Peer!);
                return connection.Stream;
            },
        };
    }

    /// <summary>Opens a channel to a host.</summary>
    /// <param name="client">Opens it.</param>
    /// <param name="host">A DNS name or an address.</param>
    /// <param name="port">Its port.</param>
    /// <param name="cancellation">Ends the attempt.</param>
    /// <exception cref="ChannelException">There is no channel.</exception>
    public static async Task<ChannelConnection> DialAsync(ChannelClient client, string host, int port, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(client);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(client.Timeout);
        try
        {
            // A peer that is gone without a word is noticed.
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            await socket.ConnectAsync(host, port, deadline.Token).ConfigureAwait(false);
        }
        catch (Exception exception)
        {
            socket.Dispose();
            throw exception is OperationCanceledException && !cancellation.IsCancellationRequested ? new ChannelException("channel.timeout", $"{host}:{port} did not answer in time", exception)
                : exception is SocketException ? new ChannelException("channel.connection", $"{host}:{port} cannot be reached: {exception.Message}", exception) : exception;
        }

        return await client.OpenAsync(new NetworkStream(socket, ownsSocket: true), host, cancellation).ConfigureAwait(false);
    }
}

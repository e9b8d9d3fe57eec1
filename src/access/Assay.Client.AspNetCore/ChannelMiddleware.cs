using System.IO.Pipelines;
using Assay.Client.Channels;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace Assay.Client.AspNetCore;

/// <summary>Accepts the channel on a connection, and gives what follows the channel's stream in place of the transport.</summary>
internal sealed partial class ChannelMiddleware(ConnectionDelegate next, ChannelServer server, ILogger<ChannelMiddleware> logger)
{
    public async Task RunAsync(ConnectionContext connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (await AcceptAsync(connection).ConfigureAwait(false) is not { } channel)
        {
            return;
        }

        var transport = connection.Transport;
        var pipe = new StreamPipe(channel.Stream);
        try
        {
            connection.Transport = pipe;
            connection.Features.Set(new AssayChannelFeature(channel.Peer));
            // Kestrel's requests have the scheme https where a connection has this.
            connection.Features.Set<ITlsConnectionFeature>(new TlsConnectionFeature());
            await next(connection).ConfigureAwait(false);
        }
        finally
        {
            // What is still in the pipe goes first; then the channel says that it ends, on a transport that is Kestrel's to close.
            await pipe.CompleteAsync().ConfigureAwait(false);
            await channel.DisposeAsync().ConfigureAwait(false);
            connection.Transport = transport;
        }
    }

    // To be refused is what happens to some clients, and no fault of this server: Kestrel is told of none.
    private async Task<ChannelConnection?> AcceptAsync(ConnectionContext connection)
    {
        try
        {
            return await server.AcceptAsync(new TransportStream(connection.Transport), connection.ConnectionClosed).ConfigureAwait(false);
        }
        catch (ChannelException exception)
        {
            Log.Refused(logger, connection.ConnectionId, exception.Id, exception.Reason);
        }
        catch (Exception exception) when (exception is OperationCanceledException or ObjectDisposedException)
        {
            Log.Gone(logger, connection.ConnectionId);
        }

        return null;
    }

    /// <summary>What the application's side of Kestrel reads and writes.</summary>
    private sealed class StreamPipe(Stream stream) : IDuplexPipe
    {
        public PipeReader Input { get; } = PipeReader.Create(stream, new StreamPipeReaderOptions(leaveOpen: true));

        public PipeWriter Output { get; } = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));

        public async Task CompleteAsync()
        {
            await Input.CompleteAsync().ConfigureAwait(false);
            try
            {
                await Output.CompleteAsync().ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is IOException or InvalidOperationException or OperationCanceledException)
            {
                // The client is gone, and what was still to be sent with it.
            }
        }
    }

    private sealed class TlsConnectionFeature : ITlsConnectionFeature
    {
        public System.Security.Cryptography.X509Certificates.X509Certificate2? ClientCertificate { get; set; }

        public Task<System.Security.Cryptography.X509Certificates.X509Certificate2?> GetClientCertificateAsync(CancellationToken cancellationToken) => Task.FromResult(ClientCertificate);
    }
}

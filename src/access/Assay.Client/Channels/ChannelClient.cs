using Assay.Binding;
using Assay.Channels;
using Assay.Client.Channels.Tls;

namespace Assay.Client.Channels;

/// <summary>Opens attested channels. May be used by many threads at once.</summary>
public sealed class ChannelClient
{
    private readonly ChannelPolicy _policy;
    private readonly ChannelIdentities? _own;
    private readonly TimeProvider _clock;

    /// <param name="policy">What is demanded of servers.</param>
    /// <param name="own">How this end shows itself to servers that ask; null: such servers refuse it.</param>
    /// <param name="clock">Null: the system's.</param>
    /// <exception cref="ArgumentException">The policy names no level or purpose.</exception>
    public ChannelClient(ChannelPolicy policy, ChannelIdentities? own = null, TimeProvider? clock = null)
    {
        ArgumentNullException.ThrowIfNull(policy);
        policy.Require();
        if (own is { Options.Role: not ChannelRole.Client })
        {
            throw new ArgumentException("an identity of the role client is expected", nameof(own));
        }

        (_policy, _own, _clock) = (policy, own, clock ?? TimeProvider.System);
    }

    /// <summary>Shakes hands, asks for evidence and judges it. Not a byte of the application is sent before.</summary>
    /// <param name="transport">A connection to the server; owned from here on, whatever happens.</param>
    /// <param name="host">The server's name, for its choice of a certificate. Whose the server is, the policy says and not this.</param>
    /// <param name="cancellation">Ends the attempt.</param>
    /// <exception cref="ChannelException">There is no channel.</exception>
    public async Task<ChannelConnection> OpenAsync(Stream transport, string host, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(transport);
        ArgumentException.ThrowIfNullOrEmpty(host);
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        deadline.CancelAfter(_policy.Timeout);
        TlsEnd? tls = null;
        try
        {
            var own = _own is null ? null : await _own.CurrentAsync(deadline.Token).ConfigureAwait(false);
            var whose = "";
            void Judge(IReadOnlyList<byte[]> chain) => whose = _policy.Operator.Require(chain, _clock.GetUtcNow());
            tls = _policy.MinimumLevel is ChannelLevel.Exporter
                ? await ManagedTlsEnd.ConnectAsync(transport, host, Judge, own, deadline.Token).ConfigureAwait(false)
                : await SslStreamEnd.ConnectAsync(transport, host, Judge, own, deadline.Token).ConfigureAwait(false);
            var exchange = new Exchange(tls, ChannelRole.Client, own is null ? null : (own, _own!.Options));
            var result = await ToldAsync(exchange, () => ExchangeAsync(tls, exchange, whose, deadline.Token)).ConfigureAwait(false);
            return new ChannelConnection(tls, result);
        }
        catch (Exception exception)
        {
            await (tls as IAsyncDisposable ?? transport).DisposeAsync().ConfigureAwait(false);
            throw Explained(exception, cancellation);
        }
        finally
        {
            tls?.EndExporter();
        }
    }

    internal TimeSpan Timeout => _policy.Timeout;

    /// <summary>Says what an exception of the network means here.</summary>
    internal static Exception Explained(Exception exception, CancellationToken callers) => exception switch
    {
        OperationCanceledException when !callers.IsCancellationRequested => new ChannelException("channel.timeout", "there was no channel in time", exception),
        IOException or System.Net.Sockets.SocketException => new ChannelException("channel.connection", $"the connection ended before there was a channel: {exception.Message}", exception),
        _ => exception,
    };

    // The server's log then says who ended it. Why, is this end's business: only the id is told.
    private static async Task<ChannelResult> ToldAsync(Exchange exchange, Func<Task<ChannelResult>> run)
    {
        try
        {
            return await run().ConfigureAwait(false);
        }
        catch (ChannelException exception) when (exception.Id is not ("channel.refused" or "channel.protocol"))
        {
            using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            try
            {
                await exchange.SendAsync(new ChannelMessage { Refused = new ChannelRefusal(exception.Id, "the client does not accept this end") }, patience.Token).ConfigureAwait(false);
            }
            catch (Exception sending) when (sending is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // It is gone.
            }

            throw;
        }
    }

    private async Task<ChannelResult> ExchangeAsync(TlsEnd tls, Exchange exchange, string whose, CancellationToken cancellation)
    {
        if (!tls.SpeaksChannel)
        {
            throw new ChannelException("channel.protocol", $"the server does not speak {ChannelMessage.Protocol}: it is an ordinary TLS server, or something between ends TLS");
        }

        var peer = exchange.PeerCertificate();
        var ask = exchange.Ask(_policy, peer);
        await exchange.SendAsync(new ChannelMessage { Ask = ask }, cancellation).ConfigureAwait(false);
        var message = await exchange.ReceiveAsync(hasEvidence: true, cancellation).ConfigureAwait(false);
        if (message is not { Answer: { } answer, Accepted: false })
        {
            throw new ChannelException("channel.message", "an answer is expected");
        }

        var result = await exchange.JudgeAsync(_policy, peer, ask, answer, whose, _clock.GetUtcNow(), cancellation).ConfigureAwait(false);
        var back = message.Ask is { } asked ? await exchange.AnswerAsync(asked, cancellation).ConfigureAwait(false) : null;
        await exchange.SendAsync(new ChannelMessage { Accepted = true, Answer = back }, cancellation).ConfigureAwait(false);
        if (back is not null && await exchange.ReceiveAsync(hasEvidence: false, cancellation).ConfigureAwait(false) is not { Accepted: true, Ask: null, Answer: null })
        {
            throw new ChannelException("channel.message", "the server's word that it accepts this end is expected");
        }

        return result;
    }
}

using Assay.Binding;
using Assay.Channels;
using Assay.Client.Channels.Tls;

namespace Assay.Client.Channels;

/// <summary>What a server of channels does.</summary>
public sealed record ChannelServerOptions
{
    /// <summary>How it shows itself.</summary>
    public required ChannelIdentities Identities { get; init; }

    /// <summary>The highest level that it answers at: <see cref="ChannelLevel.Exporter"/> takes the TLS that has one, anything less the platform's.</summary>
    public ChannelLevel HighestLevel { get; init; } = ChannelLevel.Exporter;

    /// <summary>The lowest level that clients may ask for.</summary>
    public ChannelLevel LowestLevel { get; init; } = ChannelLevel.Exporter;

    /// <summary>What is demanded of clients; null: they show nothing.</summary>
    public ChannelPolicy? Clients { get; init; }

    /// <summary>Handshakes and judgements at a time; more are refused at once.</summary>
    public int MostHandshakes { get; init; } = 256;

    /// <summary>For the TLS handshake and the client's first message: those who only connect give their place back soon.</summary>
    public TimeSpan HandshakeTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>For handshake, evidence and verdict together.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The clock.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;
}

/// <summary>Accepts attested channels. May be used by many threads at once.</summary>
public sealed class ChannelServer
{
    private readonly ChannelServerOptions _options;
    private int _handshakes;

    /// <param name="options">What it does.</param>
    /// <exception cref="ArgumentException">Levels do not fit each other, or to what the certificates carry.</exception>
    public ChannelServer(ChannelServerOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Clients?.Require();
        if (options.LowestLevel is ChannelLevel.None || options.LowestLevel > options.HighestLevel || (options.LowestLevel is ChannelLevel.Certificate && !options.Identities.Options.EvidenceInCertificate)
            || (options.Clients is { MinimumLevel: ChannelLevel.Exporter } && options.HighestLevel is not ChannelLevel.Exporter) || options.Identities.Options.Role is not ChannelRole.Server)
        {
            throw new ArgumentException("levels that fit each other are expected, evidence in certificates for the level of the certificate, and an identity of the role server", nameof(options));
        }

        _options = options;
    }

    /// <summary>Shakes hands, shows evidence and, where clients are asked for it, judges theirs. Not a byte of the application is read or sent before.</summary>
    /// <param name="transport">A connection of a client; owned from here on, whatever happens.</param>
    /// <param name="cancellation">Ends the attempt.</param>
    /// <exception cref="ChannelException">There is no channel.</exception>
    public async Task<ChannelConnection> AcceptAsync(Stream transport, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(transport);
        try
        {
            if (Interlocked.Increment(ref _handshakes) > _options.MostHandshakes)
            {
                await transport.DisposeAsync().ConfigureAwait(false);
                throw new ChannelException("channel.busy", $"{_options.MostHandshakes} connections shake hands already");
            }

            return await OpenAsync(transport, cancellation).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Decrement(ref _handshakes);
        }
    }

    private async Task<ChannelConnection> OpenAsync(Stream transport, CancellationToken cancellation)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        TlsEnd? tls = null;
        try
        {
            deadline.CancelAfter(_options.Timeout);
            var own = await _options.Identities.CurrentAsync(deadline.Token).ConfigureAwait(false);
            var whose = "";
            deadline.CancelAfter(_options.HandshakeTimeout);
            Action<IReadOnlyList<byte[]>>? judge = _options.Clients is { } clients ? chain => whose = clients.Operator.Require(chain, _options.Clock.GetUtcNow()) : null;
            tls = _options.HighestLevel is ChannelLevel.Exporter
                ? await ManagedTlsEnd.AcceptAsync(transport, own, judge, deadline.Token).ConfigureAwait(false)
                : await SslStreamEnd.AcceptAsync(transport, own, judge, deadline.Token).ConfigureAwait(false);
            if (!tls.SpeaksChannel)
            {
                throw new ChannelException("channel.protocol", $"the client does not speak {ChannelMessage.Protocol}");
            }

            var exchange = new Exchange(tls, ChannelRole.Server, (own, _options.Identities.Options));
            var result = await ToldAsync(exchange, () => ExchangeAsync(exchange, whose, deadline), deadline.Token).ConfigureAwait(false);
            return new ChannelConnection(tls, result);
        }
        catch (Exception exception)
        {
            await (tls as IAsyncDisposable ?? transport).DisposeAsync().ConfigureAwait(false);
            throw ChannelClient.Explained(exception, cancellation);
        }
        finally
        {
            tls?.EndExporter();
        }
    }

    // The client is told why: that its level is too low, that the devices are not ready. What this end found of its evidence is not its business.
    private static async Task<T> ToldAsync<T>(Exchange exchange, Func<Task<T>> run, CancellationToken cancellation)
    {
        try
        {
            return await run().ConfigureAwait(false);
        }
        catch (ChannelException exception) when (exception.Id is not "channel.refused")
        {
            try
            {
                // What this end may be asked for is no secret; what it found, and what is wrong with it, its own log has.
                var reason = exception.Id is "channel.level" or "channel.exporter" or "channel.message" or "channel.busy" ? exception.Reason : "the other end's log says more";
                await exchange.SendAsync(new ChannelMessage { Refused = new ChannelRefusal(exception.Id, reason) }, cancellation).ConfigureAwait(false);
            }
            catch (Exception sending) when (sending is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // It is gone.
            }

            throw;
        }
    }

    private async Task<ChannelResult?> ExchangeAsync(Exchange exchange, string whose, CancellationTokenSource deadline)
    {
        var cancellation = deadline.Token;
        var first = await exchange.ReceiveAsync(hasEvidence: false, cancellation).ConfigureAwait(false);
        deadline.CancelAfter(_options.Timeout);
        if (first is not { Ask: { } asked, Answer: null, Accepted: false })
        {
            throw new ChannelException("channel.message", "a question is expected first");
        }

        if (asked.Minimum < _options.LowestLevel || asked.Minimum > _options.HighestLevel)
        {
            throw new ChannelException("channel.level", $"the client asks for the level \"{ChannelBinding.WordOf(asked.Minimum)}\", this server answers from \"{ChannelBinding.WordOf(_options.LowestLevel)}\" to \"{ChannelBinding.WordOf(_options.HighestLevel)}\"");
        }

        var answer = await exchange.AnswerAsync(asked, cancellation).ConfigureAwait(false);
        var (clients, peer) = (_options.Clients, _options.Clients is null ? null : exchange.PeerCertificate());
        var ask = clients is null ? null : exchange.Ask(clients, peer!);
        await exchange.SendAsync(new ChannelMessage { Answer = answer, Ask = ask }, cancellation).ConfigureAwait(false);
        var second = await exchange.ReceiveAsync(hasEvidence: ask is not null, cancellation).ConfigureAwait(false);
        if (second is not { Accepted: true, Ask: null } || (second.Answer is null) != (ask is null))
        {
            throw new ChannelException("channel.message", "the client's word that it accepts this end is expected, with its own evidence where that was asked for");
        }

        if (ask is null)
        {
            return null;
        }

        var result = await exchange.JudgeAsync(clients!, peer!, ask, second.Answer!, whose, _options.Clock.GetUtcNow(), cancellation).ConfigureAwait(false);
        await exchange.SendAsync(new ChannelMessage { Accepted = true }, cancellation).ConfigureAwait(false);
        return result;
    }
}

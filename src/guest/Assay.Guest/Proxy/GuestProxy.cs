using System.Globalization;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Assay.Binding;
using Assay.Client.Channels;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Sources;

namespace Assay.Guest.Proxy;

/// <summary>
/// The VM's end of attested channels (docs/reference/channels.md): accepts them, shows evidence that is bound to each, and passes bytes to one server on loopback. It reads no HTTP: streams,
/// WebSockets and any other protocol pass as they are. Who clients are, the server behind it decides.
/// </summary>
internal sealed class GuestProxy : IDisposable
{
    private const int MostConnections = 512;
    private const int MostHandshakes = 256;
    private const int Backlog = 128;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_metricsPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_acceptPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_connect = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_ending = TimeSpan.FromSeconds(10);

    private readonly ProxySetting _setting;
    private readonly GuestPaths _paths;
    private readonly TimeProvider _clock;
    private readonly ChannelEvidence _evidence;
    private readonly SemaphoreSlim _handshakes = new(MostHandshakes, MostHandshakes);
    private readonly ChannelRelay _relay = new(MostConnections);
    private ChannelIdentities _identities;
    private ChannelServer _server;
    private long _refused;

    public GuestProxy(GuestConfiguration configuration, GuestSources sources, GuestPaths paths, TimeProvider clock)
    {
        _setting = configuration.Proxy ?? throw new GuestException("proxy.configuration", "the measured configuration has no proxy", "add \"proxy\" to guest.json, and build the image again");
        if (!GateReport.IsOpenState(GateReport.StateOf(paths.GateFile)))
        {
            throw new GuestException("proxy.gate", "the gate is not open", "start assay-gate.service, and read its messages in the journal");
        }

        (_paths, _clock) = (paths, clock);
        _evidence = new ChannelEvidence(configuration, sources, paths, clock);
        (_identities, _server) = Begin();
    }

    /// <summary>Connections now, for tests.</summary>
    internal int Connections => _relay.Connections;

    /// <summary>Takes the operator's credential anew, for instance after it was replaced. Channels that exist go on.</summary>
    public void Renew()
    {
        try
        {
            var next = Begin();
            // Made before it counts: what cannot sign replaces nothing.
            next.Identities.RenewAsync(CancellationToken.None).GetAwaiter().GetResult();
            (_identities, _server) = next;
            Tell("the operator's credential was read again: new connections get new keys");
        }
        catch (Exception exception) when (exception is GuestException or ChannelException or CryptographicException or ArgumentException)
        {
            Tell($"the operator's credential stays as it was: {exception.Message}");
        }
    }

    /// <summary>Serves until it is told to end; then channels have ten seconds to end by themselves.</summary>
    public async Task RunAsync(Notification notification, CancellationToken cancellation)
    {
        using var listener = Listen();
        notification.Ready("serving");
        using var ending = new CancellationTokenSource();
        var metrics = WriteMetricsAsync(cancellation);
        try
        {
            while (true)
            {
                if (await AcceptAsync(listener, cancellation).ConfigureAwait(false) is not { } connection)
                {
                    continue;
                }

                if (_handshakes.Wait(TimeSpan.Zero, CancellationToken.None))
                {
                    _ = ServeAsync(connection, ending.Token);
                    continue;
                }

                Interlocked.Increment(ref _refused);
                connection.Dispose();
            }
        }
        catch (OperationCanceledException)
        {
            listener.Dispose();
            await _relay.DrainAsync(s_ending).ConfigureAwait(false);
            await ending.CancelAsync().ConfigureAwait(false);
            await metrics.ConfigureAwait(false);
        }
    }

    public void Dispose()
    {
        _identities.Dispose();
        _evidence.Dispose();
        _handshakes.Dispose();
    }

    private (ChannelIdentities Identities, ChannelServer Server) Begin()
    {
        var identities = new ChannelIdentities(new ChannelIdentityOptions
        {
            Purpose = _setting.Purpose,
            Epoch = BootEpoch.Of(_paths),
            Evidence = _evidence,
            Names = _setting.Names,
            Issuer = _setting.Operator is { } folder ? OperatorCredential.Read(folder) : null,
            EvidenceInCertificate = _setting.LowestLevel is ChannelLevel.Certificate,
            Clock = _clock,
        });
        return (identities, new ChannelServer(new ChannelServerOptions { Identities = identities, LowestLevel = _setting.LowestLevel, Timeout = s_patience, Clock = _clock }));
    }

    private Socket Listen()
    {
        var listener = new Socket(_setting.Listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(_setting.Listen);
            listener.Listen(Backlog);
            return listener;
        }
        catch (SocketException exception)
        {
            listener.Dispose();
            throw new GuestException("proxy.listen", $"{_setting.Listen}: {exception.Message}", "see that nothing else listens there");
        }
    }

    // Without a descriptor, or a client that was gone before: the channels that are there go on, and so does this.
    private async Task<Socket?> AcceptAsync(Socket listener, CancellationToken cancellation)
    {
        try
        {
            return await listener.AcceptAsync(cancellation).ConfigureAwait(false);
        }
        catch (SocketException exception)
        {
            Tell($"proxy.listen: {exception.Message}");
            await Task.Delay(s_acceptPause, _clock, cancellation).ConfigureAwait(false);
            return null;
        }
    }

    private async Task ServeAsync(Socket accepted, CancellationToken cancellation)
    {
        var isShaking = true;
        try
        {
            accepted.NoDelay = true;
            // A client that is gone without a word gives its place back.
            accepted.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            accepted.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 60);
            var channel = await Volatile.Read(ref _server).AcceptAsync(new NetworkStream(accepted, ownsSocket: true), cancellation).ConfigureAwait(false);
            await using (channel.ConfigureAwait(false))
            {
                _handshakes.Release();
                isShaking = false;
                using var upstream = new Socket(_setting.Upstream.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                using (var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation))
                {
                    patience.CancelAfter(s_connect);
                    await upstream.ConnectAsync(_setting.Upstream, patience.Token).ConfigureAwait(false);
                }

                await using var inner = new NetworkStream(upstream, ownsSocket: false);
                await _relay.RunAsync(channel.Stream, inner, cancellation).ConfigureAwait(false);
            }
        }
        catch (Exception exception)
        {
            if (exception is not OperationCanceledException)
            {
                Interlocked.Increment(ref _refused);
                Tell(exception is ChannelException or SocketException or IOException ? exception.Message : $"guest.internal: this is a bug, please report it: {exception}");
            }
        }
        finally
        {
            accepted.Dispose();
            if (isShaking)
            {
                _handshakes.Release();
            }
        }
    }

    private async Task WriteMetricsAsync(CancellationToken cancellation)
    {
        while (!cancellation.IsCancellationRequested)
        {
            try
            {
                File.WriteAllText(_paths.ProxyMetrics + ".new", Metrics());
                File.Move(_paths.ProxyMetrics + ".new", _paths.ProxyMetrics, overwrite: true);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Tell($"no counts are written: {exception.Message}");
            }

            await Task.Delay(s_metricsPause, _clock, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private string Metrics() => _relay.Metrics("assay_guest_proxy") + string.Create(
        CultureInfo.InvariantCulture,
        $"# HELP assay_guest_proxy_refused_total Connections that did not become a channel, or found no server behind it.\n# TYPE assay_guest_proxy_refused_total counter\nassay_guest_proxy_refused_total {Interlocked.Read(ref _refused)}\n");

    private static void Tell(string text) => Console.Error.WriteLine($"assay-guest: {Wire.Printable.Of(text)}");
}

/// <summary>16 random bytes for each boot, the same for all processes of it.</summary>
internal static class BootEpoch
{
    public static byte[] Of(GuestPaths paths)
    {
        try
        {
            if (!File.Exists(paths.Epoch))
            {
                var own = $"{paths.Epoch}.{Environment.ProcessId}";
                File.WriteAllText(own, Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(ChannelBinding.EpochSize)));
                // The first one counts.
                try
                {
                    File.Move(own, paths.Epoch, overwrite: false);
                }
                catch (IOException)
                {
                    File.Delete(own);
                }
            }

            var text = File.ReadAllText(paths.Epoch, Encoding.ASCII);
            return text.Length == 2 * ChannelBinding.EpochSize && text.All(char.IsAsciiHexDigitLower) ? Convert.FromHexString(text) : throw new GuestException("proxy.epoch", $"{paths.Epoch} is not 16 bytes in hexadecimal", "delete it");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new GuestException(new GuestFault("proxy.epoch", exception.Message, "see that /run/assay is there, which assay-gate.service makes"), exception);
        }
    }
}

using System.Net;
using System.Net.Sockets;
using Assay.Client.Channels;

namespace Assay.Cli.Channels;

/// <summary>Bytes of any protocol: each connection has a channel of its own.</summary>
internal sealed class TcpSide : IAsyncDisposable
{
    private const int MostConnections = 512;
    private const int Backlog = 128;
    private static readonly TimeSpan s_ending = TimeSpan.FromSeconds(1);

    private readonly Socket _listener;
    private readonly UpstreamDialer _dialer;
    private readonly PolicyHolder _policies;
    private readonly ChannelRelay _relay = new(MostConnections);
    private readonly SemaphoreSlim _places = new(MostConnections, MostConnections);
    private readonly CancellationTokenSource _stopping = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _accepting;

    private TcpSide(Socket listener, UpstreamDialer dialer, PolicyHolder policies)
    {
        (_listener, _dialer, _policies) = (listener, dialer, policies);
        _accepting = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public string Address => $"tcp://{_listener.LocalEndPoint}";

    /// <summary>Starts it.</summary>
    /// <exception cref="IOException">The address is taken.</exception>
    public static TcpSide Start(IPEndPoint listen, UpstreamDialer dialer, PolicyHolder policies)
    {
        var listener = new Socket(listen.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(listen);
            listener.Listen(Backlog);
            return new TcpSide(listener, dialer, policies);
        }
        catch (SocketException exception)
        {
            listener.Dispose();
            throw new IOException($"{listen}: {exception.Message}", exception);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync().ConfigureAwait(false);
        await _accepting.ConfigureAwait(false);
        _listener.Dispose();
        await _relay.DrainAsync(s_ending).ConfigureAwait(false);
        await _ending.CancelAsync().ConfigureAwait(false);
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stopping.IsCancellationRequested)
        {
            try
            {
                await _places.WaitAsync(_stopping.Token).ConfigureAwait(false);
                _ = ServeAsync(await _listener.AcceptAsync(_stopping.Token).ConfigureAwait(false));
            }
            catch (OperationCanceledException)
            {
                // It ends.
            }
            catch (SocketException exception)
            {
                // A client that was gone before it was accepted, or no more descriptors.
                _places.Release();
                Output.Error("channel.listen", exception.Message);
                await Task.Delay(TimeSpan.FromMilliseconds(100), _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    private async Task ServeAsync(Socket accepted)
    {
        try
        {
            accepted.NoDelay = true;
            var near = new NetworkStream(accepted, ownsSocket: true);
            await using (near.ConfigureAwait(false))
            {
                var far = await _dialer.DialAsync(new ChannelClient(_policies.Current.Policy), _ending.Token).ConfigureAwait(false);
                await using (far.ConfigureAwait(false))
                {
                    await _relay.RunAsync(near, far, _ending.Token).ConfigureAwait(false);
                }
            }
        }
        catch (Exception exception) when (exception is ChannelException or IOException or SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // A refusal was told where it was made; an end of either side is no news.
        }
        finally
        {
            accepted.Dispose();
            _places.Release();
        }
    }
}

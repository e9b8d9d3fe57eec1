using System.Buffers.Binary;
using System.Net.Sockets;

namespace Assay.Simulator;

/// <summary>
/// Serves a <see cref="SimulatedGuest"/> on a unix socket: a length (32 bits, big-endian) and a JSON request, answered by a length and JSON, as often
/// as the peer likes. The socket's folder decides who may connect.
/// </summary>
public sealed class SimulatedGuestServer : IAsyncDisposable
{
    private const int LargestRequest = 1024 * 1024;
    private const int Backlog = 16;

    private readonly SimulatedGuest _guest;
    private readonly Socket _listener;
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _accepting;

    private SimulatedGuestServer(SimulatedGuest guest, Socket listener)
    {
        (_guest, _listener) = (guest, listener);
        _accepting = AcceptAsync();
    }

    /// <summary>Listens on a path that is not there yet.</summary>
    public static SimulatedGuestServer Start(SimulatedGuest guest, string path)
    {
        ArgumentNullException.ThrowIfNull(guest);
        ArgumentException.ThrowIfNullOrEmpty(path);
        var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(Backlog);
        }
        catch
        {
            listener.Dispose();
            throw;
        }

        return new SimulatedGuestServer(guest, listener);
    }

    /// <summary>Stops to listen, and ends connections.</summary>
    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync().ConfigureAwait(false);
        _listener.Dispose();
        await _accepting.ConfigureAwait(false);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                var connection = await _listener.AcceptAsync(_ending.Token).ConfigureAwait(false);
                // A gate that is held waits on its own thread: others are served meanwhile.
                _ = Task.Factory.StartNew(() => Serve(connection), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private void Serve(Socket connection)
    {
        using var stream = new NetworkStream(connection, ownsSocket: true);
        using var registration = _ending.Token.Register(connection.Dispose);
        var length = new byte[sizeof(uint)];
        try
        {
            while (stream.ReadAtLeast(length, length.Length, throwOnEndOfStream: false) == length.Length)
            {
                var size = BinaryPrimitives.ReadUInt32BigEndian(length);
                if (size > LargestRequest)
                {
                    return;
                }

                var request = new byte[size];
                stream.ReadExactly(request);
                var answer = _guest.Answer(request);
                BinaryPrimitives.WriteInt32BigEndian(length, answer.Length);
                stream.Write(length);
                stream.Write(answer);
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or System.Text.Json.JsonException or InvalidOperationException or FormatException or KeyNotFoundException)
        {
            // The peer is gone, or talks something else: its connection ends, and nothing else does.
        }
    }
}

using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Assay.Guest.Sources;

namespace Assay.Guest.Simulated;

/// <summary>A software TPM on a loopback port, as swtpm's data socket has it: raw commands, a connection for each.</summary>
internal sealed class SimulatedTpm(int port) : ITpmTransport
{
    private const int HeaderSize = 10;

    public int Exchange(ReadOnlySpan<byte> command, Span<byte> response)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Connect(IPAddress.Loopback, port);
            using var stream = new NetworkStream(socket);
            stream.Write(command);
            stream.ReadExactly(response[..HeaderSize]);
            var length = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(response[2..]), response.Length);
            stream.ReadExactly(response[HeaderSize..length]);
            return length;
        }
        catch (Exception exception) when (exception is IOException or SocketException)
        {
            throw new GuestException("source.simulated.failed", $"the TPM on port {port}: {exception.Message}", "see that swtpm runs");
        }
    }

    public void Dispose()
    {
    }
}

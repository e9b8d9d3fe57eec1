using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Assay.Guest.Sources;

namespace Assay.Tests.Guest;

/// <summary>The data socket of swtpm: raw commands, one connection for each.</summary>
internal sealed class SwtpmTransport(int port) : ITpmTransport
{
    public int Exchange(ReadOnlySpan<byte> command, Span<byte> response)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, port);
        using var stream = new NetworkStream(socket);
        stream.Write(command);
        stream.ReadExactly(response[..10]);
        var length = (int)BinaryPrimitives.ReadUInt32BigEndian(response[2..]);
        stream.ReadExactly(response[10..length]);
        return length;
    }

    public static void Extend(int port, byte register, byte[] sha256, byte[] sha384)
    {
        byte[] body = [0, 0, 0, register, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x0B, .. sha256, 0, 0x0C, .. sha384];
        byte[] command = [0x80, 2, 0, 0, 0, (byte)(10 + body.Length), 0, 0, 1, 0x82, .. body];
        var response = new byte[4096];
        new SwtpmTransport(port).Exchange(command, response);
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32BigEndian(response.AsSpan(6)));
    }

    public void Dispose()
    {
    }
}

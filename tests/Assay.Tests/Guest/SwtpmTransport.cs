using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Assay.Guest.Sources;

namespace Assay.Tests.Guest;

/// <summary>The data socket of swtpm: raw commands, one connection for each.</summary>
internal sealed class SwtpmTransport(int port) : ITpmTransport
{
    public byte[] Exchange(ReadOnlySpan<byte> command)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Connect(IPAddress.Loopback, port);
        using var stream = new NetworkStream(socket);
        stream.Write(command);
        var head = new byte[10];
        stream.ReadExactly(head);
        var rest = new byte[BinaryPrimitives.ReadUInt32BigEndian(head.AsSpan(2)) - 10];
        stream.ReadExactly(rest);
        return [.. head, .. rest];
    }

    public static void Extend(int port, byte register, byte[] sha256, byte[] sha384)
    {
        byte[] body = [0, 0, 0, register, 0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x0B, .. sha256, 0, 0x0C, .. sha384];
        byte[] command = [0x80, 2, 0, 0, 0, (byte)(10 + body.Length), 0, 0, 1, 0x82, .. body];
        Assert.Equal(0u, BinaryPrimitives.ReadUInt32BigEndian(new SwtpmTransport(port).Exchange(command).AsSpan(6)));
    }

    public void Dispose()
    {
    }
}

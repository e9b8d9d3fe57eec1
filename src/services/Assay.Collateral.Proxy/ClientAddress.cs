using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;

namespace Assay.Collateral.Proxy;

/// <summary>
/// A client as it is counted: an IPv4 address, or a /64 of IPv6, which is the least that a network gets: its owner has as many addresses in
/// it as he likes. It is the address of the connection; no header is believed.
/// </summary>
internal readonly record struct ClientAddress(bool IsV6, ulong Value)
{
    public static ClientAddress Of(IPAddress? address)
    {
        // On a listener for both, clients over IPv4 come as ::ffff:a.b.c.d, which all are in one /64.
        address = address is { IsIPv4MappedToIPv6: true } ? address.MapToIPv4() : address;
        Span<byte> bytes = stackalloc byte[16];
        return address is null || !address.TryWriteBytes(bytes, out _) ? default
            : address.AddressFamily is AddressFamily.InterNetworkV6 ? new ClientAddress(true, BinaryPrimitives.ReadUInt64BigEndian(bytes))
            : new ClientAddress(false, BinaryPrimitives.ReadUInt32BigEndian(bytes));
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Clear();
        if (IsV6)
        {
            BinaryPrimitives.WriteUInt64BigEndian(bytes, Value);
            return $"{new IPAddress(bytes)}/64";
        }

        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)Value);
        return new IPAddress(bytes[..4]).ToString();
    }
}

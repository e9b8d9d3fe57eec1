using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Numerics;

namespace Assay.Rego.Builtins;

/// <summary>An address block: a network address and a prefix length, IPv4 (32 bits) or IPv6 (128 bits).</summary>
internal readonly record struct Cidr(BigInteger Network, int Prefix, int Bits)
{
    // What stands before an IPv4 address in the IPv6 address that it is mapped to (RFC 4291, section 2.5.5.2).
    private const int MappedBits = 96;

    private static readonly BigInteger s_mapped = (BigInteger)0xFFFF << 32;

    public BigInteger Last => Network + (BigInteger.One << (Bits - Prefix)) - 1;

    /// <summary>Reads <c>address/prefix</c>; bits of the host are cleared. Addresses are written in full: no leading zeros, four parts.</summary>
    public static bool TryParse(string text, out Cidr cidr)
    {
        cidr = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || text.Length - slash - 1 is < 1 or > 3 || !TryParseAddress(text[..slash], out var address, out var bits))
        {
            return false;
        }

        var digits = text.AsSpan(slash + 1);
        if (digits.ContainsAnyExceptInRange('0', '9') || (digits.Length > 1 && digits[0] == '0')
            || !int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var prefix))
        {
            return false;
        }

        if (bits == 32 && text.Contains(':', StringComparison.Ordinal))
        {
            // The prefix of an IPv4-mapped address counts in the 128 bits that it is written in: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
            (address, bits, prefix) = prefix >= MappedBits ? (address, 32, prefix - MappedBits) : (s_mapped | address, 128, prefix);
        }

        if (prefix > bits)
        {
            return false;
        }

        cidr = Of(address, prefix, bits);
        return true;
    }

    public static Cidr Of(BigInteger address, int prefix, int bits)
    {
        var shift = bits - prefix;
        return new Cidr(address >> shift << shift, prefix, bits);
    }

    public static bool TryParseAddress(string text, out BigInteger address, out int bits)
    {
        (address, bits) = (0, 0);
        if (text.Contains(':', StringComparison.Ordinal))
        {
            if (text.Length > 64 || text.AsSpan().ContainsAny("%[]/") || !IPAddress.TryParse(text, out var parsed) || parsed.AddressFamily != AddressFamily.InterNetworkV6)
            {
                return false;
            }

            (address, bits) = (new BigInteger(parsed.GetAddressBytes(), isUnsigned: true, isBigEndian: true), 128);
            // Go holds an IPv4-mapped address as the IPv4 address that it means.
            if (parsed.IsIPv4MappedToIPv6)
            {
                (address, bits) = (address & uint.MaxValue, 32);
            }

            return true;
        }

        return TryParseDotted(text, out address, out bits);
    }

    /// <summary>The text of an address; IPv6 compressed.</summary>
    public static string AddressText(BigInteger address, int bits)
    {
        var bytes = new byte[bits / 8];
        var written = address.ToByteArray(isUnsigned: true, isBigEndian: true);
        written.CopyTo(bytes, bytes.Length - written.Length);
        return new IPAddress(bytes).ToString();
    }

    /// <summary>The fewest blocks that cover exactly the addresses from one to another.</summary>
    public static IEnumerable<Cidr> Cover(BigInteger first, BigInteger last, int bits)
    {
        while (first <= last)
        {
            var size = first.IsZero ? bits : (int)Math.Min(TrailingZeros(first), bits);
            while (first + (BigInteger.One << size) - 1 > last)
            {
                size--;
            }

            yield return new Cidr(first, bits - size, bits);
            first += BigInteger.One << size;
        }
    }

    public bool Contains(Cidr other) => Bits == other.Bits && Network <= other.Network && other.Last <= Last;

    public bool Intersects(Cidr other) => Bits == other.Bits && Network <= other.Last && other.Network <= Last;

    public override string ToString() => $"{AddressText(Network, Bits)}/{Prefix.ToString(CultureInfo.InvariantCulture)}";

    private static int TrailingZeros(BigInteger value)
    {
        var zeros = 0;
        while ((value >> zeros).IsEven)
        {
            zeros++;
        }

        return zeros;
    }

    private static bool TryParseDotted(string text, out BigInteger address, out int bits)
    {
        (address, bits) = (0, 32);
        var parts = text.Split('.');
        if (parts.Length != 4)
        {
            return false;
        }

        foreach (var part in parts)
        {
            if (part.Length is < 1 or > 3 || (part.Length > 1 && part[0] == '0')
                || !byte.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out var octet))
            {
                return false;
            }

            address = (address << 8) | octet;
        }

        return true;
    }
}

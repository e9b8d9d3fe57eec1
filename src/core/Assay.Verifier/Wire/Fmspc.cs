using System.Globalization;

namespace Assay.Wire;

/// <summary>Family, model, stepping, platform and custom SKU of an Intel platform: 6 bytes, big-endian in <paramref name="Value"/>.</summary>
/// <param name="Value">Its low 48 bits.</param>
public readonly record struct Fmspc(ulong Value)
{
    /// <summary>Bytes of an FMSPC.</summary>
    public const int Size = 6;

    internal static Fmspc Of(ReadOnlySpan<byte> bytes)
    {
        var value = 0UL;
        foreach (var octet in bytes)
        {
            value = value << 8 | octet;
        }

        return new Fmspc(value);
    }

    /// <summary>12 upper-case hexadecimal digits, as in Intel's addresses.</summary>
    public override string ToString() => Value.ToString("X12", CultureInfo.InvariantCulture);
}

/// <summary>Which provisioning certification enclave an Intel platform has: 2 bytes, in the order of certificate and TCB information.</summary>
/// <param name="Value">Big-endian.</param>
public readonly record struct PceId(ushort Value)
{
    /// <summary>Four upper-case hexadecimal digits.</summary>
    public override string ToString() => Value.ToString("X4", CultureInfo.InvariantCulture);
}

using System.Buffers.Binary;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// Opaque data of an NVIDIA report. Plain: type u16, size u16, data. NVDAOD: a 12-byte header, then type u16,
/// value-type u16, size u16, data. Little-endian throughout.
/// </summary>
internal sealed class OpaqueWriter(OpaqueLayout layout)
{
    private const int HeaderSize = 12;
    private const int MajorOffset = 8;

    private readonly List<byte> _bytes = [];

    public byte[] ToArray() => [.. _bytes];

    public OpaqueWriter Header(byte major)
    {
        if (layout is OpaqueLayout.Nvdaod)
        {
            var header = new byte[HeaderSize];
            "NVDAOD"u8.CopyTo(header);
            header[MajorOffset] = major;
            _bytes.AddRange(header);
        }

        return this;
    }

    public OpaqueWriter Field(OpaqueField field, ReadOnlySpan<byte> data)
    {
        U16((ushort)field);
        if (layout is OpaqueLayout.Nvdaod)
        {
            U16(ValueType(field));
        }

        U16((ushort)data.Length);
        _bytes.AddRange(data);
        return this;
    }

    public OpaqueWriter U16(OpaqueField field, ushort value)
    {
        Span<byte> data = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(data, value);
        return Field(field, data);
    }

    public OpaqueWriter U32(OpaqueField field, uint value)
    {
        Span<byte> data = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32LittleEndian(data, value);
        return Field(field, data);
    }

    /// <summary>ASCII followed by NUL, or NUL-padded to <paramref name="size"/> bytes when the field has a fixed one.</summary>
    public OpaqueWriter Text(OpaqueField field, string text, int size = 0)
    {
        var data = new byte[Math.Max(size, text.Length + 1)];
        Encoding.ASCII.GetBytes(text, data);
        return Field(field, data);
    }

    /// <summary>The value-types of the two recorded NVDAOD reports.</summary>
    private static ushort ValueType(OpaqueField field) => field switch
    {
        OpaqueField.Fwid => 0x01,
        OpaqueField.CprInfo => 0x83,
        OpaqueField.MeasurementCounts => 0x84,
        OpaqueField.ProtectedPcieStatus or OpaqueField.FeatureFlag => 0x85,
        OpaqueField.VbiosVersion or OpaqueField.DriverVersion or OpaqueField.OpaqueDataVersion => 0x86,
        OpaqueField.FspUcodeSvn => 0x87,
        _ => 0x82,
    };

    private void U16(ushort value)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ushort)];
        BinaryPrimitives.WriteUInt16LittleEndian(bytes, value);
        _bytes.AddRange(bytes);
    }
}

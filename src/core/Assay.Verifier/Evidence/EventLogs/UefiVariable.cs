using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Wire;

namespace Assay.Evidence.EventLogs;

/// <summary>
/// UEFI_VARIABLE_DATA (PC Client Platform Firmware Profile 1.06 §10.4.3), little-endian:
/// <code>variableName 16 (GUID) · unicodeNameLength 8 (UTF-16 characters) · variableDataLength 8 · name · data</code>
/// </summary>
internal sealed class UefiVariable
{
    private const int GuidSize = 16;
    private const int LongestName = 256;

    /// <summary>EFI_GLOBAL_VARIABLE: SecureBoot, PK, KEK, Boot####, BootOrder.</summary>
    public static Guid Global { get; } = new(0x8BE4DF61, 0x93CA, 0x11D2, 0xAA, 0x0D, 0x00, 0xE0, 0x98, 0x03, 0x2B, 0x8C);

    /// <summary>EFI_IMAGE_SECURITY_DATABASE: db, dbx, dbt, dbr.</summary>
    public static Guid ImageSecurity { get; } = new(0xD719B2CB, 0x3D3A, 0x4596, 0xA3, 0xBC, 0xDA, 0xD0, 0x0E, 0x67, 0x65, 0x6F);

    private UefiVariable(Guid vendor, string name, ReadOnlyMemory<byte> data) => (Vendor, Name, Data) = (vendor, name, data);

    /// <summary>The name space of the name.</summary>
    public Guid Vendor { get; }

    /// <summary>For instance <c>SecureBoot</c>.</summary>
    public string Name { get; }

    /// <summary>The variable's content; empty for one that is not set.</summary>
    public ReadOnlyMemory<byte> Data { get; }

    /// <summary>Reads the data of one variable event; every byte must have its place.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out UefiVariable? variable, [NotNullWhen(false)] out ParseFault? fault)
    {
        var wire = new WireReader(source);
        var vendor = wire.Bytes(GuidSize, "variableName");
        var nameLength = ReadLength(ref wire, "unicodeNameLength", LongestName);
        var dataLength = ReadLength(ref wire, "variableDataLength", Limits.EventLogBytes);
        var name = wire.Bytes(2 * nameLength, "unicodeName");
        var data = wire.Bytes(dataLength, "variableData");
        wire.End("UEFI_VARIABLE_DATA");
        fault = wire.Fault;
        variable = fault is null ? new UefiVariable(new Guid(vendor), Encoding.Unicode.GetString(name), data.ToArray()) : null;
        return fault is null;
    }

    /// <summary>The data that firmware measures for a variable with this content.</summary>
    internal static byte[] Encode(Guid vendor, string name, ReadOnlySpan<byte> data)
    {
        var bytes = new byte[GuidSize + (2 * sizeof(ulong)) + (2 * name.Length) + data.Length];
        vendor.TryWriteBytes(bytes);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(GuidSize), (ulong)name.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(GuidSize + sizeof(ulong)), (ulong)data.Length);
        Encoding.Unicode.GetBytes(name, bytes.AsSpan(GuidSize + (2 * sizeof(ulong))));
        data.CopyTo(bytes.AsSpan(^data.Length..));
        return bytes;
    }

    private static int ReadLength(ref WireReader wire, string field, int largest)
    {
        var (low, high) = (wire.U32(field), wire.U32(field));
        wire.Require(high == 0 && low <= largest, field, $"larger than {largest}");
        return wire.Fault is null ? (int)low : 0;
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Spdm;

/// <summary>The form that opaque data has.</summary>
internal enum OpaqueForm
{
    /// <summary>OpaqueLength is 0, as in reports of Blackwell's FSP responder.</summary>
    Absent,

    /// <summary>DataType 2 · DataSize 2 · Data.</summary>
    Plain,

    /// <summary>Header <c>NVDAOD</c>, then DataType 2 · value type 2 · DataSize 2 · Data.</summary>
    Nvdaod,
}

/// <summary>One vendor field.</summary>
/// <param name="Type">The vendor's number.</param>
/// <param name="ValueType">A DMTF value type, or another number of the vendor's; null in the plain form.</param>
/// <param name="Data">The bytes as they stand.</param>
internal sealed record OpaqueField(ushort Type, ushort? ValueType, ReadOnlyMemory<byte> Data)
{
    /// <summary>NVIDIA's name of a GPU's field, or its number. Switches give 22 to 26 another meaning.</summary>
    public string Name => OpaqueFields.NameOf(Type);
}

/// <summary>
/// The vendor's part of a MEASUREMENTS response (little-endian; NVIDIA attestation-sdk, checked against recorded reports).
/// Every field is kept, known or not; one that stands twice is a fault.
/// </summary>
internal sealed class OpaqueData
{
    private const int HeaderSize = 12;
    private const ushort Profile = 0;
    private static readonly string s_tooMany = $"more than {Limits.OpaqueFields} fields";

    private OpaqueData(OpaqueForm form, byte major, byte minor, ImmutableArray<OpaqueField> fields)
    {
        Form = form;
        Major = major;
        Minor = minor;
        Fields = fields;
    }

    /// <summary>Which of the three forms.</summary>
    public OpaqueForm Form { get; }

    /// <summary>Major version of the header; 0 without one.</summary>
    public byte Major { get; }

    /// <summary>Minor version of the header; 0 without one.</summary>
    public byte Minor { get; }

    /// <summary>In the order of the report.</summary>
    public ImmutableArray<OpaqueField> Fields { get; }

    private static ReadOnlySpan<byte> Magic => "NVDAOD"u8;

    /// <summary>The field of this number, or null.</summary>
    public OpaqueField? Find(ushort type)
    {
        // Some twenty fields: looking along them costs less than a table of them.
        foreach (var field in Fields)
        {
            if (field.Type == type)
            {
                return field;
            }
        }

        return null;
    }

    /// <summary>Reads opaque data in any of its forms, told apart by the magic.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> memory, [NotNullWhen(true)] out OpaqueData? opaque, [NotNullWhen(false)] out ParseFault? fault)
    {
        var source = memory.Span;
        var wire = new WireReader(source);
        byte major = 0, minor = 0;
        // Shorter than a header it cannot be one; a plain list may begin with any two bytes of the magic, but not with all six.
        var form = source.IsEmpty ? OpaqueForm.Absent : source.StartsWith(Magic) ? OpaqueForm.Nvdaod : OpaqueForm.Plain;
        if (form is OpaqueForm.Nvdaod)
        {
            wire.Require(source.Length >= HeaderSize, "header", "truncated");
            wire.Bytes(Magic.Length, "magic");
            wire.Require(wire.U16("profile") is Profile, "profile", "not 0");
            major = wire.U8("major");
            minor = wire.U8("minor");
            // NVIDIA's verifiers leave these two unread; recorded headers have zero. Shown by nobody, signed by the device.
            wire.U16("reserved");
        }

        var fields = ReadFields(ref wire, memory, form is OpaqueForm.Nvdaod);
        fault = wire.Fault;
        opaque = fault is null ? new OpaqueData(form, major, minor, fields) : null;
        return opaque is not null;
    }

    private static ImmutableArray<OpaqueField> ReadFields(ref WireReader wire, ReadOnlyMemory<byte> memory, bool withValueType)
    {
        var fields = ImmutableArray.CreateBuilder<OpaqueField>();
        while (wire.HasMore)
        {
            wire.Require(fields.Count < Limits.OpaqueFields, "DataType", s_tooMany);
            var type = wire.U16("DataType");
            var repeated = false;
            foreach (var field in fields)
            {
                repeated |= field.Type == type;
            }

            if (repeated)
            {
                wire.Require(false, "DataType", $"{type} is repeated");
            }

            ushort? valueType = withValueType ? wire.U16("ValueType") : null;
            int size = wire.U16("DataSize");
            size = wire.Bytes(size, size <= wire.Remaining ? "Data" : $"Data of type {type}").Length;
            fields.Add(new OpaqueField(type, valueType, memory.Slice(wire.Offset - size, size)));
        }

        return fields.ToImmutable();
    }
}

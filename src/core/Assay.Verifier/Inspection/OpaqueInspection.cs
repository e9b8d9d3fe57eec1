using System.Buffers.Binary;
using System.Globalization;
using Assay.Evidence.Spdm;

namespace Assay.Inspection;

/// <summary>The vendor's part of a report: every field raw, and what it means where that is known (<see cref="OpaqueFields"/>).</summary>
internal static class OpaqueInspection
{
    private const byte StatusOn = 0xAA;
    private const byte StatusOff = 0x55;

    public static InspectionNode Part(OpaqueData opaque)
    {
        // A report alone does not say what it comes from. A switch writes its BIOS version as text, a GPU as eight bytes.
        var isSwitch = OpaqueFields.TryText(opaque.Find(OpaqueFields.VbiosVersion), out _);
        return InspectionNode.Group(
            "opaque_data",
            InspectionNode.Text("form", opaque.Form.ToString().ToLowerInvariant(), opaque.Form switch
            {
                OpaqueForm.Absent => "absent: the device sent none",
                OpaqueForm.Nvdaod => "NVDAOD header, fields with value types",
                _ => "plain list, no header",
            }),
            opaque.Form is OpaqueForm.Nvdaod ? InspectionNode.Text("version", string.Create(CultureInfo.InvariantCulture, $"{opaque.Major}.{opaque.Minor}")) : null,
            opaque.Fields.IsEmpty
                ? InspectionNode.List("fields") with { JsonOnly = true }
                : InspectionNode.Table("fields", opaque.Fields.Select(field => Field(field, isSwitch))) with { Shown = $"fields ({opaque.Fields.Length})" });
    }

    private static InspectionNode Field(OpaqueField field, bool isSwitch) => InspectionNode.Group(
        "field",
        InspectionNode.Number("type", field.Type),
        InspectionNode.Text("name", NameOf(field, isSwitch)),
        field.ValueType is { } type ? InspectionNode.Text("value_type", $"0x{type:x2}") : null,
        InspectionNode.Number("size", field.Data.Length),
        InspectionNode.Hex("raw", field.Data.Span),
        Meaning(field, isSwitch) is { } meaning ? InspectionNode.Text("meaning", meaning) : null);

    private static string NameOf(OpaqueField field, bool isSwitch) => (isSwitch, field.Type) switch
    {
        (true, 22) => "DEVICE_PDI",
        (true, 23) => "DISABLED_PORTS",
        (true, 24) => "SWITCH_POSITION_ID",
        (true, 25) => "SWITCH_LOCK_STATUS",
        (true, 26) => "SWITCH_GPU_PDIS",
        _ => field.Name,
    };

    private static string? Meaning(OpaqueField field, bool isSwitch) => field.Type switch
    {
        OpaqueFields.VbiosVersion when !isSwitch => OpaqueFields.TryGpuVbios(field, out var version) ? version : null,
        OpaqueFields.NvDec0Status => Status(field, "enabled", "disabled"),
        OpaqueFields.ProtectedPcieStatus => Status(field, "on", "off"),
        OpaqueFields.FeatureFlag => Mode(field),
        OpaqueFields.Fwid => "SHA-384 of the firmware",
        OpaqueFields.SwitchPdi when isSwitch => Pdis(field, 1, reversed: false),
        OpaqueFields.SwitchPdi => Pdis(field, field.Data.Length / Pdi.Size, reversed: true),
        OpaqueFields.SwitchGpuPdis when isSwitch => Pdis(field, 8, reversed: false),
        12 => Counters(field),
        14 or 24 or 37 or OpaqueFields.OpaqueDataVersion => Number(field),
        25 when isSwitch => OpaqueFields.TryNumber(field, out var status) ? status is 1 ? "locked" : Number(field) : null,
        3 or 6 or 15 or 16 or 17 or 18 or 19 or OpaqueFields.ChipInfo => OpaqueFields.TryText(field, out var text) ? text : null,
        _ => field.ValueType is 0x87 ? Number(field) : null,
    };

    private static string? Number(OpaqueField field) =>
        OpaqueFields.TryNumber(field, out var number) ? string.Create(CultureInfo.InvariantCulture, $"{number} (0x{number:x})") : null;

    private static string Status(OpaqueField field, string on, string off) => field.Data.Span switch
    {
        [StatusOn] => on,
        [StatusOff] => off,
        _ => "neither 0xAA nor 0x55",
    };

    private static string? Mode(OpaqueField field) => !OpaqueFields.TryNumber(field, out var flag) ? null : flag switch
    {
        0 => "SPT, single-GPU passthrough",
        1 => "MPT, multi-GPU passthrough",
        2 => "PPCIE, protected PCIe",
        _ => "none of SPT, MPT, PPCIE",
    };

    // Fields list the same device once for each link: each is named once, with the number of its links.
    private static string? Pdis(OpaqueField field, int count, bool reversed)
    {
        var bytes = field.Data.Span;
        if (count == 0 || bytes.Length < count * Pdi.Size)
        {
            return null;
        }

        var pdis = new List<Pdi>();
        for (var index = 0; index < count; index++)
        {
            var entry = bytes.Slice(index * Pdi.Size, Pdi.Size);
            pdis.Add(new Pdi(reversed ? BinaryPrimitives.ReadUInt64LittleEndian(entry) : BinaryPrimitives.ReadUInt64BigEndian(entry)));
        }

        return string.Join(", ", pdis.GroupBy(pdi => pdi).Select(same =>
            (same.Key.Value == 0 ? "none" : same.Key.ToString()) + (same.Count() > 1 ? $" (×{same.Count()})" : "")));
    }

    private static string? Counters(OpaqueField field)
    {
        const int size = sizeof(uint);
        var bytes = field.Data.Span;
        if (bytes.Length % size != 0)
        {
            return null;
        }

        var counted = new List<string>();
        for (var index = 0; index < bytes.Length / size; index++)
        {
            var value = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(index * size)..]);
            if (value != 0)
            {
                counted.Add(string.Create(CultureInfo.InvariantCulture, $"{index}:{value}"));
            }
        }

        return $"{bytes.Length / size} counters, {(counted.Count == 0 ? "all zero" : $"not zero: {string.Join(" ", counted)}")}";
    }
}

using System.Buffers.Binary;
using Assay.Evidence.Spdm;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>A report: request and response with every field (layout: <see cref="SpdmReport"/>).</summary>
internal static class ReportInspection
{
    private const int RequestSize = 37;
    private const int RecordLengthOffset = 5;
    private const int RecordOffset = 8;
    private const int ScalarSize = 48;

    public static InspectionNode?[]? Read(byte[] file, string name, FaultLog faults)
    {
        if (!SpdmReport.TryParse(file, out var report, out var fault))
        {
            faults.Malformed($"{name}: report", fault);
            return null;
        }

        return [.. Parts(report)];
    }

    /// <summary>The report of a device in an evidence file.</summary>
    public static InspectionNode Part(ReadOnlySpan<byte> bytes, string place, FaultLog faults) =>
        SpdmReport.TryParse(bytes, out var report, out var fault)
            ? InspectionNode.Group("report", Parts(report))
            : faults.MalformedPart("report", $"{place}: report", fault);

    private static IEnumerable<InspectionNode> Parts(SpdmReport report)
    {
        var bytes = report.Bytes.Span;
        return
        [
            InspectionNode.Number("bytes", bytes.Length),
            Request(bytes),
            Response(report, bytes[RequestSize..]),
            InspectionNode.Table("measurements", report.Blocks.Select(Block)) with { Shown = $"measurements ({report.Blocks.Length} blocks)" },
            OpaqueInspection.Part(report.Opaque),
            Signature(report.Signature.Span),
        ];
    }

    private static InspectionNode Request(ReadOnlySpan<byte> request) => InspectionNode.Group(
        "request",
        Version(request[0]),
        InspectionNode.Text("code", "0xe0", "0xe0 GET_MEASUREMENTS"),
        InspectionNode.Text("param1", $"0x{request[2]:x2}", $"0x{request[2]:x2} signature requested"),
        InspectionNode.Text("param2", $"0x{request[3]:x2}", $"0x{request[3]:x2} all measurement blocks"),
        InspectionNode.Hex("nonce", request.Slice(4, Nonce.Size), whole: true),
        InspectionNode.Number("slot", request[RequestSize - 1]));

    private static InspectionNode Response(SpdmReport report, ReadOnlySpan<byte> response)
    {
        var recordLength = response[RecordLengthOffset] | response[RecordLengthOffset + 1] << 8 | response[RecordLengthOffset + 2] << 16;
        var opaqueLength = BinaryPrimitives.ReadUInt16LittleEndian(response[(RecordOffset + recordLength + Nonce.Size)..]);
        return InspectionNode.Group(
            "response",
            Version(response[0]),
            InspectionNode.Text("code", "0x60", "0x60 MEASUREMENTS"),
            InspectionNode.Text("param1", $"0x{response[2]:x2}"),
            InspectionNode.Text("param2", $"0x{response[3]:x2}", $"0x{response[3]:x2} (certificate slot)"),
            InspectionNode.Number("number_of_blocks", response[4]),
            InspectionNode.Number("measurement_record_length", recordLength),
            InspectionNode.Hex("responder_nonce", report.ResponderNonce.Span, whole: true),
            InspectionNode.Number("opaque_length", opaqueLength));
    }

    private static InspectionNode Version(byte version) => InspectionNode.Text("spdm_version", $"{version >> 4}.{version & 0x0F}");

    private static InspectionNode Block(MeasurementBlock block) => InspectionNode.Group(
        "block",
        InspectionNode.Number("index", block.Index),
        InspectionNode.Number("rim_index", block.Index - 1),
        InspectionNode.Text("value_type", $"0x{block.ValueType:x2}") with { JsonOnly = true },
        InspectionNode.Text("kind", block.Kind),
        InspectionNode.Text("form", block.IsRaw ? "raw" : "digest"),
        InspectionNode.Number("size", block.Value.Length),
        InspectionNode.Hex("value", block.Value.Span) with { Shown = Shown(block) });

    private static string Shown(MeasurementBlock block)
    {
        const int shortest = 4;
        var value = block.Value.Span;
        return block.IsZero && value.Length > shortest ? "all zero"
            : block.IsRaw && value is [0xD9, 0x02, 0x3A, ..] ? $"{InspectionNode.Abbreviate(value)}, CBOR tag 570: SPDM table of contents, not decoded"
            : InspectionNode.Abbreviate(value);
    }

    private static InspectionNode Signature(ReadOnlySpan<byte> signature) => InspectionNode.Group(
        "signature",
        InspectionNode.Text("algorithm", "ECDSA P-384 with SHA-384") with { JsonOnly = true },
        InspectionNode.Hex("r", signature[..ScalarSize], whole: true),
        InspectionNode.Hex("s", signature[ScalarSize..], whole: true)) with
    {
        Shown = "signature (ECDSA P-384, over everything before it)",
    };
}

namespace Assay.Evidence.Spdm;

/// <summary>One measurement in the DMTF form (DSP0274 1.1 §10.11.1, "DMTF measurement specification format").</summary>
/// <param name="Index">Wire index, 1 to 255. Reference manifests count from 0.</param>
/// <param name="ValueType">DMTFSpecMeasurementValueType: bit 7 set for a raw bit stream, bits 6…0 the kind of what was measured.</param>
/// <param name="Value">The digest, or the raw bytes.</param>
internal sealed record MeasurementBlock(byte Index, byte ValueType, ReadOnlyMemory<byte> Value)
{
    private const byte RawBit = 0x80;

    /// <summary>Whether the value is a raw bit stream and no digest.</summary>
    public bool IsRaw => (ValueType & RawBit) != 0;

    /// <summary>Whether every byte is zero, as in unused blocks of GPU reports.</summary>
    public bool IsZero => !Value.Span.ContainsAnyExcept((byte)0);

    /// <summary>What was measured, in DSP0274's words.</summary>
    public string Kind => (ValueType & ~RawBit) switch
    {
        0 => "immutable ROM",
        1 => "mutable firmware",
        2 => "hardware configuration",
        3 => "firmware configuration",
        4 => "measurement manifest",
        5 => "device mode",
        6 => "firmware version number",
        7 => "firmware security version number",
        10 => "structured measurement manifest",
        _ => $"type 0x{ValueType:x2}",
    };
}

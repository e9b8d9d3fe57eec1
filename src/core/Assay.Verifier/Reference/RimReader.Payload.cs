using System.Buffers;
using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Reference;

internal ref partial struct RimReader
{
    /// <summary>Resources from this index on are floors of opaque data fields (NVIDIA opaque data specification).</summary>
    private const int FirstOpaqueIndex = 0x1000;

    private const int LastOpaqueIndex = FirstOpaqueIndex + 0xFFFF;
    private const int LargestSvn = 0xFFFF;
    private const int LargestValue = XmlBounds.ValueBytes / 2;

    /// <summary>
    /// Leniency: no recorded RIM has a floor, so it is not known whether NVIDIA writes their booleans as XML Schema does or like
    /// <c>active</c>, nor what type, alternatives and size they carry. Both spellings are read; those three may stand there or not.
    /// </summary>
    private const bool AcceptUnrecordedFloorForms = true;

    private (ImmutableArray<GoldenMeasurement> Measurements, ImmutableArray<MinimumSvn> MinimumSvns) ReadPayload()
    {
        var measurements = new SortedDictionary<int, GoldenMeasurement>();
        var floors = new SortedDictionary<int, MinimumSvn?>();
        while (StepToTag("Payload") is XmlNode.Start)
        {
            _taken = 0;
            Require(IsAt(XmlNamespace.Swid, "Resource"u8), "Resource", "another element in Payload");
            var index = TakeDecimal("index"u8, "Resource.index");
            var isNew = index < FirstOpaqueIndex
                ? measurements.TryAdd(index, ReadMeasurement(index))
                : floors.TryAdd(index, ReadFloor(index));
            Require(isNew, "Resource.index", "appears twice in one RIM");
            Close("Resource");
        }

        Require(measurements.Count + floors.Count > 0, "Payload", "no Resource");
        ImmutableArray<MinimumSvn> active = [.. floors.Values.OfType<MinimumSvn>()];
        Require(active.DistinctBy(floor => floor.Name).Count() == active.Length, "Resource.name", "two active floors of one name");
        return ([.. measurements.Values], active);
    }

    private bool TakeActive()
    {
        var active = Take(XmlNamespace.None, "active"u8, "Resource.active");
        Require(active.SequenceEqual("True"u8) || active.SequenceEqual("False"u8), "Resource.active", "\"True\" or \"False\" is expected");
        return active.SequenceEqual("True"u8);
    }

    private GoldenMeasurement ReadMeasurement(int index)
    {
        // Blocks are numbered 1 to 255 (DSP0274), golden values from 0.
        if (index >= Limits.MeasurementBlocks)
        {
            _xml.Refuse("Resource.index", $"{index} names neither a measurement block nor an opaque data field");
        }

        TakeExactly(XmlNamespace.None, "type"u8, "Measurement"u8, "Resource.type");
        var active = TakeActive();
        var name = TakeText("name"u8, "Resource.name");
        var size = TakeDecimal("size"u8, "Resource.size");
        var count = TakeDecimal("alternatives"u8, "Resource.alternatives");
        if (size is <= 0 or > LargestValue)
        {
            _xml.Refuse("Resource.size", $"{size} is not within 1..{LargestValue}");
        }

        if (count is <= 0 or > Limits.RimAlternatives)
        {
            _xml.Refuse("Resource.alternatives", $"{count} is not within 1..{Limits.RimAlternatives}");
        }

        var alternatives = Fault is null ? TakeHashes(count, size) : [];
        return new GoldenMeasurement(index, active, alternatives, name, size);
    }

    private ImmutableArray<Digest> TakeHashes(int count, int size)
    {
        var alternatives = ImmutableArray.CreateBuilder<Digest>(count);
        for (var number = 0; number < count; number++)
        {
            alternatives.Add(TakeHash(number, size));
        }

        return alternatives.MoveToImmutable();
    }

    private Digest TakeHash(int number, int size)
    {
        Span<byte> name = stackalloc byte[8];
        "Hash"u8.CopyTo(name);
        System.Buffers.Text.Utf8Formatter.TryFormat(number, name[4..], out var digits);
        var text = Take(XmlNamespace.Sha384, name[..(4 + digits)], "Resource.Hash");
        if (text.Length != 2 * size)
        {
            _xml.Refuse("Resource.Hash", $"{text.Length} hexadecimal digits, and size is {size} bytes");
        }

        Span<byte> value = stackalloc byte[LargestValue];
        var decoded = Fault is null && Convert.FromHexString(text, value, out _, out _) is OperationStatus.Done;
        Require(decoded, "Resource.Hash", "not hexadecimal");
        return decoded ? new Digest(value[..size]) : default;
    }

    /// <summary>A floor; null when it is not active.</summary>
    private MinimumSvn? ReadFloor(int index)
    {
        Require(index <= LastOpaqueIndex, "Resource.index", $"{index} is beyond the last opaque data field");
        var active = TakeActive();
        var name = TakeText("name"u8, "Resource.name");
        Take(XmlNamespace.None, "type"u8, "Resource.type", required: !AcceptUnrecordedFloorForms);
        Take(XmlNamespace.None, "alternatives"u8, "Resource.alternatives", required: !AcceptUnrecordedFloorForms);
        Take(XmlNamespace.None, "size"u8, "Resource.size", required: !AcceptUnrecordedFloorForms);
        var include = Take(XmlNamespace.OpaqueData, "includeInResult"u8, "Resource.includeInResult", required: false);
        var included = include.SequenceEqual("true"u8) || (AcceptUnrecordedFloorForms && include.SequenceEqual("True"u8));
        var excluded = include.IsEmpty || include.SequenceEqual("false"u8) || (AcceptUnrecordedFloorForms && include.SequenceEqual("False"u8));
        Require(included || excluded, "Resource.includeInResult", "not a boolean");
        var minimum = active ? TakeDecimal("minSvn"u8, "Resource.minSvn", XmlNamespace.OpaqueData) : TakeInactiveMinimum();
        // The report carries two bytes: a higher floor could never be met.
        Require(minimum <= LargestSvn, "Resource.minSvn", $"{minimum} is above {LargestSvn}");
        return active ? new MinimumSvn(index - FirstOpaqueIndex, name, minimum, included) : null;
    }

    private int TakeInactiveMinimum()
    {
        var digits = Take(XmlNamespace.OpaqueData, "minSvn"u8, "Resource.minSvn", required: false);
        var minimum = 0;
        Require(digits.IsEmpty || TryDecimal(digits, out minimum), "Resource.minSvn", "not a canonical decimal number");
        return minimum;
    }
}

using System.Collections.Immutable;
using System.Globalization;

namespace Assay.Simulator;

/// <summary>What a RIM is about.</summary>
public enum RimKind
{
    Driver,
    Vbios,
    SwitchBios,
}

/// <summary>One reference measurement: its 0-based index and the values (48 bytes each) that are accepted.</summary>
public sealed record RimMeasurement(int Index, bool Active, ImmutableArray<ReadOnlyMemory<byte>> Values, string Name);

/// <summary>A minimum for an opaque field of value-type 0x87: resource index 0x1000 + <paramref name="FieldId"/>.</summary>
public sealed record RimMinimumSvn(ushort FieldId, string Name, ulong Minimum, bool IncludeInResult);

/// <summary>What a RIM will say, before it is signed. Change it with a <c>with</c> expression.</summary>
public sealed record RimDraft
{
    private const int Resources = 64;

    /// <summary>The id it is asked for by; also its file name without <c>.xml</c>.</summary>
    public required string Id { get; init; }

    /// <summary>What it is about.</summary>
    public required RimKind Kind { get; init; }

    /// <summary>GH100, GB100 or LS10.</summary>
    public required string Product { get; init; }

    /// <summary>GPU or SWITCH.</summary>
    public required string Edition { get; init; }

    /// <summary>The version that the report has to state, character for character.</summary>
    public required string ColloquialVersion { get; init; }

    public required ImmutableArray<RimMeasurement> Measurements { get; init; }

    public ImmutableArray<RimMinimumSvn> MinimumSvns { get; init; } = [];

    /// <summary>The driver's references, active at {7, 21..40} on Hopper; index 35 has four alternatives.</summary>
    public static RimDraft Driver(DeviceProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return From(profile, MeasurementSource.Driver, RimIds.Driver(profile), profile.DriverVersion);
    }

    /// <summary>The VBIOS's references, active at {0..6, 8..12} on Hopper; index 12 has four alternatives.</summary>
    public static RimDraft Vbios(DeviceProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return From(profile, MeasurementSource.Vbios, RimIds.Vbios(profile), profile.VbiosVersion);
    }

    /// <summary>The switch firmware's references, active at {0..30}; indices 9 to 25 have four alternatives.</summary>
    public static RimDraft SwitchBios(DeviceProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return From(profile, MeasurementSource.SwitchBios, RimIds.SwitchBios(profile), profile.VbiosVersion);
    }

    /// <summary>Every RIM that a verifier of this device asks for.</summary>
    public static ImmutableArray<RimDraft> For(DeviceProfile profile)
    {
        ArgumentNullException.ThrowIfNull(profile);
        return profile.Family is DeviceFamily.Ls10 ? [SwitchBios(profile)] : [Driver(profile), Vbios(profile)];
    }

    private static RimDraft From(DeviceProfile profile, MeasurementSource source, string id, string version)
    {
        var names = FamilyNames.Of(profile.Family);
        var active = Simulator.Measurements.Active(profile.Family, source);
        return new RimDraft
        {
            Id = id,
            Kind = source switch
            {
                MeasurementSource.Driver => RimKind.Driver,
                MeasurementSource.Vbios => RimKind.Vbios,
                _ => RimKind.SwitchBios,
            },
            Product = names.Product,
            Edition = source is MeasurementSource.SwitchBios ? "SWITCH" : "GPU",
            ColloquialVersion = version,
            Measurements =
            [
                .. Enumerable.Range(0, Resources).Select(index => active.Contains(index)
                    ? Reference(profile, source, index)
                    : new RimMeasurement(index, false, [new byte[Simulator.Measurements.Size]], NameOf(MeasurementSource.None, index))),
            ],
        };
    }

    /// <summary>The true value stands at a place that depends on the index, so that a verifier has to look at every alternative.</summary>
    private static RimMeasurement Reference(DeviceProfile profile, MeasurementSource source, int index)
    {
        var count = Alternatives(source, index);
        var truth = index % count;
        return new RimMeasurement(
            index,
            true,
            [
                .. Enumerable.Range(0, count).Select(number => (ReadOnlyMemory<byte>)(number == truth
                    ? Simulator.Measurements.Reference(profile, source, index)
                    : Simulator.Measurements.Alternative(profile, source, index, number))),
            ],
            NameOf(source, index));
    }

    /// <summary>How many values the recorded RIMs of each kind allow.</summary>
    private static int Alternatives(MeasurementSource source, int index) => (source, index) switch
    {
        (MeasurementSource.Driver, 35) => 4,
        (MeasurementSource.Driver, 36) => 3,
        (MeasurementSource.Driver, 23 or 24 or 32 or 33 or 34) => 2,
        (MeasurementSource.Vbios, 12) => 4,
        (MeasurementSource.SwitchBios, >= 9 and <= 25) => 4,
        _ => 1,
    };

    /// <summary>The names that recorded RIMs give to active measurements; they carry no meaning for the comparison.</summary>
    private static string NameOf(MeasurementSource source, int index)
    {
        var number = index.ToString(CultureInfo.InvariantCulture);
        return (source, index) switch
        {
            (MeasurementSource.SwitchBios, <= 3 or 27) or (MeasurementSource.Vbios, >= 1 and <= 6) => $"HashedMeasurement_{number}_FSP",
            (MeasurementSource.Driver, 32 or 33 or >= 36 and <= 38) => $"HashedMeasurement_{number}_GSP",
            (MeasurementSource.Driver, 34) => $"MixedHashedMeasurement_{number}",
            (MeasurementSource.Driver, >= 21 and <= 31 and not 28 or 39 or 40) => $"MixedMeasurement_{number}",
            _ => $"Measurement_{number}",
        };
    }
}

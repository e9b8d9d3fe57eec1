using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Reference;

/// <summary>A golden measurement that the report does not meet (NVIDIA claims 3.0, <c>x-nvidia-mismatch-measurement-records</c>).</summary>
/// <param name="Index">0-based, as in RIMs.</param>
/// <param name="GoldenSize">Bytes, by the RIM.</param>
/// <param name="GoldenValue">Hash0 in lower-case hexadecimal, whatever the number of alternatives.</param>
/// <param name="RuntimeSize">Bytes in the report; 0 when it has no such block.</param>
/// <param name="RuntimeValue">Lower-case hexadecimal, or <c>NA</c> when the report has no such block.</param>
/// <param name="Source"><c>Driver</c> or <c>Firmware</c>: the RIM that demands it.</param>
/// <param name="Name">What is measured, by the RIM.</param>
public sealed record MeasurementMismatch(int Index, int GoldenSize, string GoldenValue, int RuntimeSize, string RuntimeValue, string Source, string Name);

/// <summary>The comparison of a report's measurements with golden values. Only a <see cref="Fault"/>-free one without mismatches is a match.</summary>
public sealed record MeasurementMatch
{
    /// <summary>Why nothing could be compared: no active golden values, conflicting RIMs, or an unknown NVDEC0 status.</summary>
    public string? Fault { get; init; }

    /// <summary>0-based indexes that are active in both RIMs.</summary>
    public ImmutableArray<int> Conflicts { get; init; } = [];

    /// <summary>Active golden values that were compared.</summary>
    public int Compared { get; init; }

    /// <summary>Those of them that the report meets.</summary>
    public int Matched { get; init; }

    /// <summary>Active golden values whose difference does not count, because the hardware that they measure is off.</summary>
    public ImmutableArray<int> Skipped { get; init; } = [];

    /// <summary>Driver first, ascending by index.</summary>
    public ImmutableArray<MeasurementMismatch> Mismatches { get; init; } = [];

    /// <summary>0-based indexes that the report measures and no RIM refers to. They fail nothing, and are shown.</summary>
    public ImmutableArray<int> Unreferenced { get; init; } = [];

    /// <summary>As <see cref="Unreferenced"/>, with all bytes zero: blocks that nothing was measured into.</summary>
    public ImmutableArray<int> UnreferencedZero { get; init; } = [];

    /// <summary>Whether at least one golden value was compared and all were met.</summary>
    public bool Holds => Fault is null && Compared > 0 && Matched == Compared && Mismatches.IsEmpty;
}

/// <summary>
/// Golden values against a report's blocks, index by index (NVIDIA attestation SDK, verifier; there is no order between blocks and no
/// merging). Either RIM of a GPU may be absent; a switch has firmware alone.
/// </summary>
internal static class MeasurementMatching
{
    public const string Driver = "Driver";
    public const string Firmware = "Firmware";

    /// <summary>The golden value of the NVDEC0 engine, meaningless where the engine is off.</summary>
    public const int Nvdec0Index = 35;

    /// <summary>NVDEC0_STATUS (opaque data field): the engine is off.</summary>
    public const byte Nvdec0Disabled = 0x55;

    /// <summary>NVDEC0_STATUS: the engine is on.</summary>
    public const byte Nvdec0Enabled = 0xAA;

    /// <summary>Compares with RIMs that are believed.</summary>
    /// <param name="driver">The driver's RIM, or null.</param>
    /// <param name="firmware">The VBIOS' or the switch BIOS' RIM, or null.</param>
    /// <param name="runtime">The report's measurement values by 0-based index (block index minus 1).</param>
    /// <param name="nvdec0Status">The report's field; null when it has none, as of switches.</param>
    public static MeasurementMatch Match(AuthenticRim? driver, AuthenticRim? firmware, IReadOnlyDictionary<int, ReadOnlyMemory<byte>> runtime, byte? nvdec0Status) =>
        Match(driver?.Document.Measurements, firmware?.Document.Measurements, runtime, nvdec0Status);

    /// <summary>The comparison alone.</summary>
    public static MeasurementMatch Match(
        ImmutableArray<GoldenMeasurement>? driver, ImmutableArray<GoldenMeasurement>? firmware, IReadOnlyDictionary<int, ReadOnlyMemory<byte>> runtime, byte? nvdec0Status)
    {
        var driverActive = Active(driver);
        var firmwareActive = Active(firmware);
        var conflicts = Conflicts(driverActive, firmwareActive);
        var fault = WhyNothingToMatch(driver, driverActive, Driver) ?? WhyNothingToMatch(firmware, firmwareActive, Firmware)
            ?? (driver is null && firmware is null ? "no RIM is given" : null)
            ?? (conflicts.IsEmpty ? null : $"indexes {string.Join(", ", conflicts)} are active in both RIMs")
            ?? (nvdec0Status is null or Nvdec0Disabled or Nvdec0Enabled ? null : $"NVDEC0_STATUS is {nvdec0Status:X2}; {Nvdec0Enabled:X2} or {Nvdec0Disabled:X2} is expected");
        if (fault is not null)
        {
            return new MeasurementMatch { Fault = fault, Conflicts = conflicts };
        }

        var mismatches = ImmutableArray.CreateBuilder<MeasurementMismatch>();
        var skipped = ImmutableArray.CreateBuilder<int>();
        Compare(driverActive, Driver, runtime, nvdec0Status, mismatches, skipped);
        Compare(firmwareActive, Firmware, runtime, nvdec0Status, mismatches, skipped);
        var compared = driverActive.Count + firmwareActive.Count - skipped.Count;
        var (unreferenced, zero) = Unreferenced(driverActive, firmwareActive, runtime);
        return new MeasurementMatch
        {
            Fault = compared == 0 ? "no active golden value is left to compare" : null,
            Compared = compared,
            Matched = compared - mismatches.Count,
            Skipped = skipped.ToImmutable(),
            Mismatches = mismatches.ToImmutable(),
            Unreferenced = unreferenced,
            UnreferencedZero = zero,
        };
    }

    // A disabled engine excuses a difference; a value that is met counts as met, so that nothing is hidden.
    private static void Compare(
        List<GoldenMeasurement> active,
        string source,
        IReadOnlyDictionary<int, ReadOnlyMemory<byte>> runtime,
        byte? nvdec0Status,
        ImmutableArray<MeasurementMismatch>.Builder mismatches,
        ImmutableArray<int>.Builder skipped)
    {
        foreach (var golden in active)
        {
            if (WhyNot(golden, source, runtime) is not { } mismatch)
            {
                continue;
            }

            if (IsSkipped(golden, nvdec0Status))
            {
                skipped.Add(golden.Index);
            }
            else
            {
                mismatches.Add(mismatch);
            }
        }
    }

    private static ImmutableArray<int> Conflicts(List<GoldenMeasurement> driver, List<GoldenMeasurement> firmware)
    {
        var driverIndexes = driver.Select(golden => golden.Index).ToHashSet();
        return [.. firmware.Select(golden => golden.Index).Where(driverIndexes.Contains).Order()];
    }

    private static (ImmutableArray<int> Used, ImmutableArray<int> Zero) Unreferenced(
        List<GoldenMeasurement> driver, List<GoldenMeasurement> firmware, IReadOnlyDictionary<int, ReadOnlyMemory<byte>> runtime)
    {
        var referenced = driver.Concat(firmware).Select(golden => golden.Index).ToHashSet();
        var used = ImmutableArray.CreateBuilder<int>();
        var zero = ImmutableArray.CreateBuilder<int>();
        foreach (var (index, value) in runtime)
        {
            if (!referenced.Contains(index))
            {
                (value.Span.ContainsAnyExcept((byte)0) ? used : zero).Add(index);
            }
        }

        used.Sort();
        zero.Sort();
        return (used.ToImmutable(), zero.ToImmutable());
    }

    private static List<GoldenMeasurement> Active(ImmutableArray<GoldenMeasurement>? rim)
    {
        var active = new List<GoldenMeasurement>();
        foreach (var golden in rim is { IsDefault: false } measurements ? measurements : [])
        {
            if (golden.Active)
            {
                active.Add(golden);
            }
        }

        active.Sort((one, other) => one.Index.CompareTo(other.Index));
        return active;
    }

    private static string? WhyNothingToMatch(ImmutableArray<GoldenMeasurement>? rim, List<GoldenMeasurement> active, string source) =>
        rim is null || active.Count > 0 ? null : $"the {source} RIM has no active golden value";

    private static bool IsSkipped(GoldenMeasurement golden, byte? nvdec0Status) => golden.Index == Nvdec0Index && nvdec0Status is Nvdec0Disabled;

    private static MeasurementMismatch? WhyNot(GoldenMeasurement golden, string source, IReadOnlyDictionary<int, ReadOnlyMemory<byte>> runtime)
    {
        var present = runtime.TryGetValue(golden.Index, out var value);
        var matches = false;
        foreach (var alternative in golden.Alternatives)
        {
            // Values of unequal length are unequal.
            matches |= present && alternative.Length > 0 && CryptographicOperations.FixedTimeEquals(alternative.Bytes, value.Span);
        }

        return matches ? null : new MeasurementMismatch(
            golden.Index,
            golden.Size,
            golden.Alternatives.IsDefaultOrEmpty ? "" : golden.Alternatives[0].ToString(),
            present ? value.Length : 0,
            present ? Convert.ToHexStringLower(value.Span) : "NA",
            source,
            golden.Name);
    }
}

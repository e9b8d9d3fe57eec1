using System.Buffers.Binary;
using System.Collections.Immutable;

namespace Assay.Reference;

/// <summary>A floor that the report does not reach (NVIDIA claims 4.0, <c>x-nvidia-mismatch-opaque-data-records</c>).</summary>
/// <param name="Id">Type of the opaque data field.</param>
/// <param name="Name">The claim's name, by the RIM.</param>
/// <param name="GoldenType">Always <c>MIN_SVN</c>.</param>
/// <param name="GoldenValue">The floor.</param>
/// <param name="RuntimeType">What the report carries, when that is a security version number; present together with the value.</param>
/// <param name="RuntimeValue">The report's number; null when the field is absent or of another type or size.</param>
internal sealed record MinimumSvnMismatch(int Id, string Name, string GoldenType, int GoldenValue, string? RuntimeType, int? RuntimeValue);

/// <summary>The comparison of a report's security version numbers with the RIMs' floors. RIMs without floors demand nothing.</summary>
internal sealed record MinimumSvnMatch
{
    /// <summary>Why the RIMs contradict each other: a field type or a name in both.</summary>
    public string? Fault { get; init; }

    /// <summary>Floors that were compared; 0 is the rule today.</summary>
    public int Compared { get; init; }

    /// <summary>Driver first, ascending by field type.</summary>
    public ImmutableArray<MinimumSvnMismatch> Mismatches { get; init; } = [];

    /// <summary>Claim name to number, of floors with includeInResult. A number below its floor is claimed too.</summary>
    public ImmutableSortedDictionary<string, int> AttesterClaims { get; init; } = ImmutableSortedDictionary.Create<string, int>(StringComparer.Ordinal);

    /// <summary>Whether every floor is reached.</summary>
    public bool Holds => Fault is null && Mismatches.IsEmpty;
}

/// <summary>An opaque data field of a report.</summary>
/// <param name="ValueType">The value type of the NVDAOD format; null in the legacy format, which has none.</param>
/// <param name="Data">Its bytes.</param>
internal readonly record struct OpaqueValue(ushort? ValueType, ReadOnlyMemory<byte> Data);

/// <summary>The report's field of that type; null when it has none.</summary>
internal delegate OpaqueValue? OpaqueLookup(int fieldType);

/// <summary>Floors against a report's opaque data (NVIDIA attestation SDK 2.x).</summary>
internal static class MinimumSvnMatching
{
    /// <summary>Value type of a security version number: two bytes, little-endian.</summary>
    public const ushort SvnValueType = 0x87;

    private const string GoldenType = "MIN_SVN";
    private const string RuntimeType = "SVN";
    private const int SvnBytes = 2;

    /// <summary>Compares with RIMs that are believed; either may be null.</summary>
    public static MinimumSvnMatch Match(AuthenticRim? driver, AuthenticRim? firmware, OpaqueLookup report) =>
        Match(driver?.Document.MinimumSvns ?? [], firmware?.Document.MinimumSvns ?? [], report);

    /// <summary>The comparison alone.</summary>
    public static MinimumSvnMatch Match(ImmutableArray<MinimumSvn> driver, ImmutableArray<MinimumSvn> firmware, OpaqueLookup report)
    {
        ArgumentNullException.ThrowIfNull(report);
        if (driver.FirstOrDefault(one => firmware.Any(other => other.FieldType == one.FieldType || other.Name == one.Name)) is { } conflict)
        {
            return new MinimumSvnMatch { Fault = $"field type {conflict.FieldType} ({conflict.Name}) has a floor in both RIMs, by type or by name" };
        }

        var mismatches = ImmutableArray.CreateBuilder<MinimumSvnMismatch>();
        var claims = ImmutableSortedDictionary.CreateBuilder<string, int>(StringComparer.Ordinal);
        MinimumSvn[] floors = [.. driver.OrderBy(floor => floor.FieldType), .. firmware.OrderBy(floor => floor.FieldType)];
        foreach (var floor in floors)
        {
            var found = Read(report(floor.FieldType));
            if (found is { } number && floor.IncludeInResult)
            {
                claims[floor.Name] = number;
            }

            if (found is null || found < floor.Minimum)
            {
                mismatches.Add(new MinimumSvnMismatch(floor.FieldType, floor.Name, GoldenType, floor.Minimum, found is null ? null : RuntimeType, found));
            }
        }

        return new MinimumSvnMatch { Compared = floors.Length, Mismatches = mismatches.ToImmutable(), AttesterClaims = claims.ToImmutable() };
    }

    private static int? Read(OpaqueValue? field) =>
        field is { ValueType: SvnValueType, Data.Length: SvnBytes } found ? BinaryPrimitives.ReadUInt16LittleEndian(found.Data.Span) : null;
}

using System.Collections.Immutable;
using Assay.Evidence.Devices;

namespace Assay.Reference;

/// <summary>The parts of a RIM's id. Made from a report or read from text, in both cases by <see cref="RimIds"/> and a pattern of <see cref="DeviceModels"/>.</summary>
internal sealed record RimId
{
    internal RimId(RimIdPattern pattern, string before, string version)
    {
        Pattern = pattern;
        Before = before;
        Version = version;
    }

    /// <summary>Its form.</summary>
    public RimIdPattern Pattern { get; }

    /// <summary>What the manifest describes.</summary>
    internal RimRole Role => Pattern.Role;

    /// <summary>The parts before the version: of a VBIOS the board. Ids that are equal here are of versions for the same thing.</summary>
    public string Before { get; }

    /// <summary>The version as the id has it: of a driver with its dots, of a VBIOS without.</summary>
    public string Version { get; }

    /// <summary>Whether this id is for a manifest of this version, in the manifest's own writing.</summary>
    public bool IsOfVersion(string version)
    {
        ArgumentNullException.ThrowIfNull(version);
        return Role is RimRole.Driver
            ? string.Equals(Version, version, StringComparison.Ordinal)
            : string.Equals(Version, RimIds.WithoutDots(version), StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Whether this is a later version for the same thing as <paramref name="other"/>. Versions of unequal length are not compared.</summary>
    public bool IsNewerThan(RimId other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return Pattern == other.Pattern && Before == other.Before && Version.Length == other.Version.Length && string.CompareOrdinal(Version, other.Version) > 0;
    }

    /// <summary>Of the ids that a source lists, those for the same thing whose versions are the nearest, on both sides.</summary>
    public ImmutableArray<string> NearestOf(IEnumerable<string> known)
    {
        const int onEachSide = 2;
        RimId[] same = [.. known.Select(text => RimIds.TryParse(text, out var id) ? id : null).OfType<RimId>().Where(id => id.Pattern == Pattern && id.Before == Before && id.Version != Version).OrderBy(id => id.Order, StringComparer.Ordinal)];
        var earlier = same.Count(id => string.CompareOrdinal(id.Order, Order) < 0);
        return [.. same[Math.Max(0, earlier - onEachSide)..Math.Min(same.Length, earlier + onEachSide)].Select(id => id.ToString())];
    }

    // 550.9 is before 550.54: each element counts as a number.
    private string Order => string.Join('.', Version.Split('.').Select(element => element.PadLeft(16, '0')));

    /// <inheritdoc/>
    public override string ToString() => $"{Before}_{Version}";
}

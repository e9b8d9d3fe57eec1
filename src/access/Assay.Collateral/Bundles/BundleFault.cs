using System.Collections.Immutable;

namespace Assay.Collateral.Bundles;

/// <summary>Why a bundle is refused, with the permanent id of the check.</summary>
/// <param name="Id">For example <c>bundle.current</c>.</param>
/// <param name="Reason">In words, with what was found, what is expected, and what to do.</param>
public sealed record BundleFault(string Id, string Reason)
{
    internal const string WellFormed = "bundle.wellformed";
    internal const string Signed = "bundle.signed";
    internal const string TimeFloor = "bundle.time.floor";
    internal const string Current = "bundle.current";
    internal const string Sequence = "bundle.sequence.met";
    internal const string Marks = "bundle.marks.plausible";
    internal const string ItemsAuthentic = "bundle.items.authentic";
    internal const string ItemsCurrent = "bundle.items.current";
    internal const string GoodUntil = "bundle.good-until.match";
    internal const string Room = "bundle.room";

    /// <summary>Whether the file is no bundle at all; else it is one that is refused.</summary>
    public bool IsMalformed => Id == WellFormed;

    /// <summary>Every id there is, in the order in which they are asked.</summary>
    internal static ImmutableArray<string> CheckIds { get; } = [WellFormed, Signed, TimeFloor, Current, Sequence, Marks, ItemsAuthentic, ItemsCurrent, GoodUntil, Room];

    internal static BundleFault LowerSequence(long found, long expected, string who) =>
        new(Sequence, $"its sequence is {found}, and {expected} {who}: it is older; bring the latest");

    /// <inheritdoc/>
    public override string ToString() => $"{Id}: {Reason}";
}

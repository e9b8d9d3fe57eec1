using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Collateral.Bundles;
using Assay.Collateral.Items;
using Assay.Endorsements;

namespace Assay.Collateral.Cache;

/// <summary>What a cache took of a bundle.</summary>
/// <param name="Taken">Items that are now held.</param>
/// <param name="Passed">Items that are not, with the reason: something newer was seen here.</param>
public sealed record BundleImport(int Taken, ImmutableArray<(CollateralKey Key, ItemFault Fault)> Passed);

/// <summary>What was brought by hand.</summary>
public sealed partial class CollateralCache
{
    /// <summary>The sequence of the last bundle that was taken in here; 0 before the first. Lower ones are refused.</summary>
    public long BundleSequence => _marks.BundleSequence;

    /// <summary>What was seen here (S-17), for a bundle to carry: revocations first, no more than a bundle may hold.</summary>
    internal ImmutableArray<BundleMark> Marks(int most) =>
        [.. _marks.All().OrderByDescending(mark => mark.Rank.Revokes).ThenBy(HighWaterMarks.IsGoodAnswer).ThenBy(mark => mark.Name, StringComparer.Ordinal).Take(most)];

    /// <summary>
    /// Takes in a bundle: first its high-water marks, then each item that is not older than what was seen. Items serve until their own end,
    /// for nobody may be there to ask for newer ones.
    /// </summary>
    /// <exception cref="IOException">The disk does not take it.</exception>
    public bool TryImport(VerifiedBundle bundle, string source, [NotNullWhen(true)] out BundleImport? import, [NotNullWhen(false)] out BundleFault? fault)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        import = null;
        var sequence = BundleSequence;
        fault = WhyNotClock() is { } clock ? new BundleFault(BundleFault.TimeFloor, clock)
            : bundle.Manifest.Sequence < sequence ? BundleFault.LowerSequence(bundle.Manifest.Sequence, sequence, "was taken in here")
            : null;
        if (fault is not null)
        {
            return false;
        }

        _ = _authoritiesRead.Value;
        if (!_marks.TryRaise(bundle.Manifest))
        {
            fault = new BundleFault(BundleFault.Room, $"{_policy.MostMarks} high-water marks may be held, and there is no room for those of the bundle");
            return false;
        }

        var passed = ImmutableArray.CreateBuilder<(CollateralKey, ItemFault)>();
        var taken = 0;
        var now = _time.GetUtcNow();
        foreach (var item in bundle.Items)
        {
            _ = TryBring(item, source, now, out var whyNot) ? taken++ : Pass(item.Key, whyNot);
        }

        import = new BundleImport(taken, passed.ToImmutable());
        return true;

        int Pass(CollateralKey key, ItemFault whyNot)
        {
            Meters.Count("refused", key.Kind, whyNot.Name);
            passed.Add((key, whyNot));
            return 0;
        }
    }

    private bool TryBring(VerifiedItem item, string source, DateTimeOffset now, [NotNullWhen(false)] out ItemFault? fault)
    {
        // The bundle was judged a moment ago; what matters is that nothing leaves which does not hold, and that is asked again then.
        lock (StripeOf(item))
        {
            _failures.Clear(item.Key);
            return TryKeep(item, source, now, out fault, isBrought: true);
        }
    }
}

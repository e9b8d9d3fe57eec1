using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Assay.Checks;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Trust.Jose;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Collateral.Bundles;

/// <summary>By whom, when and from which sequence on a bundle is accepted. All of it is stated: there is no "skip if unset".</summary>
public sealed record BundleExpectations
{
    /// <summary>The site's keys, from a place that the reader trusts.</summary>
    public required JsonWebKeySet Keys { get; init; }

    /// <summary>How many different ones of them must have signed.</summary>
    public required int Threshold { get; init; }

    /// <summary>The lowest sequence that is accepted: that of the latest bundle that was seen; 0 for any.</summary>
    public required long MinimumSequence { get; init; }

    /// <summary>When, and by which clock. An instant that was stated may lie before the bundle's making (S-13).</summary>
    public required EvaluationTime Time { get; init; }
}

/// <summary>
/// A bundle that enough keys signed, and whose every item verified by itself, under these anchors and at this time: enough to judge evidence
/// by, with no network. The signature makes no bad item good, and what it answers is verified again by whoever judges.
/// </summary>
public sealed class VerifiedBundle : ICollateralSource
{
    private readonly ImmutableDictionary<CollateralKey, VerifiedItem> _items;
    private readonly ILookup<string, VerifiedItem> _ocsp;
    private readonly string _name;
    private readonly ImmutableHashSet<string> _marks;

    private VerifiedBundle(AuthenticBundle authentic, ImmutableDictionary<CollateralKey, VerifiedItem> items)
    {
        (Authentic, _items) = (authentic, items);
        _name = string.Create(CultureInfo.InvariantCulture, $"the bundle (sequence {Manifest.Sequence})");
        _marks = Manifest.Marks.Select(mark => mark.Name).ToImmutableHashSet(StringComparer.Ordinal);
        _ocsp = items.Values.Where(item => item.Key.Kind is CollateralKind.Ocsp).ToLookup(item => item.MarkId, StringComparer.Ordinal);
    }

    /// <summary>The bundle, and who signed it.</summary>
    public AuthenticBundle Authentic { get; }

    /// <summary>What the site signed.</summary>
    public BundleManifest Manifest => Authentic.Bundle.Manifest;

    /// <summary>Its items, those before others that judge them.</summary>
    public IEnumerable<VerifiedItem> Items => Manifest.Items.Select(item => _items[item.Key]);

    /// <summary>Reads a file, and asks everything: signatures, form, time, sequence, each item. The first that does not hold refuses the whole.</summary>
    public static bool TryVerify(
        ReadOnlyMemory<byte> file, BundleExpectations expected, ItemVerification verification, [NotNullWhen(true)] out VerifiedBundle? bundle, [NotNullWhen(false)] out BundleFault? fault)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(verification);
        bundle = null;
        if (!AuthenticBundle.TryAuthenticate(file, expected.Keys, expected.Threshold, out var authentic, out var malformed, out var whyNot))
        {
            fault = malformed is null ? new BundleFault(BundleFault.Signed, whyNot!) : new BundleFault(BundleFault.WellFormed, malformed.ToString());
            return false;
        }

        var parsed = authentic.Bundle;
        fault = WhyNot(parsed.Manifest, expected);
        var items = fault is null ? Judge(parsed, verification, expected.Time.Instant, out fault) : null;
        fault ??= WhyNotGoodUntil(parsed.Manifest, items!.Values);
        bundle = fault is null ? new VerifiedBundle(authentic, items!) : null;
        return bundle is not null;
    }

    /// <summary>
    /// Whether this bundle's high-water marks name what is asked for. Where it lacks such an item, an older answer of another source would escape them (S-17), so
    /// no other source may be asked.
    /// </summary>
    public bool HasSeen(CollateralQuestion question)
    {
        ArgumentNullException.ThrowIfNull(question);
        var (kind, id) = (question.Key.Kind, question.Key.Id);
        // One mark for a certificate, whatever hash the question names it by.
        return _marks.Contains(HighWaterMarks.NameOf(kind, kind is CollateralKind.Ocsp ? string.Join('/', id.Split('/').Take(2)) : id));
    }

    /// <summary>The item of a key; null when it is not in it.</summary>
    public VerifiedItem? Find(CollateralKey key) => _items.GetValueOrDefault(key);

    /// <inheritdoc/>
    public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(question);
        var key = question.Key;
        ImmutableArray<CollateralItem> found = question.Status is { Subject: var subject }
            ? [.. _ocsp[$"{subject.IssuerKey}/{subject.SerialNumber}"].Select(item => new CollateralItem(item.Body))]
            : (Find(key) ?? Find(key with { Id = key.Id.Replace(ProcessorNeeds.StandardChannel, ProcessorNeeds.EarlyChannel, StringComparison.Ordinal) })) is { } item ? [new CollateralItem(item.Body, item.Chain)]
            : [];
        return Task.FromResult(!found.IsEmpty ? Fetched.Of(_name, found)
            : Fetched.Absent(_name, question.Status is { } query ? $"{_name} has no OCSP answer about serial number {query.Subject.SerialNumber} of {query.Issuer.Subject.CommonName}"
                : key.Kind is CollateralKind.Rim ? $"it is not in {_name}"
                : $"it has no {key}"));
    }

    /// <inheritdoc/>
    public Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) =>
        Task.FromResult<ImmutableArray<string>>([.. _items.Keys.Where(key => key.Kind is CollateralKind.Rim).Select(key => key.Id).Order(StringComparer.Ordinal)]);

    private static BundleFault? WhyNot(BundleManifest manifest, BundleExpectations expected)
    {
        var (time, floor) = (expected.Time, manifest.Created < EvaluationTime.ReleaseDate ? EvaluationTime.ReleaseDate : manifest.Created);
        var implausible = manifest.Marks.FirstOrDefault(mark => !IsPlausible(mark, manifest.Created));
        return time.Source is TimeSource.None ? new BundleFault(BundleFault.TimeFloor, "no time was chosen: state by which clock to judge")
            : time.Source is not TimeSource.Stated && floor - time.Instant > RevocationJudgement.ClockSkewTolerance
                ? new BundleFault(BundleFault.TimeFloor, $"it was made at {Utc.Text(manifest.Created)}, and the clock says {Utc.Text(time.Instant)}: set the clock")
            : time.Instant > manifest.GoodUntil
                ? new BundleFault(BundleFault.Current, $"it was good until {Utc.Text(manifest.GoodUntil)}, and it is {Utc.Text(time.Instant)}: make a new one where there is a network (assay bundle create), and bring it here")
            : manifest.Sequence < expected.MinimumSequence ? BundleFault.LowerSequence(manifest.Sequence, expected.MinimumSequence, "is the least that is accepted")
            : implausible.Name is not null
                ? new BundleFault(BundleFault.Marks, $"the mark {implausible.Name} is of no kind, or of {Utc.Text(implausible.Rank.Date)}, which is later than the bundle's making")
            : null;
    }

    // A mark from the future would refuse everything that comes until then.
    private static bool IsPlausible(BundleMark mark, DateTimeOffset created) =>
        mark.Name.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon && CollateralKinds.Of(mark.Name[..colon]) is not CollateralKind.None
        && mark.Rank.Date - created <= RevocationJudgement.ClockSkewTolerance;

    private static ImmutableDictionary<CollateralKey, VerifiedItem>? Judge(CollateralBundle bundle, ItemVerification verification, DateTimeOffset at, out BundleFault? fault)
    {
        var authorities = new AuthorityDirectory();
        var judge = new ItemJudge(verification, authorities);
        var marks = bundle.Manifest.Marks.ToDictionary(mark => mark.Name, mark => mark.Rank, StringComparer.Ordinal);
        var parts = bundle.Items.ToLookup(item => item.Key.Kind is CollateralKind.Ocsp);
        var items = ImmutableDictionary.CreateBuilder<CollateralKey, VerifiedItem>();
        // In the manifest's order, in which what judges comes first.
        foreach (var part in parts[false])
        {
            var (item, whyNot) = Judge(part, judge, marks, at);
            if (item is null)
            {
                fault = whyNot;
                return null;
            }

            authorities.Add(item.Authorities);
            items.Add(item.Key, item);
        }

        // Most of a fleet's bundle, and none of them judges another.
        var answers = parts[true].ToArray();
        var outcomes = new (VerifiedItem? Item, BundleFault? Fault)[answers.Length];
        Parallel.For(0, answers.Length, index => outcomes[index] = Judge(answers[index], judge, marks, at));
        fault = outcomes.Select(outcome => outcome.Fault).FirstOrDefault(whyNot => whyNot is not null);
        items.AddRange(fault is null ? outcomes.Select(outcome => KeyValuePair.Create(outcome.Item!.Key, outcome.Item)) : []);
        return fault is null ? items.ToImmutable() : null;
    }

    private static (VerifiedItem? Item, BundleFault? Fault) Judge(
        (CollateralKey Key, ReadOnlyMemory<byte> Chain, ReadOnlyMemory<byte> Body) part, ItemJudge judge, Dictionary<string, ItemRank> marks, DateTimeOffset at)
    {
        // The site's key proves no item: what no other key signs a bundle must not bring.
        if (part.Key.Kind is CollateralKind.KeySet)
        {
            return (null, new BundleFault(BundleFault.ItemsAuthentic, $"{part.Key}: key sets are not signed, so bundles cannot carry them: give the issuer's address to those who need them"));
        }

        if (!judge.TryVerify(part.Key, part.Body, part.Chain, out var item, out var fault))
        {
            return (null, new BundleFault(BundleFault.ItemsAuthentic, $"{part.Key}: {fault}: the bundle contains it under a valid signature, and it would be refused from any source{(fault.Refusal is ItemRefusal.Chain ? " under the anchors that you trust (a bundle for other anchors is judged under those)" : "")}"));
        }

        if (!item.IsCurrent(at, out fault))
        {
            return (null, new BundleFault(BundleFault.ItemsCurrent, $"{part.Key}: {fault.Reason}"));
        }

        return marks.TryGetValue(HighWaterMarks.NameOf(part.Key.Kind, item.MarkId), out var mark) && item.Rank.IsOlderThan(mark)
            ? (null, new BundleFault(BundleFault.ItemsCurrent, $"{part.Key}: of {Utc.Text(item.Rank.Date)}, and the bundle's own mark says that one of {Utc.Text(mark.Date)} was seen{(mark.Revokes ? ", which revokes" : "")}"))
            : (item, null);
    }

    // The date is printed for people to plan by: one that is wrong either way is a lie of whoever made the bundle.
    private static BundleFault? WhyNotGoodUntil(BundleManifest manifest, IEnumerable<VerifiedItem> items)
    {
        var found = items.Min(item => item.ValidUntil);
        return found.ToUnixTimeSeconds() == manifest.GoodUntil.ToUnixTimeSeconds() ? null
            : new BundleFault(BundleFault.GoodUntil, $"it says that it is good until {Utc.Text(manifest.GoodUntil)}, and its items end at {Utc.Text(found)}");
    }
}

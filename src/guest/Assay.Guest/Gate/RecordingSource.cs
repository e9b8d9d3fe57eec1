using System.Collections.Concurrent;
using System.Collections.Immutable;
using Assay.Collateral;
using Assay.Collateral.Bundles;
using Assay.Endorsements;

namespace Assay.Guest.Gate;

/// <summary>
/// A bundle, then a cache, of which either may be missing; it remembers the RIMs that it handed out, for the event that names them. The cache is not asked for what
/// the bundle's high-water marks name: whoever holds the cache could answer with something older (S-17).
/// </summary>
internal sealed class RecordingSource(VerifiedBundle? first, ICollateralSource? then) : ICollateralSource, IDisposable
{
    private readonly ConcurrentDictionary<string, ReadOnlyMemory<byte>> _rims = new(StringComparer.Ordinal);

    public ImmutableDictionary<string, ReadOnlyMemory<byte>> Rims => _rims.ToImmutableDictionary(StringComparer.Ordinal);

    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        var answer = first is null ? null : await first.FetchAsync(question, cancellation).ConfigureAwait(false);
        if (answer is null or { Item: null } && then is not null)
        {
            answer = first?.HasSeen(question) is true ? Fetched.Failed("the bundle", "it lacks this and has seen it, and the cache could answer with something older: bring a newer bundle")
                : await then.FetchAsync(question, cancellation).ConfigureAwait(false);
        }

        if (question.Key.Kind is CollateralKind.Rim && answer?.Item is { } item)
        {
            _rims[question.Key.Id] = item.Body;
        }

        return answer ?? Fetched.Failed("collateral", "neither a bundle nor an address is configured");
    }

    public void Dispose() => (then as IDisposable)?.Dispose();
}

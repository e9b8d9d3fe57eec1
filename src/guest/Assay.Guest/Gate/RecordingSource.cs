using System.Collections.Concurrent;
using System.Collections.Immutable;
using Assay.Collateral;
using Assay.Endorsements;

namespace Assay.Guest.Gate;

/// <summary>A bundle, then a cache, of which either may be missing; it remembers the RIMs that it handed out, for the event that names them.</summary>
internal sealed class RecordingSource(ICollateralSource? first, ICollateralSource? then) : ICollateralSource, IDisposable
{
    private readonly ConcurrentDictionary<string, ReadOnlyMemory<byte>> _rims = new(StringComparer.Ordinal);

    public ImmutableDictionary<string, ReadOnlyMemory<byte>> Rims => _rims.ToImmutableDictionary(StringComparer.Ordinal);

    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        var answer = first is null ? null : await first.FetchAsync(question, cancellation).ConfigureAwait(false);
        if (answer is null or { Item: null } && then is not null)
        {
            answer = await then.FetchAsync(question, cancellation).ConfigureAwait(false);
        }

        if (question.Key.Kind is CollateralKind.Rim && answer?.Item is { } item)
        {
            _rims[question.Key.Id] = item.Body;
        }

        return answer ?? Fetched.Failed("collateral", "neither a bundle nor an address is configured");
    }

    public void Dispose()
    {
        (first as IDisposable)?.Dispose();
        (then as IDisposable)?.Dispose();
    }
}

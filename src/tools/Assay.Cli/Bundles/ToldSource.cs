using System.Collections.Immutable;
using Assay.Collateral;
using Assay.Endorsements;

namespace Assay.Cli.Bundles;

/// <summary>A source that tells what is asked of it, and where: fetching for a fleet takes minutes. How many items there will be nobody knows before.</summary>
/// <param name="source">Who is asked.</param>
/// <param name="from">Where items of a kind come from; null where nowhere.</param>
internal sealed class ToldSource(ICollateralSource source, Func<CollateralKind, string?> from) : ICollateralSource
{
    private readonly Waiting _waiting = new();
    private int _asked;
    private int _answered;

    /// <summary>Takes every step, from any thread; null where nobody looks.</summary>
    public Action<Step>? Tell { get; set; }

    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        Interlocked.Increment(ref _asked);
        Say(question.Key, isAnswered: false);
        try
        {
            return await source.FetchAsync(question, cancellation).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Increment(ref _answered);
            Say(question.Key, isAnswered: true);
        }
    }

    public Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) => source.ListRimsAsync(cancellation);

    private void Say(CollateralKey key, bool isAnswered)
    {
        var step = _waiting.Change(Volatile.Read(ref _answered), Volatile.Read(ref _asked), key.ToString(), from(key.Kind), isAnswered);
        Tell?.Invoke(step);
    }
}

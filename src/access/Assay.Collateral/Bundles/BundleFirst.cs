using System.Collections.Immutable;
using Assay.Endorsements;

namespace Assay.Collateral.Bundles;

/// <summary>
/// A bundle, and behind it another source, which is asked for what the bundle does not hold. Both are verified again by whoever judges, so that the
/// second one makes nothing better or worse than if it stood alone.
/// </summary>
/// <param name="bundle">What is asked first.</param>
/// <param name="next">What is asked for the rest; disposed with this.</param>
public sealed class BundleFirst(VerifiedBundle bundle, ICollateralSource next) : ICollateralSource, IDisposable
{
    private readonly VerifiedBundle _bundle = bundle ?? throw new ArgumentNullException(nameof(bundle));
    private readonly ICollateralSource _next = next ?? throw new ArgumentNullException(nameof(next));

    /// <inheritdoc/>
    public async Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        var held = await _bundle.FetchAsync(question, cancellation).ConfigureAwait(false);
        if (held.Item is not null)
        {
            return held;
        }

        var fetched = await _next.FetchAsync(question, cancellation).ConfigureAwait(false);
        return fetched.Item is not null ? fetched : fetched with { WhyNot = $"{fetched.WhyNot} (and it is not in the bundle)" };
    }

    /// <inheritdoc/>
    public async Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) =>
        [.. await _bundle.ListRimsAsync(cancellation).ConfigureAwait(false), .. await _next.ListRimsAsync(cancellation).ConfigureAwait(false)];

    /// <summary>Closes the connections of the second, where it has some.</summary>
    public void Dispose() => (_next as IDisposable)?.Dispose();
}

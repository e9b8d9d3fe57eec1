using System.Collections.Immutable;

namespace Assay.Collateral.Bundles;

/// <summary>
/// By whom bundles are accepted while a server runs: read again with every bundle, so that a key that was changed counts from then on. Where it cannot
/// be read, nobody is accepted.
/// </summary>
/// <param name="files">The files of the keys, which are looked at for changes; none where they cannot be read twice.</param>
/// <param name="read">Reads them, and says why not.</param>
public sealed class BundleSigners(IEnumerable<string> files, Func<(BundleExpectations? Expected, string? WhyNot)> read)
{
    private readonly Func<(BundleExpectations? Expected, string? WhyNot)> _read = read ?? throw new ArgumentNullException(nameof(read));

    /// <summary>The files of the keys.</summary>
    public ImmutableArray<string> Files { get; } = [.. files];

    /// <summary>The same for ever.</summary>
    public static BundleSigners Fixed(BundleExpectations expected)
    {
        ArgumentNullException.ThrowIfNull(expected);
        return new BundleSigners([], () => (expected, null));
    }

    /// <summary>What is expected now, or why that cannot be told.</summary>
    public (BundleExpectations? Expected, string? WhyNot) Read() => _read();
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>
/// A bundle that enough of a site's keys signed. It says nothing about its items, which are verified one by one, nor about time.
/// The only way to get one is <see cref="TryAuthenticate"/>.
/// </summary>
public sealed class AuthenticBundle
{
    private AuthenticBundle(CollateralBundle bundle, ImmutableArray<string> signers) => (Bundle, Signers) = (bundle, signers);

    /// <summary>The bundle.</summary>
    public CollateralBundle Bundle { get; }

    /// <summary>The names of the keys that signed it, of those that were given.</summary>
    public ImmutableArray<string> Signers { get; }

    /// <summary>
    /// Whether at least <paramref name="needed"/> different keys of the set signed it. A bad signature under a known name refuses the whole.
    /// Keys that are not on P-384 do not count.
    /// </summary>
    public static bool TryAuthenticate(
        CollateralBundle bundle, JsonWebKeySet keys, int needed, [NotNullWhen(true)] out AuthenticBundle? authentic, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(bundle);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentOutOfRangeException.ThrowIfLessThan(needed, 1);
        authentic = null;
        var signers = new Dictionary<Digest, string>();
        foreach (var (keyId, signature) in bundle.Signatures)
        {
            if (keys.Find(keyId) is not { Algorithm: SignatureAlgorithm.EcdsaSha384 } key)
            {
                continue;
            }

            if (!bundle.IsSignedBy(key, signature))
            {
                whyNot = $"the signature of {keyId} does not verify: the manifest was altered, or the key of that name is another";
                return false;
            }

            // By the key itself: one key under two names counts once.
            signers.TryAdd(key.Info, keyId);
        }

        whyNot = signers.Count >= needed ? null
            : $"{signers.Count} of the given keys signed it, {needed} must have; signatures in it are of {string.Join(", ", bundle.KeyIds)}";
        authentic = whyNot is null ? new AuthenticBundle(bundle, [.. signers.Values.Order(StringComparer.Ordinal)]) : null;
        return authentic is not null;
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Trust;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Endorsements;

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
    /// Whether at least <paramref name="needed"/> different keys of the set signed a file, and then what is in it. A bad signature under a known
    /// name refuses the whole. Keys that are not on P-384 do not count.
    /// </summary>
    /// <param name="file">The bundle's file.</param>
    /// <param name="keys">The site's keys.</param>
    /// <param name="needed">How many of them must have signed.</param>
    /// <param name="authentic">The bundle.</param>
    /// <param name="malformed">Why it is no bundle; null where it is one.</param>
    /// <param name="whyNot">Why it does not count as signed; null where it does, or where it is no bundle.</param>
    public static bool TryAuthenticate(
        ReadOnlyMemory<byte> file, JsonWebKeySet keys, int needed, [NotNullWhen(true)] out AuthenticBundle? authentic, out ParseFault? malformed, out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentOutOfRangeException.ThrowIfLessThan(needed, 1);
        (authentic, whyNot) = (null, null);
        // The signatures first: what a manifest lists, only the site's keys may make us read.
        if (!CollateralBundle.TryTakeApart(file, out var parts, out malformed) || !IsSigned(parts, keys, needed, out var signers, out whyNot)
            || !CollateralBundle.TryParse(parts, out var bundle, out malformed))
        {
            return false;
        }

        authentic = new AuthenticBundle(bundle, signers);
        return true;
    }

    private static bool IsSigned(BundleParts parts, JsonWebKeySet keys, int needed, out ImmutableArray<string> names, [NotNullWhen(false)] out string? whyNot)
    {
        names = [];
        byte[]? content = null;
        var signers = new Dictionary<Digest, string>();
        foreach (var (keyId, signature) in parts.Signatures)
        {
            if (keys.Find(keyId) is not { Algorithm: SignatureAlgorithm.EcdsaSha384 } key)
            {
                continue;
            }

            content ??= CollateralBundle.SignedContent(parts.Manifest.Span);
            if (!key.Verifies(content, signature))
            {
                whyNot = $"the signature of {keyId} does not verify: the manifest was altered, or the key of that name is another";
                return false;
            }

            // By the key itself: one key under two names counts once.
            signers.TryAdd(key.Info, keyId);
        }

        whyNot = signers.Count >= needed ? null
            : $"{signers.Count} of the given keys signed it, {needed} must have; signatures in it are of {string.Join(", ", parts.Signatures.Select(signature => signature.KeyId))}";
        names = [.. signers.Values.Order(StringComparer.Ordinal)];
        return whyNot is null;
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Checks;
using Assay.Trust;
using Assay.Trust.Jose;

namespace Assay.Reference.Manifest;

/// <summary>
/// Reference values that were signed by a key of a given set, count at a given instant, and are no older than demanded. Only
/// <see cref="TryAuthenticate"/> makes one.
/// </summary>
public sealed class AuthenticReferenceManifest
{
    private AuthenticReferenceManifest(ReferenceManifest manifest, JsonWebKey signer) => (Manifest, Signer) = (manifest, signer);

    /// <summary>What it says.</summary>
    public ReferenceManifest Manifest { get; }

    /// <summary>Whose signature it is.</summary>
    public JsonWebKey Signer { get; }

    /// <summary>Every id, in the order in which the checks run.</summary>
    public static ImmutableArray<string> CheckIds => ReferenceManifestJudge.CheckIds;

    /// <summary>Whether the file is a manifest that one of these keys signed, and counts.</summary>
    /// <param name="file">The file: a compact JWS. An unsigned manifest is refused.</param>
    /// <param name="keys">Those that may sign reference values, from a place that the caller trusts.</param>
    /// <param name="time">The instant of judgement.</param>
    /// <param name="minimumSequence">The lowest sequence that is accepted: that of the latest manifest that was seen; 0 for any.</param>
    /// <param name="authentic">The proof; null when anything did not hold.</param>
    /// <param name="findings">Every check and its answer, in order. None is left out.</param>
    public static bool TryAuthenticate(
        ReadOnlySpan<byte> file, JsonWebKeySet keys, EvaluationTime time, long minimumSequence,
        [NotNullWhen(true)] out AuthenticReferenceManifest? authentic, out ImmutableArray<Finding> findings)
    {
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(time);
        ArgumentOutOfRangeException.ThrowIfNegative(minimumSequence);
        (var manifest, var signer, findings) = ReferenceManifestJudge.Judge(file, keys, time, minimumSequence);
        authentic = manifest is not null && signer is not null ? new AuthenticReferenceManifest(manifest, signer) : null;
        return authentic is not null;
    }

    /// <summary>The signed form of a manifest: a compact JWS of its canonical JSON, with a <c>typ</c> of its own.</summary>
    /// <exception cref="ArgumentException">The manifest breaks a rule of its own format, or the key is an RSA key, which signs only tokens. A mistake of the caller.</exception>
    public static byte[] Write(ReferenceManifest manifest, SigningKey key)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        ArgumentNullException.ThrowIfNull(key);
        if (key.PublicKey.Algorithm is SignatureAlgorithm.RsaPkcs1Sha256)
        {
            throw new ArgumentException("reference values are signed by a P-384 or P-256 key", nameof(key));
        }

        var content = manifest.ToCanonicalJson();
        return ReferenceManifest.TryParse(content, out _, out var fault)
            ? Encoding.ASCII.GetBytes(CompactJws.Write(key, content, ReferenceManifestJudge.JwsType))
            : throw new ArgumentException($"{fault.Field}: {fault.Problem}", nameof(manifest));
    }
}

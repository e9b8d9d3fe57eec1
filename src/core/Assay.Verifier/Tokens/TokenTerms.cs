using System.Security.Cryptography;
using System.Text;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>Fills the destination with numbers that nobody can guess: <c>RandomNumberGenerator.Fill</c>. The verifier draws none itself.</summary>
public delegate void RandomSource(Span<byte> destination);

/// <summary>Which policy decided (S-20).</summary>
/// <param name="Id">Its name, in printable ASCII.</param>
/// <param name="Version">Its version, in printable ASCII.</param>
/// <param name="Digest">SHA-384 of its text.</param>
public sealed record PolicyIdentity(string Id, string Version, Digest Digest)
{
    /// <summary>Where the relying party brings none. It has no text; its digest is over the ids of the checks that it demands, a line each.</summary>
    public static PolicyIdentity Default { get; } =
        new("assay-default", "1", Digest.Sha384(Encoding.ASCII.GetBytes(string.Concat(DevicesAppraisal.CheckIds.Select(id => id + "\n")))));
}

/// <summary>What a token says beside the verdict.</summary>
public sealed record TokenTerms
{
    /// <summary>The longest life of a token.</summary>
    public static TimeSpan LongestLifetime { get; } = TimeSpan.FromHours(24);

    /// <summary>Who writes it.</summary>
    public required TokenIssuer Issuer { get; init; }

    /// <summary>When it is written, by a real clock. The instant of judgement is the verdict's own.</summary>
    public required DateTimeOffset IssuedAt { get; init; }

    /// <summary>Whom it is for; null when anybody may take it.</summary>
    public string? Audience { get; init; }

    /// <summary>From one second to <see cref="LongestLifetime"/>, in whole seconds. NVIDIA's is an hour.</summary>
    public TimeSpan Lifetime { get; init; } = TimeSpan.FromHours(1);

    /// <summary>
    /// Which policy decided. A service names its own, and every form of token then names that one, also where a relying party's policy was
    /// brought. <see cref="PolicyIdentity.Default"/> leaves it to the verdict.
    /// </summary>
    public PolicyIdentity Policy { get; init; } = PolicyIdentity.Default;

    /// <summary>Whom it is about: <c>sub</c>, in printable ASCII. Null: what the form has without one.</summary>
    public string? Subject { get; init; }

    /// <summary>
    /// The nonce was chosen by the caller of a service, who may have recorded the answer earlier: freshness is at most <c>caller</c>, which
    /// readers refuse as if it were not proven, and no key is named (S-20).
    /// </summary>
    public bool IsCallersNonce { get; init; }

    /// <summary>The version of the GPU claims. NVIDIA's own tokens carry 3.0.</summary>
    public ClaimsVersion Claims { get; init; } = ClaimsVersion.V3;

    internal Attribution Attribution => new(Policy, IsCallersNonce);

    internal void ThrowIfUnusable()
    {
        ArgumentNullException.ThrowIfNull(Issuer);
        ArgumentNullException.ThrowIfNull(Policy);
        ThrowIfNoName(Policy.Id, nameof(Policy));
        ThrowIfNoName(Policy.Version, nameof(Policy));
        ArgumentOutOfRangeException.ThrowIfNotEqual(Policy.Digest.Length, SHA384.HashSizeInBytes, nameof(Policy));
        if (Subject is not null)
        {
            ThrowIfNoName(Subject, nameof(Subject));
        }

        ArgumentOutOfRangeException.ThrowIfLessThan(Lifetime, TimeSpan.FromSeconds(1));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Lifetime, LongestLifetime);
        ArgumentOutOfRangeException.ThrowIfEqual(Claims, ClaimsVersion.None);
        ArgumentOutOfRangeException.ThrowIfNotEqual(Lifetime.Ticks % TimeSpan.TicksPerSecond, 0, nameof(Lifetime));
        if (Audience is not null)
        {
            ArgumentOutOfRangeException.ThrowIfZero(Audience.Length, nameof(Audience));
            ArgumentOutOfRangeException.ThrowIfGreaterThan(Audience.Length, Limits.TokenNameCharacters, nameof(Audience));
        }
    }

    // Who compares these as text must see what he compares: letters of other scripts look alike, and controls look like nothing.
    private static void ThrowIfNoName(string name, string parameter)
    {
        ArgumentNullException.ThrowIfNull(name, parameter);
        ArgumentOutOfRangeException.ThrowIfZero(name.Length, parameter);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(name.Length, Limits.TokenNameCharacters, parameter);
        if (name.AsSpan().ContainsAnyExceptInRange(' ', '~'))
        {
            throw new ArgumentException("printable ASCII is expected", parameter);
        }
    }
}

/// <summary>What of the terms stands among the claims about the verdict, in every form of token.</summary>
/// <param name="Policy">Which policy decided, as the writer of the token names it.</param>
/// <param name="IsCallersNonce">Whether the caller of a service chose the nonce.</param>
internal readonly record struct Attribution(PolicyIdentity Policy, bool IsCallersNonce)
{
    /// <summary>That of a verdict for which no service answers.</summary>
    public static Attribution None => new(PolicyIdentity.Default, IsCallersNonce: false);

    /// <summary>A caller's nonce proves at most what the caller may see: evidence that does not even answer it is not called fresh for him.</summary>
    public string Freshness(Verdict verdict) => IsCallersNonce && verdict.IsFresh ? "caller" : verdict.Freshness;

    /// <summary>Whether it is a pass in which nothing was waived, and the caller of a service did not choose what it answers.</summary>
    public bool IsWholePass(Verdict verdict) => verdict.Kind is VerdictKind.Pass && !IsCallersNonce && Weakening.BeyondScope(verdict.Weakened).Length == 0;

    public string PolicyId(Verdict verdict) => IsVerdicts(verdict) ? verdict.Policy.Id : Policy.Id;

    public string PolicyVersion(Verdict verdict) => IsVerdicts(verdict) ? "1" : Policy.Version;

    /// <summary>A policy that the relying party brought is named by its file and the SHA-256 of it, or null where it has none.</summary>
    public string? PolicyDigest(Verdict verdict) =>
        !IsVerdicts(verdict) ? $"sha384:{Policy.Digest}" : verdict.Policy.Digest is { } digest ? $"sha256:{digest}" : null;

    private bool IsVerdicts(Verdict verdict) => verdict.Policy.IsBrought && Policy == PolicyIdentity.Default;
}

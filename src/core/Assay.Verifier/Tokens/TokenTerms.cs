using System.Text;
using Assay.Appraisal.Devices;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>Fills the destination with numbers that nobody can guess: <c>RandomNumberGenerator.Fill</c>. The verifier draws none itself.</summary>
public delegate void RandomSource(Span<byte> destination);

/// <summary>Which policy decided (S-20).</summary>
/// <param name="Id">Its name.</param>
/// <param name="Version">Its version.</param>
/// <param name="Digest">SHA-384 of its text.</param>
internal sealed record PolicyIdentity(string Id, string Version, Digest Digest)
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

    /// <summary>Which policy decided.</summary>
    internal PolicyIdentity Policy { get; init; } = PolicyIdentity.Default;

    /// <summary>The version of the GPU claims. NVIDIA's own tokens carry 3.0.</summary>
    public ClaimsVersion Claims { get; init; } = ClaimsVersion.V3;

    internal void ThrowIfUnusable()
    {
        ArgumentNullException.ThrowIfNull(Issuer);
        ArgumentNullException.ThrowIfNull(Policy);
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
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Endorsements;

/// <summary>
/// How new an item is among those of its key (S-17): first by number where both have one and they differ (crlNumber,
/// tcbEvaluationDataNumber), then by date (thisUpdate, issueDate, the signer's notBefore). Of two of one date a revocation wins.
/// </summary>
/// <param name="Number">Null where the kind has none, or the item does not state it.</param>
/// <param name="Date">Its date.</param>
/// <param name="Revokes">Whether it is an OCSP answer that revokes.</param>
public readonly record struct ItemRank(BigInteger? Number, DateTimeOffset Date, bool Revokes)
{
    /// <summary>Whether this must not replace <paramref name="other"/>.</summary>
    public bool IsOlderThan(ItemRank other) =>
        Number is { } ours && other.Number is { } theirs && ours != theirs ? ours < theirs
        : Date != other.Date ? Date < other.Date
        : !Revokes && other.Revokes;

    /// <summary>Text that <see cref="TryParse"/> reads: number, seconds since 1970, and <c>revoked</c> or nothing.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Number}|{Date.ToUnixTimeSeconds()}|{(Revokes ? "revoked" : "")}");

    /// <summary>Reads <see cref="ToString"/>.</summary>
    public static bool TryParse(string? text, out ItemRank rank, [NotNullWhen(false)] out ParseFault? fault)
    {
        const int mostDigits = 64;
        rank = default;
        var parts = text is { Length: <= mostDigits + 32 } ? text.Split('|') : [];
        BigInteger number = default;
        long seconds = 0;
        var sound = parts.Length == 3
            && (parts[0].Length == 0 || (parts[0].Length <= mostDigits && BigInteger.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out number)))
            && long.TryParse(parts[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out seconds)
            && seconds >= DateTimeOffset.MinValue.ToUnixTimeSeconds() && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            && parts[2] is "" or "revoked";
        fault = sound ? null : new ParseFault("rank", 0, "number|seconds|revoked is expected");
        rank = sound ? new ItemRank(parts![0].Length == 0 ? null : number, DateTimeOffset.FromUnixTimeSeconds(seconds), parts[2] == "revoked") : default;
        return sound;
    }
}

/// <summary>Why an item was refused. The names are permanent: they stand in metrics.</summary>
public enum ItemRefusal
{
    /// <summary>It was not.</summary>
    None,

    /// <summary>The bytes make no sense.</summary>
    Malformed,

    /// <summary>Authentic or not, it is about something else than was asked: another id, CertID, platform, chip.</summary>
    Mismatch,

    /// <summary>A chain does not end at an anchor, or a certificate in it may not do what it does.</summary>
    Chain,

    /// <summary>A signature does not verify.</summary>
    Signature,

    /// <summary>It would be judged by an authority that is not known here.</summary>
    UnknownIssuer,

    /// <summary>It is outside its own times.</summary>
    NotCurrent,

    /// <summary>Older than one that was seen (S-17).</summary>
    Older,

    /// <summary>There is no room to remember that it was seen, so that something older could follow it.</summary>
    NoRoom,
}

/// <summary>Why an item was refused, with the reason in words.</summary>
/// <param name="Refusal">The class of reasons.</param>
/// <param name="Reason">In words.</param>
public sealed record ItemFault(ItemRefusal Refusal, string Reason)
{
    /// <summary>The permanent name of the class.</summary>
    public string Name => Refusal switch
    {
        ItemRefusal.Malformed => "malformed",
        ItemRefusal.Mismatch => "mismatch",
        ItemRefusal.Chain => "chain",
        ItemRefusal.Signature => "signature",
        ItemRefusal.UnknownIssuer => "unknown-issuer",
        ItemRefusal.NotCurrent => "not-current",
        ItemRefusal.Older => "older",
        ItemRefusal.NoRoom => "no-room",
        _ => "none",
    };

    /// <inheritdoc/>
    public override string ToString() => $"{Name}: {Reason}";
}

/// <summary>
/// An item of collateral that is signed, proven to be what its key says, with the exact bytes that were proven. Only
/// <see cref="ItemVerification"/> makes one. It was proven apart from any time: until when it may be used its dates say.
/// </summary>
public sealed class VerifiedItem : KeptItem
{
    internal VerifiedItem()
    {
    }

    /// <summary>The key of its high-water mark: OCSP answers of one certificate share it whatever hash names the certificate.</summary>
    public string MarkId { get; init; } = "";

    /// <summary>How new it is.</summary>
    public required ItemRank Rank { get; init; }

    /// <summary>No honest clock is earlier than this (S-13): producedAt, thisUpdate, issueDate.</summary>
    public DateTimeOffset Stated { get; init; } = DateTimeOffset.MinValue;

    /// <summary>What an OCSP answer says; None for other kinds.</summary>
    public CertificateStatus Status { get; init; }

    /// <summary>The authorities that it proves, for judging answers and lists of theirs.</summary>
    public ImmutableArray<CertifiedAuthority> Authorities { get; init; } = [];

    /// <summary>Facts that services state in headers, from the verified content: <c>fmspc</c>, <c>tcbm</c>, <c>ca</c> of a PCK certificate.</summary>
    public ImmutableDictionary<string, string> Facts { get; init; } = ImmutableDictionary<string, string>.Empty;
}

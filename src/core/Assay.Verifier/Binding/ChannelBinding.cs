using System.Buffers.Text;
using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Binding;

/// <summary>How closely evidence is bound to a TLS connection (S-23): each level stops what the ones before it stop, and more.</summary>
public enum ChannelLevel
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>To the key of the certificate and its validity: fresh when the certificate was made, at most an hour ago.</summary>
    Certificate,

    /// <summary>To the relying party's challenge and the certificates of this connection.</summary>
    Challenge,

    /// <summary>To the keys of this very connection too: a thief of the TLS key gets no evidence for a connection of his own.</summary>
    Exporter,
}

/// <summary>Which end of the connection a statement is about.</summary>
public enum ChannelRole
{
    /// <summary>The end that accepted the connection.</summary>
    Server,

    /// <summary>The end that opened it.</summary>
    Client,
}

/// <summary>
/// What the nonce of a channel's evidence commits to (S-23; docs/reference/channels.md). Both ends compute it from what they see themselves; the evidence then covers it
/// by <see cref="KeyBinding"/>, with the key of the leaf as <c>tee-pubkey</c>.
/// <code>
/// base64url(SHA-256(JCS{"challenge","epoch","exporter","leaf","level","not-after","not-before","peer-leaf","purpose","role","v":1}))
/// </code>
/// Bytes are base64url without padding, times RFC 3339 in UTC to the second; what a level does not have is the empty string.
/// </summary>
public sealed record ChannelBinding
{
    /// <summary>Bytes of a challenge.</summary>
    public const int ChallengeSize = 32;

    /// <summary>Bytes of an epoch.</summary>
    public const int EpochSize = 16;

    /// <summary>Bytes of a leaf's digest: SHA-384 of the certificate's DER.</summary>
    public const int LeafSize = 48;

    /// <summary>Bytes taken from the TLS exporter.</summary>
    public const int ExporterSize = 48;

    private const int LongestPurpose = 64;

    /// <summary>How closely.</summary>
    public required ChannelLevel Level { get; init; }

    /// <summary>Whose evidence it is.</summary>
    public required ChannelRole Role { get; init; }

    /// <summary>What the channel is for: both ends are told the same.</summary>
    public required string Purpose { get; init; }

    /// <summary>16 bytes, random for each boot of the VM.</summary>
    public required ReadOnlyMemory<byte> Epoch { get; init; }

    /// <summary>From when the leaf is valid.</summary>
    public required DateTimeOffset NotBefore { get; init; }

    /// <summary>Until when the leaf is valid.</summary>
    public required DateTimeOffset NotAfter { get; init; }

    /// <summary>32 bytes of the end that asks; empty at the level of the certificate.</summary>
    public ReadOnlyMemory<byte> Challenge { get; init; }

    /// <summary>SHA-384 of the leaf of the end that answers; empty at the level of the certificate, which would contain its own digest.</summary>
    public ReadOnlyMemory<byte> Leaf { get; init; }

    /// <summary>SHA-384 of the leaf of the other end; empty where that end shows none, and at the level of the certificate.</summary>
    public ReadOnlyMemory<byte> PeerLeaf { get; init; }

    /// <summary>48 bytes from the TLS exporter, with <see cref="ExporterLabel"/> and the challenge as context; empty below the level of the exporter.</summary>
    public ReadOnlyMemory<byte> Exporter { get; init; }

    /// <summary>The label of the TLS exporter (RFC 8446 §7.5), another one for each role: an answer cannot be reflected.</summary>
    public static string ExporterLabel(ChannelRole role) => $"EXPORTER-assay-channel-v1-{WordOf(role)}";

    /// <summary>The level's word in the format, as of policies and answers.</summary>
    public static string WordOf(ChannelLevel level) => level switch
    {
        ChannelLevel.Certificate => "certificate",
        ChannelLevel.Challenge => "challenge",
        ChannelLevel.Exporter => "exporter",
        _ => "none",
    };

    /// <summary>The role's word.</summary>
    public static string WordOf(ChannelRole role) => role is ChannelRole.Server ? "server" : "client";

    /// <summary>The level that a word names; <see cref="ChannelLevel.None"/> for every other word.</summary>
    public static ChannelLevel LevelOf(string? word) => word switch
    {
        "certificate" => ChannelLevel.Certificate,
        "challenge" => ChannelLevel.Challenge,
        "exporter" => ChannelLevel.Exporter,
        _ => ChannelLevel.None,
    };

    /// <summary>Whether a text is a purpose: 1 to 64 small letters, digits, dots and hyphens.</summary>
    public static bool IsPurpose(string? text) =>
        text is { Length: > 0 and <= LongestPurpose } && text.All(letter => letter is (>= 'a' and <= 'z') or (>= '0' and <= '9') or '.' or '-');

    /// <summary>The nonce, for <see cref="KeyBinding"/>.</summary>
    /// <exception cref="InvalidOperationException">A member has a size that its level does not have, or consists of zeros: nothing is bound to a value that was never set.</exception>
    public string Nonce()
    {
        var perConnection = Level is ChannelLevel.Challenge or ChannelLevel.Exporter;
        Require(Level is not ChannelLevel.None && IsPurpose(Purpose), "level and purpose");
        Require(IsWhole(Epoch, EpochSize), "epoch");
        Require(perConnection ? IsWhole(Challenge, ChallengeSize) : Challenge.IsEmpty, "challenge");
        Require(perConnection ? IsWhole(Leaf, LeafSize) : Leaf.IsEmpty, "leaf");
        Require(PeerLeaf.IsEmpty || (perConnection && IsWhole(PeerLeaf, LeafSize)), "peer-leaf");
        Require(Level is ChannelLevel.Exporter ? IsWhole(Exporter, ExporterSize) : Exporter.IsEmpty, "exporter");
        var statement = new CanonicalObject()
            .Text("challenge", Base64Url.EncodeToString(Challenge.Span))
            .Text("epoch", Base64Url.EncodeToString(Epoch.Span))
            .Text("exporter", Base64Url.EncodeToString(Exporter.Span))
            .Text("leaf", Base64Url.EncodeToString(Leaf.Span))
            .Text("level", WordOf(Level))
            .Text("not-after", Utc.Text(NotAfter))
            .Text("not-before", Utc.Text(NotBefore))
            .Text("peer-leaf", Base64Url.EncodeToString(PeerLeaf.Span))
            .Text("purpose", Purpose)
            .Text("role", WordOf(Role))
            .Number("v", 1);
        return Base64Url.EncodeToString(SHA256.HashData(statement.ToBytes()));
    }

    private static bool IsWhole(ReadOnlyMemory<byte> bytes, int size) => bytes.Length == size && bytes.Span.ContainsAnyExcept((byte)0);

    private static void Require(bool holds, string member)
    {
        if (!holds)
        {
            throw new InvalidOperationException($"{member}: not what this level binds");
        }
    }
}

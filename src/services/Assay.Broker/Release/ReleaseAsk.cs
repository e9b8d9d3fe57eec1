using System.Security.Cryptography;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Broker.Release;

/// <summary>One attempt to get a key, whatever protocol it came by.</summary>
internal sealed record ReleaseAsk
{
    /// <summary>Which key.</summary>
    public required string Key { get; init; }

    /// <summary>What the machine shows; null: <see cref="Nras"/> or <see cref="Token"/>.</summary>
    public MachineEvidence? Evidence { get; init; }

    /// <summary>What NVIDIA's service said of it, in place of evidence.</summary>
    public NrasAnswer? Nras { get; init; }

    /// <summary>What an attestation service of ours said of it, in place of evidence.</summary>
    public TokenAnswer? Token { get; init; }

    /// <summary>SHA-384 of the evidence as it was received, for the log.</summary>
    public required Digest EvidenceDigest { get; init; }

    /// <summary>The broker's own challenge, in the characters in which it was given out.</summary>
    public required string Challenge { get; init; }

    /// <summary>How the key is handed over.</summary>
    public required ReleaseForm Form { get; init; }

    /// <summary>What is made of the key's secret and handed over; null: the secret itself.</summary>
    public ReleaseContent? Content { get; init; }

    /// <summary>The protocol, for the log; null: ours.</summary>
    public string? Protocol { get; init; }

    /// <summary>What was asked for by another name than the key's, for the log.</summary>
    public string? Resource { get; init; }

    /// <summary>Who asks, where it is no login: denials of one asker for one reason are one entry each minute. Null: each denial is an entry.</summary>
    public string? Address { get; init; }

    /// <summary>What the log names evidence by.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> evidence) => new(SHA384.HashData(evidence));
}

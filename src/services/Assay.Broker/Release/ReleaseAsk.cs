using System.Security.Cryptography;
using Assay.Evidence.Files;
using Assay.Wire;

namespace Assay.Broker.Release;

/// <summary>One attempt to get a key, whatever protocol it came by.</summary>
internal sealed record ReleaseAsk
{
    /// <summary>Which key.</summary>
    public required string Key { get; init; }

    /// <summary>What the machine shows.</summary>
    public required MachineEvidence Evidence { get; init; }

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

    /// <summary>What the log names evidence by.</summary>
    public static Digest DigestOf(ReadOnlySpan<byte> evidence) => new(SHA384.HashData(evidence));
}

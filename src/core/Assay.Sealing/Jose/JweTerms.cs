namespace Assay.Sealing.Jose;

/// <summary>What a JWE says of itself beside algorithms and the ephemeral key.</summary>
public sealed record JweTerms
{
    /// <summary>By the key, if it is not said.</summary>
    public JweAlgorithm Algorithm { get; init; }

    /// <summary><c>kid</c>: the recipient's thumbprint, if it is not said.</summary>
    public string? KeyId { get; init; }

    /// <summary>Leaves <c>kid</c> out: guests of Confidential Containers authenticate the header after they wrote it again, from the members that they know.</summary>
    public bool WithoutKeyId { get; init; }

    /// <summary><c>typ</c>; left out if null.</summary>
    public string? Type { get; init; }

    /// <summary><c>apu</c>, decoded: who sends. Part of the derivation on curves. Left out if empty.</summary>
    public ReadOnlyMemory<byte> PartyU { get; init; }

    /// <summary><c>apv</c>, decoded: for whom and for which exchange. Part of the derivation on curves. Left out if empty.</summary>
    public ReadOnlyMemory<byte> PartyV { get; init; }
}

using Assay.Wire;

namespace Assay.Evidence.Files;

/// <summary>One device's evidence as bytes, out of whatever it came in. Nothing of it is believed.</summary>
public sealed record DeviceEvidence
{
    /// <summary>Where it came from, for messages: a file name and the place in it.</summary>
    public required string Source { get; init; }

    /// <summary>The report, binary.</summary>
    public required ReadOnlyMemory<byte> Report { get; init; }

    /// <summary>The PEM certificates, leaf first.</summary>
    public required ReadOnlyMemory<byte> Chain { get; init; }

    /// <summary>The architecture that the container states; null when it states none.</summary>
    public string? DeclaredArchitecture { get; init; }

    /// <summary>The nonce that the container states; null when it states none.</summary>
    public Nonce? DeclaredNonce { get; init; }

    /// <summary>Whether the container lists it as a GPU or as a switch; None when it does not say.</summary>
    public DeviceKind DeclaredKind { get; init; }
}

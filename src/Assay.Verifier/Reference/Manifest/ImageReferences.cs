using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>Known-good values of one TD image. A null register is not compared; MRTD always is.</summary>
public sealed record TdxReference
{
    /// <summary>Its name and version, for people.</summary>
    public required string Name { get; init; }

    /// <summary>MRTD.</summary>
    public required Digest MrTd { get; init; }

    /// <summary>RTMR0 to RTMR3; null where it is not compared.</summary>
    public required ImmutableArray<Digest?> Rtmr { get; init; }

    /// <summary>MRCONFIGID; null where it is not compared.</summary>
    public Digest? MrConfigId { get; init; }
}

/// <summary>Known-good values of one guest image. What is null is not compared; the measurement always is.</summary>
public sealed record SnpReference
{
    /// <summary>Its name and version, for people.</summary>
    public required string Name { get; init; }

    /// <summary>MEASUREMENT.</summary>
    public required Digest Measurement { get; init; }

    /// <summary>HOST_DATA, 32 bytes; null where it is not compared.</summary>
    public Digest? HostData { get; init; }

    /// <summary>ID_KEY_DIGEST; null where it is not compared.</summary>
    public Digest? IdKeyDigest { get; init; }
}

/// <summary>Known-good PCR values of one boot. Registers that it does not list are not compared.</summary>
public sealed record TpmReference
{
    /// <summary>Its name and version, for people.</summary>
    public required string Name { get; init; }

    /// <summary>SHA-256 or SHA-384.</summary>
    public required TcgHash Bank { get; init; }

    /// <summary>By register; at least one. 16 and 23, which software resets, are never among them.</summary>
    public required ImmutableSortedDictionary<int, Digest> Values { get; init; }
}

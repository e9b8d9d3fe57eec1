using System.Collections.Immutable;
using Assay.Evidence.Snp;
using Assay.Wire;

namespace Assay.Reference.Manifest;

/// <summary>One TDX platform, as its PCK certificate names it.</summary>
/// <param name="Ppid">PPID, 16 bytes, never zero.</param>
/// <param name="InstanceId">Platform Instance ID, 16 bytes, never zero; null where it is not compared. An update of the platform's firmware can change it.</param>
public sealed record TdxPlatform(Digest Ppid, Digest? InstanceId);

/// <summary>
/// The machines that a relying party knows. A genuine key is no longer a known machine's: keys were read out of genuine processors on the
/// memory bus. What is listed matches nothing but its own kind, and a kind without a list has no known machine.
/// </summary>
public sealed record KnownPlatforms
{
    /// <summary>TDX platforms. Empty: none is known.</summary>
    public ImmutableArray<TdxPlatform> Tdx { get; init; } = [];

    /// <summary>CHIP_ID of SNP platforms, never masked. Empty: none is known.</summary>
    public ImmutableArray<ChipId> Snp { get; init; } = [];

    /// <summary>GPUs and switches: SHA-384 of the public key of their device certificate (<c>x-assay-device-id</c>). Empty: none is known.</summary>
    public ImmutableArray<Digest> Devices { get; init; } = [];
}

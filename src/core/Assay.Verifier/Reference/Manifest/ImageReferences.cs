using System.Collections.Immutable;
using Assay.Trust.Tpm;
using Assay.Wire;

namespace Assay.Reference.Manifest;

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

    /// <summary>MROWNER; null where it is not compared.</summary>
    public Digest? MrOwner { get; init; }

    /// <summary>MROWNERCONFIG; null where it is not compared.</summary>
    public Digest? MrOwnerConfig { get; init; }

    /// <summary>MRSEAM: the TDX modules of which one must be loaded. Empty: any that Intel signed.</summary>
    public ImmutableArray<Digest> MrSeam { get; init; } = [];

    /// <summary>MRSIGNERSEAM; null where it is not compared.</summary>
    public Digest? MrSignerSeam { get; init; }

    /// <summary>SEAMATTRIBUTES; null where they are not compared.</summary>
    public ulong? SeamAttributes { get; init; }

    /// <summary>TDATTRIBUTES, every bit; null where they are not compared.</summary>
    public ulong? TdAttributes { get; init; }

    /// <summary>XFAM, every bit; null where it is not compared.</summary>
    public ulong? Xfam { get; init; }

    /// <summary>The least TEE_TCB_SVN, 16 components, each of which must be reached; empty where it is not compared.</summary>
    public ImmutableArray<byte> MinimumTeeTcbSvn { get; init; } = [];

    /// <summary>Whether it states something that manifests have from version 3 on.</summary>
    internal bool HasPins => MrOwner is not null || MrOwnerConfig is not null || !MrSeam.IsEmpty || MrSignerSeam is not null || SeamAttributes is not null
        || TdAttributes is not null || Xfam is not null || !MinimumTeeTcbSvn.IsEmpty;

    /// <summary>Whether it is a paravisor, which keeps a vTPM for its guest: then evidence with such a vTPM matches it, and no other (S-9a).</summary>
    public bool IsParavisor { get; init; }
}

/// <summary>
/// Known-good values of one guest image. What is null is not compared. A measurement is there always, but for a paravisor: one may be known
/// by the keys that signed its ID block and the least GUEST_SVN instead.
/// </summary>
public sealed record SnpReference
{
    /// <summary>Its name and version, for people.</summary>
    public required string Name { get; init; }

    /// <summary>MEASUREMENT; null only for a paravisor that is known by the keys of its ID block.</summary>
    public required Digest? Measurement { get; init; }

    /// <summary>HOST_DATA, 32 bytes; null where it is not compared.</summary>
    public Digest? HostData { get; init; }

    /// <summary>ID_KEY_DIGEST; null where it is not compared.</summary>
    public Digest? IdKeyDigest { get; init; }

    /// <summary>AUTHOR_KEY_DIGEST; null where it is not compared.</summary>
    public Digest? AuthorKeyDigest { get; init; }

    /// <summary>FAMILY_ID, 16 bytes; null where it is not compared.</summary>
    public Digest? FamilyId { get; init; }

    /// <summary>IMAGE_ID, 16 bytes; null where it is not compared.</summary>
    public Digest? ImageId { get; init; }

    /// <summary>Whether the firmware must have checked the memory modules for aliased addresses (ALIAS_CHECK_COMPLETE; AMD-SB-3015, "BadRAM").</summary>
    public bool RequireAliasCheck { get; init; }

    /// <summary>The least GUEST_SVN; null where it is not compared.</summary>
    public uint? MinimumGuestSvn { get; init; }

    /// <summary>Whether it is a paravisor, which keeps a vTPM for its guest: then evidence with such a vTPM matches it, and no other (S-9a).</summary>
    public bool IsParavisor { get; init; }

    /// <summary>Whether it states something that manifests have from version 3 on.</summary>
    internal bool HasPins => FamilyId is not null || ImageId is not null || RequireAliasCheck;
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

    /// <summary>The name of the paravisor whose vTPM measured them; null for a TPM of another kind.</summary>
    public string? Paravisor { get; init; }

    /// <summary>Why a plain TPM's key must be believed; None in a manifest of version 1, which does not say.</summary>
    public TpmRoot Root { get; init; }
}

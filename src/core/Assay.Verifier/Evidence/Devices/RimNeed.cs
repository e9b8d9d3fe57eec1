using System.Collections.Immutable;

namespace Assay.Evidence.Devices;

/// <summary>What a RIM describes.</summary>
internal enum RimRole
{
    /// <summary>Not told.</summary>
    None,

    /// <summary>A GPU's driver.</summary>
    Driver,

    /// <summary>A GPU's VBIOS.</summary>
    Vbios,

    /// <summary>A switch's BIOS.</summary>
    SwitchBios,
}

/// <summary>A reference manifest that a model is compared with: it has an id, or a reason why no manifest of a readable form exists.</summary>
/// <param name="Role">What it describes.</param>
/// <param name="Id">How its id is made; null when the reference values are published as CoRIM only.</param>
/// <param name="WhyCorimOnly">Why there is no id; <c>{version}</c> is replaced by the version that the report names.</param>
internal sealed record RimNeed(RimRole Role, RimIdPattern? Id, string? WhyCorimOnly)
{
    /// <summary>A manifest in the form that is read.</summary>
    internal static RimNeed Of(RimIdPattern id) => new(id.Role, id, null);

    /// <summary>Reference values that no manifest in the form that is read has.</summary>
    internal static RimNeed CorimOnly(RimRole role, string why) => new(role, null, why);
}

/// <summary>The parts of a RIM's id that come from a report.</summary>
internal enum RimIdField
{
    /// <summary>None: a word that is the same for each report.</summary>
    None,

    /// <summary>DRIVER_VERSION with its dots.</summary>
    DriverVersion,

    /// <summary>VBIOS_VERSION without its dots, in upper case.</summary>
    FirmwareVersion,

    /// <summary>CHIP_INFO.</summary>
    ChipInfo,

    /// <summary>PROJECT.</summary>
    Project,

    /// <summary>PROJECT_SKU.</summary>
    ProjectSku,

    /// <summary>CHIP_SKU.</summary>
    ChipSku,
}

/// <summary>One part of a RIM's id, between underscores.</summary>
/// <param name="Field">Where it comes from.</param>
/// <param name="Word">Without a field, the word itself; with one, the word to use when the report lacks it; null when the report must have it.</param>
internal sealed record RimIdPart(RimIdField Field, string? Word);

/// <summary>
/// The form of a RIM's id, as NVIDIA's attestation SDK makes it: parts between underscores, the last of which is the version. Written here
/// once; ids are made and read by it.
/// </summary>
internal sealed record RimIdPattern
{
    private RimIdPattern(RimRole role, string? product, ImmutableArray<RimIdPart> parts)
    {
        Role = role;
        Product = product;
        Parts = parts;
    }

    /// <summary>What the manifest describes.</summary>
    internal RimRole Role { get; }

    /// <summary>The product that a manifest of such an id must name; null where the id does not tell.</summary>
    public string? Product { get; }

    /// <summary>The parts, the version last.</summary>
    internal ImmutableArray<RimIdPart> Parts { get; }

    /// <summary>A pattern of words before <paramref name="fields"/>; a field may carry the word to use when the report lacks it.</summary>
    internal static RimIdPattern Make(RimRole role, string? product, string words, params ReadOnlySpan<RimIdPart> fields) =>
        new(role, product, [.. words.Split('_').Select(word => new RimIdPart(RimIdField.None, word)), .. fields]);

    /// <inheritdoc/>
    public override string ToString() =>
        string.Join('_', Parts.Select(part => part.Field is RimIdField.None ? part.Word : part.Word is null ? $"{{{part.Field}}}" : $"{{{part.Field}, else {part.Word}}}"));
}

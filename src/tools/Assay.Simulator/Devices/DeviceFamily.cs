namespace Assay.Simulator;

/// <summary>What a device pretends to be.</summary>
public enum DeviceFamily
{
    /// <summary>No device: a family has to be chosen.</summary>
    Unspecified,

    /// <summary>GH100.</summary>
    Hopper,

    /// <summary>GB100.</summary>
    Blackwell,

    /// <summary>The LS10 NVSwitch.</summary>
    Ls10,
}

/// <summary>The names under which each family appears in certificates, RIMs and evidence files.</summary>
internal sealed record FamilyNames(string Arch, string Chip, string Device, string Processor, byte SerialPrefix)
{
    private static readonly FamilyNames s_hopper = new("HOPPER", "GH100", "GH100 A01 GSP", "GSP", 0x41);
    private static readonly FamilyNames s_blackwell = new("BLACKWELL", "GB100", "GB100 A01 GSP", "GSP", 0x41);
    private static readonly FamilyNames s_ls10 = new("LS10", "LS_10", "LS_10 A01 FSP", "FSP", 0x50);

    /// <summary>The product name of RIMs, where the switch is written without its underscore.</summary>
    public string Product => Chip.Replace("_", string.Empty, StringComparison.Ordinal);

    public static FamilyNames Of(DeviceFamily family) => family switch
    {
        DeviceFamily.Hopper => s_hopper,
        DeviceFamily.Blackwell => s_blackwell,
        DeviceFamily.Ls10 => s_ls10,
        _ => throw new ArgumentOutOfRangeException(nameof(family), family, "Choose a device family."),
    };
}

namespace Assay.Simulator;

/// <summary>The ids under which RIMs are asked for.</summary>
internal static class RimIds
{
    public static string Driver(DeviceProfile profile) => profile.Family is DeviceFamily.Blackwell
        ? $"NV_GPU_CC_DRIVER_{profile.ChipInfo ?? "GB100"}_{profile.DriverVersion}"
        : $"NV_GPU_DRIVER_{FamilyNames.Of(profile.Family).Chip}_{profile.DriverVersion}";

    public static string Vbios(DeviceProfile profile) =>
        $"NV_GPU_VBIOS_{profile.Project}_{profile.ProjectSku}_{profile.ChipSku}_{WithoutDots(profile.VbiosVersion)}";

    /// <summary>NVIDIA's verifiers write the board numbers of the one LS10 board into the id.</summary>
    public static string SwitchBios(DeviceProfile profile) => $"NV_SWITCH_BIOS_5612_0002_890_{WithoutDots(profile.VbiosVersion)}";

    private static string WithoutDots(string version) => version.Replace(".", string.Empty, StringComparison.Ordinal).ToUpperInvariant();
}

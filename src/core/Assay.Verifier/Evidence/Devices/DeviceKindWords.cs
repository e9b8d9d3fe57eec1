using Assay.Evidence.Files;

namespace Assay.Evidence.Devices;

/// <summary>How each kind of device is called in claims, manifests and texts.</summary>
/// <param name="Name">In texts, one: <c>GPU</c>.</param>
/// <param name="Plural">In texts, several: <c>GPUs</c>.</param>
/// <param name="ClaimType">In <c>x-nvidia-device-type</c>.</param>
/// <param name="Submodule">In the names of submodules of an overall claim set, before the number; also the edition that RIMs name.</param>
public sealed record DeviceKindWords(string Name, string Plural, string ClaimType, string Submodule)
{
    private static readonly DeviceKindWords s_gpu = new("GPU", "GPUs", "gpu", "GPU");
    private static readonly DeviceKindWords s_switch = new("NVSwitch", "switches", "nvswitch", "SWITCH");

    /// <summary>The edition that RIMs for this kind name.</summary>
    public string RimEdition => Submodule;

    /// <summary>The words of a kind. One that is not known has none: it is not called a GPU.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such kind: a mistake of the caller, for only known devices are authentic.</exception>
    public static DeviceKindWords Of(DeviceKind kind) => kind switch
    {
        DeviceKind.Gpu => s_gpu,
        DeviceKind.Switch => s_switch,
        _ => throw Unknown(kind),
    };

    /// <summary>Chooses by kind what is made for each.</summary>
    /// <exception cref="ArgumentOutOfRangeException">No such kind.</exception>
    internal static T Choose<T>(DeviceKind kind, T gpu, T nvSwitch) => kind switch
    {
        DeviceKind.Gpu => gpu,
        DeviceKind.Switch => nvSwitch,
        _ => throw Unknown(kind),
    };

    internal static ArgumentOutOfRangeException Unknown(DeviceKind kind) =>
        new(nameof(kind), kind, $"this kind of device is not supported; {DeviceModels.Recipe} says how one is added");
}

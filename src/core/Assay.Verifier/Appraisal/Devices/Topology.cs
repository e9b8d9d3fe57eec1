using System.Collections.Immutable;
using Assay.Authentication;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Evidence.Spdm;

namespace Assay.Appraisal.Devices;

/// <summary>
/// Whether GPUs and switches given together are one machine: each side's reports name the other side's devices by PDI, and the
/// certificates say who the attested ones are (S-11, binding 5). Asked when both kinds are given; needs authentic evidence and no RIM.
/// NVIDIA's own check compares reports with reports alone, and one switch report repeated four times passes it.
/// </summary>
internal static class Topology
{
    private const int Shown = 8;

    /// <summary>Every switch that a GPU's links lead to is attested, and every attested switch is led to by every GPU.</summary>
    public static Outcome GpusNameTheSwitches(ImmutableArray<DeviceResult> devices) =>
        WhyNotAsked(devices) ?? Compare(
            devices, DeviceKind.Gpu, DeviceKind.Switch, "switches",
            // An all-zero entry is a disabled link (NVIDIA's topology check drops it too).
            device => [.. device.Fields.SwitchPdis.Where(pdi => pdi.Value != 0)]);

    /// <summary>Every GPU that a switch names is attested, and every attested GPU is named by every switch.</summary>
    public static Outcome SwitchesNameTheGpus(ImmutableArray<DeviceResult> devices) =>
        WhyNotAsked(devices) ?? Compare(
            devices, DeviceKind.Switch, DeviceKind.Gpu, "GPUs",
            device => [.. device.Fields.GpuPdis.Where(pdi => pdi.Value != 0)]);

    private static Outcome? WhyNotAsked(ImmutableArray<DeviceResult> devices) =>
        !devices.Any(device => device.Kind is DeviceKind.Gpu) || !devices.Any(device => device.Kind is DeviceKind.Switch)
            ? Outcome.NotApplicable("GPUs and switches are not given together")
            : devices.Any(device => device.Device is null)
                ? Outcome.Stopped("not every device is authentic")
                : null;

    private static Outcome Compare(
        ImmutableArray<DeviceResult> devices, DeviceKind namingKind, DeviceKind namedKind, string word, Func<AuthenticDevice, ImmutableHashSet<Pdi>> named)
    {
        var attested = devices.Where(device => device.Kind == namedKind).Select(device => device.Device!.Identity.Pdi).ToArray();
        if (attested.Any(pdi => pdi is null))
        {
            return Outcome.Failed($"the certificate of one of the {word} carries no PDI, so the device cannot be identified");
        }

        var expected = attested.Select(pdi => pdi!.Value).ToImmutableHashSet();
        foreach (var device in devices.Where(device => device.Kind == namingKind))
        {
            var found = named(device.Device!);
            var whyNot = WhyNotEqual(found, expected, word);
            if (whyNot is not null)
            {
                return Outcome.Failed($"device {device.Index} ({device.Device!.Identity.Pdi}): {whyNot}", Text(found), Text(expected));
            }
        }

        return Outcome.Held($"{expected.Count} {word}");
    }

    private static string? WhyNotEqual(ImmutableHashSet<Pdi> found, ImmutableHashSet<Pdi> attested, string word) =>
        found.IsEmpty ? $"it names no {word}"
        : found.Except(attested) is { IsEmpty: false } unattested ? $"it names {word} that gave no evidence: {Text(unattested)}"
        : attested.Except(found) is { IsEmpty: false } foreign ? $"it does not name {Text(foreign)}, which {(foreign.Count == 1 ? "is" : "are")} of another machine"
        : null;

    private static string Text(IEnumerable<Pdi> pdis) => string.Join(" ", pdis.Select(pdi => pdi.ToString()).Order(StringComparer.Ordinal).Take(Shown));
}

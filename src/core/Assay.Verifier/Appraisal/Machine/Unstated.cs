using Assay.Checks;

namespace Assay.Appraisal.Machine;

/// <summary>
/// What a secret needs (docs/security/threat-model.md) and the relying party did not state: it is in the weakenings of every verdict, whatever was
/// shown, so that leaving evidence out never makes them fewer (S-10a).
/// </summary>
internal static class Unstated
{
    /// <summary>Of a verdict about a machine.</summary>
    public static IEnumerable<string> Names(Statements stated, bool statesProcessor, MachineDemands expected, GpuBinding binding, bool hasDevices)
    {
        // Where no device belongs to the machine, its image is all that there is to boot.
        var isWithoutDevices = expected.StatesNoDevice && !hasDevices;
        (string Name, bool Applies)[] names =
        [
            (Weakening.BootNotExpected.Name, !stated.HasFlag(Statements.Boot) && !isWithoutDevices),
            (Weakening.DevicesNotExpected.Name, expected.Gpus is null),
            (binding is GpuBinding.EvidenceHash ? Weakening.GpuBindingEvidenceHash.Name : Weakening.GpuBindingNone.Name, binding is not GpuBinding.BootEvent && !isWithoutDevices),
            (Weakening.ProcessorNotExpected.Name, !statesProcessor),
        ];
        return names.Where(item => item.Applies).Select(item => item.Name);
    }
}

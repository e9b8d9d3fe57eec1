using Assay.Evidence.Files;
using Assay.Policy;

namespace Assay.Cli.Verify;

/// <summary>What a verdict is about, in a line: "8 GPUs and 4 switches · bound to this TDX VM by boot event".</summary>
internal static class Headline
{
    public static string Of(Verdict verdict)
    {
        var devices = Devices(verdict);
        var machine = verdict.Machine?.Parts.Cpu is { } cpu ? Vm(cpu.Tee?.Word) : null;
        var parts = new List<string>();
        if (devices is not null)
        {
            parts.Add(devices);
        }

        // Only a pass says how devices are bound: elsewhere it is one of the questions that are open.
        if (devices is not null && verdict.Kind is VerdictKind.Pass)
        {
            parts.Add(verdict.Binding switch
            {
                "boot-event" => $"bound to this {machine} by boot event",
                "evidence-hash" => $"bound to this {machine} by evidence hash",
                _ => machine is null ? "bound to no confidential VM" : $"not bound to this {machine}",
            });
        }
        else if (machine is not null)
        {
            parts.Add(devices is null ? $"this {machine}" : $"with this {machine}");
        }

        return string.Join(" · ", parts);
    }

    private static string Vm(string? tee) => tee switch { "tdx" => "TDX VM", "snp" => "SEV-SNP VM", _ => "VM" };

    private static string? Devices(Verdict verdict)
    {
        string[] kinds =
        [
            .. verdict.Appraisal.Devices.GroupBy(device => device.Kind)
                .OrderBy(group => group.Key is DeviceKind.Gpu ? 0 : group.Key is DeviceKind.Switch ? 1 : 2)
                .Select(group => Counted(group.Count(), group.Key switch { DeviceKind.Gpu => "GPU", DeviceKind.Switch => "switch", _ => "device" })),
        ];
        return kinds.Length == 0 ? null : string.Join(" and ", kinds);
    }

    private static string Counted(int count, string what) => count == 1 ? $"1 {what}" : $"{count} {what}{(what.EndsWith('h') ? "es" : "s")}";
}

using System.Buffers;
using System.Text.Json;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Processors;
using Assay.Evidence.EventLogs;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Tokens;

/// <summary>What tokens say about a processor and its boot, as members of their own beside the devices.</summary>
internal static class MachineClaims
{
    /// <summary>The parts that are authentic, by the names that they have in a bundle.</summary>
    public static (string Name, ClaimSet Claims)[] Submodules(Verdict verdict)
    {
        if (verdict.Machine?.Parts.Cpu is not { } cpu || ReportData(cpu) is null)
        {
            return [];
        }

        var processor = ("CPU-0", OfProcessor(cpu));
        return verdict.Machine.Parts.Boot is { Log: not null } boot ? [processor, ("BOOT-0", OfBoot(boot))] : [processor];
    }

    /// <summary>What the processor signed; null where its evidence is not authentic.</summary>
    public static ReportData? ReportData(ProcessorResult cpu) => cpu.Tee is { Claims: not null } tee ? tee.ReportData : null;

    public static ClaimSet OfProcessor(ProcessorResult cpu)
    {
        using var document = JsonDocument.Parse(Written(writer => VerdictJson.WriteCpuClaims(writer, cpu)));
        var claims = new ClaimSet().AddMembers(document.RootElement.Clone()).AddFindings([.. cpu.Findings]);
        return cpu.Tpm is { } tpm ? claims.Add("x-assay-tpm-root", tpm.Quote?.Key.RootWord ?? "none") : claims;
    }

    public static ClaimSet OfBoot(BootResult boot)
    {
        var claims = new ClaimSet().AddFindings(boot.Findings)
            .Add("x-assay-boot-event", boot.CarriesBootEvent)
            .Add("x-assay-secure-boot", boot.Facts?.SecureBoot switch { SecureBootState.On => "on", SecureBootState.Off => "off", _ => "not-told" });
        if (boot.Log is { } log)
        {
            var prefix = log.Quoted.Kind is RegisterKind.Rtmr ? "rtmr" : "pcr";
            claims.Add("x-assay-registers-replayed", log.Replayed.Select(register => $"{prefix}{register}"));
        }

        if (boot is { CarriesBootEvent: true, Record: { } record })
        {
            claims.Add("x-assay-gpu-policy", record.Policy!.Expectation.ToString()).Add("x-assay-gpu-cc", record.Attestation!.Cc.ToString().ToLowerInvariant());
            Named(claims, "x-assay-model", record.Model?.Digest);
            Named(claims, "x-assay-workload", record.Workload?.Digest);
        }

        return claims;
    }

    private static void Named(ClaimSet claims, string name, Digest? digest)
    {
        if (digest is { } value)
        {
            claims.Add(name, value.ToString());
        }
    }

    private static ReadOnlyMemory<byte> Written(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        using (var writer = new Utf8JsonWriter(buffer))
        {
            write(writer);
        }

        return buffer.WrittenMemory;
    }
}

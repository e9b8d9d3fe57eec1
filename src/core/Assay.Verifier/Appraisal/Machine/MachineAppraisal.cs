using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Cpu;
using Assay.Appraisal.Devices;
using Assay.Authentication;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Machine;

/// <summary>
/// Joins what a machine shows: judges its processor and its boot log, and hands all parts to <see cref="CompositeAppraisal"/>. The devices
/// are judged before, for their collateral has to be fetched.
/// </summary>
public static class MachineAppraisal
{
    /// <summary>The parts of one machine.</summary>
    /// <param name="devices">The answers about GPUs and switches; null when none gave evidence.</param>
    /// <param name="cpu">The processor's evidence; null when there is none.</param>
    /// <param name="logs">The boot log in any of its forms, or firmware's and then the guest's; empty when there is none.</param>
    /// <param name="collateral">For the processor.</param>
    /// <param name="expected">What is expected of the processor, with the key.</param>
    /// <param name="boot">What is expected of the log. The devices of the gate are taken from <paramref name="devices"/>.</param>
    /// <param name="cache">Shared with the devices' appraisal.</param>
    public static CompositeParts Join(
        AppraisalResult? devices, CpuEvidence? cpu, ImmutableArray<ReadOnlyMemory<byte>> logs, CpuCollateral collateral, CpuExpectations expected, BootExpectations boot, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(boot);
        var processor = cpu is null ? null : CpuAppraisal.Appraise(cpu, collateral, expected, cache);
        return new CompositeParts
        {
            Devices = devices,
            Cpu = processor,
            Tdx = processor?.Tdx,
            Snp = processor?.Snp,
            Tpm = processor?.Tpm,
            Boot = !logs.IsDefaultOrEmpty ? JudgeLog(logs, processor, devices, boot)
                : boot.IsStated ? BootAppraisal.WithoutRegisters("a boot log is demanded, and none is shown", stopped: false)
                : null,
            Stated = Stated(expected, boot),
            Key = expected.Key,
            AdditionalEvidence = expected.AdditionalEvidence,
        };
    }

    // The key is not among them: a bundle brings one along.
    private static Statements Stated(CpuExpectations expected, BootExpectations boot)
    {
        var processor = boot.IsStated || expected is { ReportData: not null } or { TdxReferences: not null } or { SnpReferences: not null } or { SnpMinimumTcb: not null } or { TpmReferences: not null };
        return (processor ? Statements.Processor : 0) | (boot.IsStated ? Statements.Boot : 0) | (boot.Gate is not null ? Statements.Gate : 0);
    }

    private static BootResult JudgeLog(ImmutableArray<ReadOnlyMemory<byte>> logs, CpuResult? cpu, AppraisalResult? devices, BootExpectations boot)
    {
        // Of a vTPM that nobody named nothing is believed, its registers included: a log of them proves as little (S-9a).
        if (cpu is { Registers: null, Tpm: { Quote: null } vtpm } && vtpm.Findings.IsPassed())
        {
            return boot.IsStated
                ? BootAppraisal.WithoutRegisters("the PCRs are of a vTPM whose paravisor no reference value names, so nothing explains the boot", stopped: false)
                : BootAppraisal.NotBelieved("the PCRs are of a vTPM whose paravisor no reference value names: the log is not looked at");
        }

        if (cpu?.Registers is not { } registers)
        {
            return cpu is null ? BootAppraisal.WithoutRegisters("a boot log without a processor's evidence is a story: nobody signed the registers that it explains", stopped: false)
                : cpu is { Snp: not null, Tpm: null } ? BootAppraisal.WithoutRegisters("an SNP report has no register that a boot log could explain: only a vTPM inside the TEE has some", stopped: false)
                : BootAppraisal.WithoutRegisters("the registers are not authentic", stopped: true);
        }

        var gate = boot.Gate is { } wanted && devices is { Devices.IsDefaultOrEmpty: false }
            ? wanted with { Devices = [.. devices.Devices.Where(device => device.Device is not null).Select(device => device.Device!.Identity.Id)] }
            : boot.Gate;
        var expected = boot with { Gate = gate };
        if (!TryJoin(logs, out var log, out var unreadable))
        {
            return unreadable is { } bytes ? BootAppraisal.Appraise(bytes, registers, expected)
                : BootAppraisal.WithoutRegisters("the logs are of registers of different kinds, or hold more events together than are read", stopped: false);
        }

        // On Azure's TDX registers of two kinds were signed; the log tells which of them it explains.
        var rtmrs = log.Registers is RegisterKind.Rtmr && registers.Kind is not RegisterKind.Rtmr && cpu.Tdx?.Quote is { } quote ? QuotedRegisters.OfRtmrs(quote.Quote.Body.Rtmr.AsSpan()) : registers;
        return BootAppraisal.Appraise(log, rtmrs, expected);
    }

    private static bool TryJoin(ImmutableArray<ReadOnlyMemory<byte>> logs, [NotNullWhen(true)] out EventLog? joined, out ReadOnlyMemory<byte>? unreadable)
    {
        (joined, unreadable) = (null, null);
        foreach (var bytes in logs)
        {
            if (!EventLog.TryParse(bytes.Span, out var log, out _))
            {
                (joined, unreadable) = (null, bytes);
                return false;
            }

            joined = joined is null ? log : joined.Then(log);
            if (joined is null)
            {
                return false;
            }
        }

        return joined is not null;
    }
}

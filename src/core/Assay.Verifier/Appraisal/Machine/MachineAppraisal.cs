using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Machine;

/// <summary>
/// The verifier of a whole machine: evidence, collateral, expectations and time in, answers out. Every program calls the three steps in this
/// order; what lies between them is fetching. The verdict about the answers is <c>Verdict.Of</c>.
/// </summary>
public static class MachineAppraisal
{
    /// <summary>First: who speaks. Needs no collateral.</summary>
    /// <param name="evidence">What the machine shows.</param>
    /// <param name="expected">What the relying party expects.</param>
    /// <param name="cache">What verified before.</param>
    /// <param name="machine">What goes on to the other steps.</param>
    /// <param name="fault">The key or the challenge is malformed, or what is stated does not fit what is shown: nothing can be bound to it.</param>
    public static bool TryAuthenticate(
        MachineEvidence evidence, MachineExpectations expected, VerifierCache cache, [NotNullWhen(true)] out AuthenticatedMachine? machine, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentNullException.ThrowIfNull(evidence);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(expected.Basis);
        ArgumentNullException.ThrowIfNull(expected.Basis.Trust);
        ArgumentNullException.ThrowIfNull(expected.Basis.Time);
        if (evidence.Devices.IsDefault || evidence.Devices.Contains(null!))
        {
            throw new ArgumentException("devices were never set: pass an empty array to say that there are none", nameof(evidence));
        }

        machine = TryBind(evidence, expected, out var key, out fault) ? new AuthenticatedMachine(evidence, expected, key, cache) : null;
        return machine is not null;
    }

    // What was stated in the one form must not be dropped because the evidence has the other, by a key that it brings along or leaves out (S-10a).
    private static bool TryBind(MachineEvidence evidence, MachineExpectations expected, out KeyBinding? key, [NotNullWhen(false)] out ParseFault? fault)
    {
        (key, fault) = (null, null);
        if ((expected.Key ?? evidence.Key) is not { } jwk)
        {
            fault = expected.Challenge is null ? null : new ParseFault("key", 0, "a challenge is stated that is bound together with a key, and no key is shown; where none is bound, state the nonce");
            return fault is null;
        }

        if ((expected.Challenge ?? evidence.StatedNonce) is not { } challenge)
        {
            fault = new ParseFault("nonce", 0, "a key is bound together with a challenge, and none is given");
            return false;
        }

        return KeyBinding.TryCreate(challenge, jwk.Span, out key, out fault)
            && (fault = expected.Nonce is not null ? new ParseFault("nonce", 0, "a nonce is stated that is answered without a key, and a key is shown: state the challenge")
                : expected.ReportData is not null ? new ParseFault("report-data", 0, "report data are stated, and a key is shown: with a key they follow from challenge, key and device evidence")
                : null) is null;
    }

    /// <summary>
    /// Second: what is needed, given what is at hand. Ask again after fetching: a RIM brings signers whose revocation is a question too.
    /// What is not authentic needs nothing; of an SNP report, which only what it needs can prove, the chip and TCB that it names are asked for.
    /// </summary>
    public static RequiredCollateral RequiredCollateral(AuthenticatedMachine machine, MachineCollateral collateral, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(machine);
        return DevicesAppraisal.RequiredCollateral(machine.Devices, collateral, machine.OfDevices, cache) with { Processor = machine.Processor?.Needed ?? [] };
    }

    /// <summary>Third: all questions that remain.</summary>
    /// <param name="machine">From the first step.</param>
    /// <param name="collateral">What was fetched.</param>
    /// <param name="given">Collateral of the processor that was given by hand: it counts before what was fetched.</param>
    /// <param name="cache">What verified before.</param>
    internal static MachineParts Appraise(AuthenticatedMachine machine, MachineCollateral collateral, ProcessorCollateral given, VerifierCache cache)
    {
        var devices = machine.Evidence.Devices.IsEmpty ? null : DevicesAppraisal.Appraise(machine.Devices, collateral, machine.OfDevices, cache);
        var processor = machine.Processor is { } authenticated
            ? ProcessorAppraisal.Appraise(authenticated, given.Or(ProcessorNeeds.Assemble(authenticated.Needed, collateral.Processor.GetValueOrDefault)), cache).Explained(collateral.ProcessorFaults)
            : null;
        return Join(devices, processor, machine.Logs, machine.OfProcessor, machine.Expected.OfBoot);
    }

    /// <summary>The parts of one machine.</summary>
    /// <param name="devices">The answers about GPUs and switches; null when none gave evidence.</param>
    /// <param name="cpu">The processor's evidence; null when there is none.</param>
    /// <param name="logs">The boot log in any of its forms, or firmware's and then the guest's; empty when there is none.</param>
    /// <param name="collateral">For the processor.</param>
    /// <param name="expected">What is expected of the processor, with the key.</param>
    /// <param name="boot">What is expected of the log. The devices of the gate are taken from <paramref name="devices"/>.</param>
    /// <param name="cache">Shared with the devices' appraisal.</param>
    internal static MachineParts Join(
        DevicesResult? devices, ProcessorEvidence? cpu, ImmutableArray<ReadOnlyMemory<byte>> logs, ProcessorCollateral collateral, ProcessorExpectations expected, BootExpectations boot, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(boot);
        return Join(devices, cpu is null ? null : ProcessorAppraisal.Appraise(cpu, collateral, expected, cache), logs, expected, boot);
    }

    private static MachineParts Join(DevicesResult? devices, ProcessorResult? processor, ImmutableArray<ReadOnlyMemory<byte>> logs, ProcessorExpectations expected, BootExpectations boot) => new()
    {
        Devices = devices,
        Basis = expected.Basis,
        Cpu = processor,
        Boot = !logs.IsDefaultOrEmpty ? JudgeLog(logs, processor, devices, boot)
            : boot.IsStated ? BootAppraisal.WithoutRegisters("a boot log is required, but none was given", stopped: false)
            : null,
        Stated = Stated(expected, boot),
        Key = expected.Key,
        AdditionalEvidence = expected.AdditionalEvidence,
    };

    // The key is not among them: a bundle brings one along.
    private static Statements Stated(ProcessorExpectations expected, BootExpectations boot)
    {
        var processor = boot.IsStated || expected is { ReportData: not null } or { TdxReferences: not null } or { SnpReferences: not null } or { SnpMinimumTcb: not null } or { TpmReferences: not null };
        return (processor ? Statements.Processor : 0) | (boot.IsStated ? Statements.Boot : 0) | (boot.Gate is not null ? Statements.Gate : 0);
    }

    private static BootResult JudgeLog(ImmutableArray<ReadOnlyMemory<byte>> logs, ProcessorResult? cpu, DevicesResult? devices, BootExpectations boot)
    {
        // Of a vTPM that nobody named nothing is believed, its registers included: a log of them proves as little (S-9a).
        if (cpu is { Registers: null, Tpm: { Quote: null } vtpm } && vtpm.Findings.IsPassed())
        {
            return boot.IsStated
                ? BootAppraisal.WithoutRegisters("no reference value names the paravisor of the vTPM that holds the PCRs, so nothing explains the boot", stopped: false)
                : BootAppraisal.NotBelieved("no reference value names the paravisor of the vTPM that holds the PCRs: the log is not evaluated");
        }

        if (cpu?.Registers is not { } registers)
        {
            return cpu is null ? BootAppraisal.WithoutRegisters("a boot log proves nothing without processor evidence: its registers are not signed", stopped: false)
                : cpu is { Tee.Technology.WhyNoRegisters: { } whyNone, Tpm: null } ? BootAppraisal.WithoutRegisters(whyNone, stopped: false)
                : BootAppraisal.WithoutRegisters("the registers are not authentic", stopped: true);
        }

        var gate = boot.Gate is { } wanted && devices is { Devices.IsDefaultOrEmpty: false }
            ? wanted with { Devices = [.. devices.Devices.Where(device => device.Device is not null).Select(device => device.Device!.Identity.Id)] }
            : boot.Gate;
        var expected = boot with { Gate = gate };
        if (!TryJoin(logs, out var log, out var unreadable))
        {
            return unreadable is { } bytes ? BootAppraisal.Appraise(bytes, registers, expected)
                : BootAppraisal.WithoutRegisters("the logs cover different kinds of registers, or hold more events together than the limit", stopped: false);
        }

        // On Azure's TDX registers of two kinds were signed; the log tells which of them it explains.
        var rtmrs = log.Registers is RegisterKind.Rtmr && registers.Kind is not RegisterKind.Rtmr && cpu.Tee?.Registers is { } own ? own : registers;
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

using System.Collections.Immutable;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Checks;
using Assay.Trust;

namespace Assay.Appraisal.Machine;

/// <summary>
/// What was answered about each part, and the key that is to tie them. Each part was judged on its own; whether they are of one machine is
/// what <see cref="MachineJudgement"/> asks.
/// </summary>
public sealed record MachineParts
{
    /// <summary>GPUs and switches; null when none gave evidence.</summary>
    public required DevicesResult? Devices { get; init; }

    /// <summary>What the relying party stated, where <see cref="MachineAppraisal"/> put the questions.</summary>
    internal Statements Stated { get; init; }

    /// <summary>By which clock and under whose anchors each part was judged.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>The processor's evidence with the answers about it; null when there is none.</summary>
    public ProcessorResult? Cpu { get; init; }

    /// <summary>Everything that was asked about the processor and its TPM, in order.</summary>
    public IEnumerable<Finding> ProcessorFindings => Cpu?.Findings ?? [];

    /// <summary>The boot log against the registers of one of them; null when there is none.</summary>
    public BootResult? Boot { get; init; }

    /// <summary>The challenge and the guest's key; null: nothing can tie devices to a CPU but a boot event.</summary>
    public required KeyBinding? Key { get; init; }

    /// <summary>The exact device evidence that the CPU's report was made over: <see cref="AdditionalEvidence.Of"/>.</summary>
    public required string AdditionalEvidence { get; init; }
}

/// <summary>The answers about the whole.</summary>
public sealed record MachineResult
{
    /// <summary>What was judged.</summary>
    public required MachineParts Parts { get; init; }

    /// <summary>In the order of the checks. None of them is ever left out.</summary>
    public required ImmutableArray<Finding> Findings { get; init; }

    /// <summary>How the devices are bound to the VM: the strongest that was proven.</summary>
    public required GpuBinding Binding { get; init; }

    /// <summary>Whether the machine is one that the relying party listed.</summary>
    public PlatformAnswer Platform { get; init; }

    /// <summary>Whether everything that was shown answers the challenge that the relying party gave.</summary>
    public required bool FreshnessProven { get; init; }

    /// <summary>What was waived, by permanent names, sorted: of the parts, and of the whole.</summary>
    public required ImmutableArray<string> Weakened { get; init; }

    /// <summary>Whether every part passed and every question about the whole was answered with yes, or does not apply.</summary>
    public required bool Passed { get; init; }

    /// <summary>The word of <c>x-assay-gpu-binding</c>.</summary>
    public string BindingWord => MachineJudgement.Word(Binding);

    /// <summary>The word of <c>x-assay-platform</c>.</summary>
    public string PlatformWord => MachineJudgement.Word(Platform);
}

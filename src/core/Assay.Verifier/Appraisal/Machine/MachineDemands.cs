using System.Collections.Immutable;
using Assay.Reference.Manifest;

namespace Assay.Appraisal.Machine;

/// <summary>How devices are bound to a confidential VM, from the weakest to the strongest (S-1): <c>x-assay-gpu-binding</c>.</summary>
public enum GpuBinding
{
    /// <summary>Nothing binds them: any machine with a GPU may have answered.</summary>
    None,

    /// <summary>
    /// The holder of the key that the CPU's report names had some genuine device answer for it. A VM without a GPU can borrow such an answer.
    /// </summary>
    EvidenceHash,

    /// <summary>The VM's measured gate verified these devices before the boundary, and wrote so into a register of the VM itself.</summary>
    BootEvent,
}

/// <summary>Whether the machine is one that the relying party listed (<see cref="KnownPlatforms"/>): <c>x-assay-platform</c>.</summary>
public enum PlatformAnswer
{
    /// <summary>No list was given.</summary>
    NotAsked,

    /// <summary>Something that is shown is not listed, or not authentic, or the processor is not shown.</summary>
    Unknown,

    /// <summary>The processor is listed, and every device that is shown.</summary>
    Known,
}

/// <summary>What the relying party expects of CPU, devices and key together. All of it is stated: there is no "skip if unset".</summary>
internal sealed record MachineDemands
{
    /// <summary>
    /// How many GPUs must answer; null: none was stated, the result says so, and a gate then fails. 0, with no switches, is what asks for no
    /// binding.
    /// </summary>
    public required int? Gpus { get; init; }

    /// <summary>How many switches must answer; null: any number.</summary>
    public required int? Switches { get; init; }

    /// <summary>The binding that is demanded. Less than <see cref="GpuBinding.BootEvent"/> is a weakening that the result names.</summary>
    public required GpuBinding DangerouslyAcceptedBinding { get; init; }

    /// <summary>Whether <see cref="DangerouslyAcceptedBinding"/> is what holds where nothing is said of a binding: words about it call it no demand.</summary>
    public bool BindingIsDefault { get; init; }

    /// <summary>Whether the challenge, or the report data, is the relying party's own: without it nothing is fresh.</summary>
    public bool Challenged { get; init; }

    /// <summary>The machines that are known; null: none are listed, and the result says nothing of the machine.</summary>
    public KnownPlatforms? Platforms { get; init; }

    /// <summary>What the caller waived before anything was judged, by permanent names: <c>reference-values-unsigned</c>, for instance.</summary>
    public ImmutableArray<string> Weakened { get; init; } = [];

    /// <summary>
    /// Accepts devices without a CPU TEE: the host can read what the VM reads (S-10). A weakening, and void as soon as anything is stated
    /// about a processor: who demands something of one does not get by with none.
    /// </summary>
    public bool DangerouslyAcceptNoCpuTee { get; init; }

    /// <summary>Whether a processor's evidence must be there. Reference values, report data, a gate or a log that are expected state it too.</summary>
    public bool RequireProcessor { get; init; }

    /// <summary>
    /// The binding that devices must have, whatever is shown: without any device it is not met. Null: <see cref="DangerouslyAcceptedBinding"/>
    /// decides, where devices are shown beside a processor.
    /// </summary>
    public GpuBinding? RequiredBinding { get; init; }

    /// <summary>Whether it was stated that no device belongs to the machine.</summary>
    internal bool StatesNoDevice => Gpus is 0 && Switches is 0 or null;
}

/// <summary>What the relying party stated about a machine beside its devices. What it did not state is in the verdict's weakenings (S-10a).</summary>
[Flags]
internal enum Statements
{
    None = 0,

    /// <summary>That there is a processor's TEE.</summary>
    Processor = 1,

    /// <summary>How it booted: a log, Secure Boot or a gate.</summary>
    Boot = 2,

    /// <summary>That a gate of ours ran.</summary>
    Gate = 4,
}

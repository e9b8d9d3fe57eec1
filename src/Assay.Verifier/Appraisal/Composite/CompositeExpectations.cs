using System.Collections.Immutable;

namespace Assay.Appraisal.Composite;

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

/// <summary>What the relying party expects of CPU, devices and key together. All of it is stated: there is no "skip if unset".</summary>
public sealed record CompositeExpectations
{
    /// <summary>How many GPUs must answer; null: any number. 0, with no switches, is what asks for no binding.</summary>
    public required int? Gpus { get; init; }

    /// <summary>How many switches must answer; null: any number.</summary>
    public required int? Switches { get; init; }

    /// <summary>The binding that is demanded. Less than <see cref="GpuBinding.BootEvent"/> is a weakening that the result names.</summary>
    public required GpuBinding DangerouslyAcceptedBinding { get; init; }

    /// <summary>Whether the challenge, or the report data, is the relying party's own: without it nothing is fresh.</summary>
    public bool Challenged { get; init; }

    /// <summary>What the caller waived before anything was judged, by permanent names: <c>reference-values-unsigned</c>, for instance.</summary>
    public ImmutableArray<string> Weakened { get; init; } = [];

    /// <summary>Accepts devices without a CPU TEE: the host can read what the VM reads (S-10). A weakening.</summary>
    public bool DangerouslyAcceptNoCpuTee { get; init; }
}

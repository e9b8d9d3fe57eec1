using Assay.Policy;

namespace Assay.Broker.Release;

/// <summary>
/// What a release rests on, by name, from the strongest: <c>boot-event</c>, <c>evidence-hash</c>, <c>processor-only</c> (a confidential VM without devices),
/// <c>unbound</c> (devices beside a VM, bound by nothing), <c>gpu-only</c> (the host can read what the VM reads; S-10) and <c>nras-token</c> (the same, and NVIDIA's
/// service judged in this broker's place). <c>assay-token</c> has no place in
/// that order: an Assay attestation service judged, and the token says how the GPU is bound.
/// </summary>
internal static class ReleaseTier
{
    public const string GpuOnly = "gpu-only";
    public const string NrasToken = "nras-token";
    public const string AssayToken = "assay-token";

    public static string Of(Verdict? verdict) => verdict switch
    {
        null => "none",
        _ when verdict.Machine?.Parts.Cpu?.Tee is null => GpuOnly,
        { Binding: "none", Appraisal.Devices.IsEmpty: true } => "processor-only",
        { Binding: "none" } => "unbound",
        _ => verdict.Binding,
    };
}

using System.Collections.Immutable;
using System.Globalization;
using Assay.Evidence.Files;
using Assay.Policy;

namespace Assay.Tokens.Clouds;

/// <summary>
/// A claim that a cloud can put a condition on: flat, a string, and the same for all machines of a kind. None names a device, a platform, a key or a
/// challenge, whose values would be as many as there are machines.
/// </summary>
public sealed class CloudClaim
{
    private readonly Func<Verdict, TokenTerms, string?> _of;

    private CloudClaim(string name, string? placeholder, string meaning, Func<Verdict, TokenTerms, string?> of) => (Name, Placeholder, Meaning, _of) = (name, placeholder, meaning, of);

    /// <summary>All of them.</summary>
    public static ImmutableArray<CloudClaim> All { get; } =
    [
        new("verdict", "verdict", "`pass`: no token is written about another verdict", (verdict, _) => verdict.Word),
        new("policy", "policy", "the id of the policy that decided", (verdict, terms) => terms.Attribution.PolicyId(verdict)),
        new("policy_digest", null, "its digest, as in `x-assay-policy`; absent where it has none", (verdict, terms) => terms.Attribution.PolicyDigest(verdict)),
        new("binding", "binding", "`boot-event`: no token is written about another binding", (verdict, _) => verdict.Binding),
        new("anchors", "anchors", "`built-in`, or `simulated` under a loopback issuer", (verdict, _) => verdict.Anchors),
        new("platform", "platform", "`known`, `unknown` or `not-asked`", (verdict, _) => verdict.Platform),
        new("measres", "measres", "`success` if the measurements of every device match its reference values; else `fail` or `not-run`", (verdict, _) => MeasurementResult(verdict)),
        new("gpu_model", "gpu", "the chip, as NVIDIA names it; different ones joined by `+`", (verdict, _) => GpuModel(verdict)),
        new("gpu_mode", "gpu_mode", "`on` or `ppcie`, stated by the measured guest", (verdict, _) => verdict.Machine?.Parts.Boot?.Record?.Attestation?.Cc.ToString().ToLowerInvariant()),
        new("gpus", "gpus", "how many GPUs", (verdict, _) => Count(verdict, DeviceKind.Gpu)),
        new("switches", "switches", "how many switches", (verdict, _) => Count(verdict, DeviceKind.Switch)),
        new("tee", "tee", "`tdx` or `snp`", (verdict, _) => verdict.Machine?.Parts.Cpu?.Tee?.Word),
        new("image", "image", "the name of the reference value that the VM's image matches", (verdict, _) => Image(verdict)),
        new("measurement", "measurement", "MRTD or MEASUREMENT in hexadecimal: the firmware with TDX, the paravisor on Azure", (verdict, _) => verdict.Machine?.Parts.Cpu?.Tee?.LaunchMeasurement?.ToString()),
        new("gate_policy", "gate_policy", "the digest of what the boot gate expected", (verdict, _) => verdict.Machine?.Parts.Boot?.Record?.Policy?.Expectation.ToString()),
        new("model", "model", "the digest of the model opened before the boundary; absent without one", (verdict, _) => verdict.Machine?.Parts.Boot?.Record?.Model?.Digest.ToString()),
        new("workload", "workload", "the digest of the workload named before the boundary; absent without one", (verdict, _) => verdict.Machine?.Parts.Boot?.Record?.Workload?.Digest.ToString()),
    ];

    /// <summary>Its name in tokens and conditions: fit for CEL, JSON pointers and session tags.</summary>
    public string Name { get; }

    /// <summary>Its name in a subject's template, between braces; null where no subject may have it, for its values have colons.</summary>
    public string? Placeholder { get; }

    /// <summary>What it says.</summary>
    public string Meaning { get; }

    /// <summary>The claim of this name; null if no claim has it.</summary>
    public static CloudClaim? Find(string name) => All.FirstOrDefault(claim => claim.Name == name);

    /// <summary>Its value in a verdict that passed; null where the machine has none.</summary>
    internal string? Of(Verdict verdict, TokenTerms terms) => _of(verdict, terms);

    private static string? GpuModel(Verdict verdict)
    {
        string[] chips = [.. verdict.Appraisal.Devices.Where(device => device.Kind is DeviceKind.Gpu).Select(device => device.Device!.Identity.Chip).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];
        return chips.Length == 0 ? null : string.Join('+', chips);
    }

    private static string Count(Verdict verdict, DeviceKind kind) => verdict.Appraisal.Devices.Count(device => device.Kind == kind).ToString(CultureInfo.InvariantCulture);

    private static string MeasurementResult(Verdict verdict) =>
        verdict.Appraisal.Devices.Any(device => device.AllRimsUsable && !device.MeasurementsMatch) ? "fail"
        : verdict.Appraisal.Devices.All(device => device.MeasurementsMatch) ? "success"
        : "not-run";

    // Behind a paravisor the image is what the TPM measured, and the hardware measured the paravisor.
    private static string? Image(Verdict verdict) => verdict.Machine?.Parts.Cpu is { } cpu ? cpu.Tpm is { } tpm ? tpm.Boot?.Name : cpu.Tee?.Known?.Name : null;
}

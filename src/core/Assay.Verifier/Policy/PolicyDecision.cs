using System.Collections.Immutable;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Wire;

namespace Assay.Policy;

/// <summary>
/// What a policy sees: claims about authentic evidence with nothing missing (see <see cref="PolicyGate"/>), as they were judged without any
/// policy. JSON policies and Rego see the same.
/// </summary>
public sealed class ClaimsView
{
    internal ClaimsView(Verdict judged, ClaimsVersion version, string? issuer) => (Judged, Version, Issuer) = (judged, version, issuer);

    /// <summary>The verdict without a policy: what is claimed, and how it was judged.</summary>
    public Verdict Judged { get; }

    /// <summary>The version of NVIDIA's claims for a policy that does not itself say for which it was written.</summary>
    public ClaimsVersion Version { get; }

    /// <summary>Whose statement the overall claims are; null where no token is made.</summary>
    public string? Issuer { get; }

    /// <summary>GPUs and switches, in their order; empty where none is shown.</summary>
    public ImmutableArray<DeviceResult> Devices => Judged.Appraisal.Devices.IsDefault ? [] : Judged.Appraisal.Devices;

    /// <summary>Whether a processor's evidence is part of it.</summary>
    public bool HasProcessor => Judged.Machine?.Parts.Cpu is not null;

    /// <summary>The instant of judgement: the clock of a policy.</summary>
    public DateTimeOffset At => Judged.Appraisal.Basis.Time.Instant;

    /// <summary>Why a policy about devices has nothing to decide about; null where it has.</summary>
    public string? WhyNoDevices => Devices.IsEmpty ? "there is no device" : Devices.Any(device => device.Device is null) ? "a device is not authentic" : null;

    /// <summary>Writes the overall claims as one object.</summary>
    public void WriteOverall(Utf8JsonWriter writer, ClaimsVersion version) => OverallClaims.Write(writer, Judged.Appraisal, version, Issuer);

    /// <summary>Writes the claims about one device as one object.</summary>
    public static void WriteDevice(Utf8JsonWriter writer, DeviceResult device, ClaimsVersion version, bool withSchemaValidated = false) =>
        NvidiaClaims.Write(writer, device, version, withSchemaValidated);
}

/// <summary>The question that every policy answers: a JSON policy, Rego, and engines to come.</summary>
public delegate PolicyDecision Decide(ClaimsView view);

/// <summary>A rule that is not satisfied.</summary>
/// <param name="Rule">Its number in the policy, from 1.</param>
/// <param name="Path">The claim, for instance <c>detached-claims.measres</c>.</param>
/// <param name="DeviceIndex">The device whose claims differ; null for the overall claims.</param>
/// <param name="Reason">What differs, in a sentence.</param>
/// <param name="Found">The claim's value as JSON; null when there is no such claim.</param>
/// <param name="Expected">The rule's value as JSON; null when the rule is no comparison.</param>
internal sealed record PolicyDifference(int Rule, string Path, int? DeviceIndex, string Reason, string? Found, string? Expected);

/// <summary>A policy's answer. The default refuses.</summary>
public sealed record PolicyDecision
{
    /// <summary>Whether the relying party accepts these devices.</summary>
    public required bool Allowed { get; init; }

    /// <summary>How the answer came about, in a sentence.</summary>
    public required string Reason { get; init; }

    /// <summary>The first rules that are not satisfied; a policy that refuses need not know them.</summary>
    internal ImmutableArray<PolicyDifference> Differences { get; init; } = [];
}

/// <summary>A file of a policy, so that a verdict can be compared with what was agreed on.</summary>
/// <param name="Path">As it was given, or found in a folder that was.</param>
/// <param name="Sha384">Of its bytes, every one of them.</param>
public sealed record PolicySourceFile(string Path, Digest Sha384);

/// <summary>A policy with its name: what a verdict is attributed to (S-20).</summary>
/// <param name="Id"><c>default</c>, or the name of its file.</param>
/// <param name="Digest">SHA-256 of its file; null for the default policy, which has none.</param>
/// <param name="Decide">The answer.</param>
public sealed record RelyingPartyPolicy(string Id, Digest? Digest, Decide Decide)
{
    /// <summary>The files that it is made of, modules and data, as the program read them; empty where it came from none.</summary>
    public ImmutableArray<PolicySourceFile> Files { get; init; } = [];

    /// <summary>Everything held, nothing expired or revoked.</summary>
    public static RelyingPartyPolicy Default { get; } = new("default", null, _ => new PolicyDecision { Allowed = false, Reason = "the default policy is the verdict itself" });

    /// <summary>Whether the relying party brought it.</summary>
    public bool IsBrought => Decide != Default.Decide;
}

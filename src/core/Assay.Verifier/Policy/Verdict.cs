using System.Collections.Immutable;
using System.Globalization;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Checks;
using Assay.Evidence.Files;
using Assay.Trust;

namespace Assay.Policy;

/// <summary>The relying party's answer. The default is the worst.</summary>
public enum VerdictKind
{
    /// <summary>Something did not hold. Exit code 1.</summary>
    Fail,

    /// <summary>Nothing failed, but something that is needed is missing. Exit code 3.</summary>
    Incomplete,

    /// <summary>Everything held that was asked. Exit code 0.</summary>
    Pass,
}

/// <summary>
/// A verdict with everything that must be read beside it: how it was bound, by which clock, with which weakenings and under whose
/// anchors. Made from an appraisal by <see cref="Of(DevicesResult, RelyingPartyPolicy, ClaimsVersion, string)"/>, and from a whole machine by
/// <see cref="Of(MachineParts, MachineDemands, RelyingPartyPolicy, ClaimsVersion, string)"/>.
/// </summary>
public sealed partial record Verdict
{
    /// <summary>Pass, fail or incomplete.</summary>
    public required VerdictKind Kind { get; init; }

    /// <summary>The appraisal that it follows from.</summary>
    public required DevicesResult Appraisal { get; init; }

    /// <summary>NVIDIA's overall result, kept apart from ours (S-14).</summary>
    public required bool NvidiaOverallResult { get; init; }

    /// <summary>What the verdict proves, in sentences.</summary>
    public required ImmutableArray<string> Proven { get; init; }

    /// <summary>What it does not prove, in sentences.</summary>
    public required ImmutableArray<string> NotProven { get; init; }

    /// <summary>
    /// How the devices are bound to a confidential VM: <c>boot-event</c>, <c>evidence-hash</c> or <c>none</c>; GPU evidence alone binds nothing (S-1).
    /// </summary>
    public required string Binding { get; init; }

    /// <summary>Whether the evidence passed.</summary>
    public bool Passed => Kind is VerdictKind.Pass;

    /// <summary>
    /// Whether the machine is one that the relying party listed: <c>known</c>, <c>unknown</c> or <c>not-asked</c>. Devices alone are asked for none.
    /// </summary>
    public string Platform => MachineJudgement.Word(Machine?.Platform ?? PlatformAnswer.NotAsked);

    /// <summary>The whole machine, where more than devices was shown or asked for; null otherwise.</summary>
    public MachineResult? Machine { get; init; }

    /// <summary>The policy that it follows from.</summary>
    public RelyingPartyPolicy Policy { get; init; } = RelyingPartyPolicy.Default;

    /// <summary>The file of the relying party's that stated the expectations; null where none did. It decides nothing here.</summary>
    public VerdictConfiguration? Configuration { get; init; }

    /// <summary>
    /// <c>policy.rules.satisfied</c>, and each rule that is not; empty without a policy of the relying party's. They are about the policy,
    /// and stand apart from the checks of devices.
    /// </summary>
    public ImmutableArray<Finding> PolicyFindings { get; init; } = [];

    /// <summary>What failed and the relying party's policy allows nevertheless; empty otherwise.</summary>
    public ImmutableArray<AllowedFinding> AllowedAlthough { get; init; } = [];

    /// <summary>What was waived or allowed, by permanent names, sorted: the appraisal's, and <c>policy-allowed</c>.</summary>
    public ImmutableArray<string> Weakened =>
    [
        .. (Machine?.Weakened ?? Appraisal.Weakened.Concat(Weakening.OfDevicesAlone)).Concat(AllowedAlthough.IsEmpty ? [] : [Weakening.PolicyAllowed.Name])
            .Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal),
    ];

    /// <summary><c>proven</c> when everything that was shown answers the challenge that the relying party gave.</summary>
    public string Freshness => IsFresh ? "proven" : "not-proven";

    /// <summary>The verdict as JSON: docs/reference/verdict.md describes it.</summary>
    /// <param name="claims">The version of NVIDIA's claims in it.</param>
    public byte[] ToJson(ClaimsVersion claims = ClaimsVersion.V4) => VerdictJson.Write(this, claims);

    /// <summary>Word, binding, freshness, weakenings, and the first check that failed.</summary>
    public override string ToString()
    {
        var parts = Machine?.Parts;
        var failed = Appraisal.AllFindings.Concat(parts?.ProcessorFindings ?? []).Concat(parts?.Boot?.Findings ?? []).Concat(Machine?.Findings ?? []).Concat(PolicyFindings)
            .FirstOrDefault(finding => finding.State is CheckState.Failed || finding.Cause is NotCheckedCause.Missing);
        return $"{Word}, binding {Binding}, freshness {Freshness}"
            + (Weakened.IsEmpty ? "" : $", weakened by {string.Join(", ", Weakened)}")
            + (failed is null || Kind is VerdictKind.Pass ? "" : $"; {failed.Id}: {failed.Reason}");
    }

    internal bool IsFresh { get; init; }

    /// <summary>The answers about everything together: the devices as a set, and the whole machine.</summary>
    internal ImmutableArray<Finding> SetFindings => [.. Appraisal.Findings, .. Machine?.Findings ?? []];

    /// <summary><c>pass</c>, <c>fail</c> or <c>incomplete</c>.</summary>
    public string Word => Kind switch
    {
        VerdictKind.Pass => "pass",
        VerdictKind.Incomplete => "incomplete",
        _ => "fail",
    };

    /// <summary><c>built-in</c>, <c>custom</c> or <c>simulated</c>.</summary>
    public string Anchors => Appraisal.Basis.Trust.Kind switch
    {
        TrustSetKind.BuiltIn => "built-in",
        TrustSetKind.Custom => "custom",
        TrustSetKind.Simulated => "simulated",
        _ => "none",
    };

    /// <summary><c>system</c> or <c>stated</c>.</summary>
    public string TimeSource => Appraisal.Basis.Time.Source switch
    {
        Assay.Checks.TimeSource.System => "system",
        Assay.Checks.TimeSource.Stated => "stated",
        _ => "none",
    };

    /// <summary>
    /// The verdict that follows from an appraisal under a policy. The policy is asked only about authentic devices with nothing missing and
    /// no failure that claims do not show; for the rest fail and incomplete stand as they are.
    /// </summary>
    /// <param name="appraisal">The answers.</param>
    /// <param name="policy">The relying party's, or <see cref="RelyingPartyPolicy.Default"/>.</param>
    /// <param name="claims">The version that a policy sees which does not say for which it was written.</param>
    /// <param name="issuer">Whose statement the overall claims are; null where no token is made.</param>
    internal static Verdict Of(DevicesResult appraisal, RelyingPartyPolicy policy, ClaimsVersion claims, string? issuer = null)
    {
        ArgumentNullException.ThrowIfNull(appraisal);
        ArgumentNullException.ThrowIfNull(policy);
        return Of(appraisal, null, policy, claims, issuer);
    }

    // Without a policy, first: what is claimed is the same whoever decides. The policy then says yes or no about that.
    private static Verdict Of(DevicesResult devices, MachineResult? machine, RelyingPartyPolicy policy, ClaimsVersion claims, string? issuer)
    {
        var judged = Judge(devices, machine);
        return policy.IsBrought ? judged.Under(policy, new ClaimsView(judged, claims, issuer)) : judged;
    }

    private static Verdict Judge(DevicesResult devices, MachineResult? machine)
    {
        var ofDevices = new Verdict
        {
            Kind = KindOf(devices, machine),
            Appraisal = devices,
            IsFresh = devices.FreshnessProven,
            Binding = "none",
            NvidiaOverallResult = HasDevices(devices) && NvidiaClaims.OverallResult(devices),
            Proven = HasDevices(devices) ? Assurance.Proven(devices) : [],
            NotProven = Unproven(devices, [], machine),
        };
        return machine is null ? ofDevices : ofDevices with
        {
            Kind = Worst(ofDevices.Kind, KindOf(machine)),
            Machine = machine,
            Binding = machine.BindingWord,
            IsFresh = machine.FreshnessProven,
            Proven = [.. ofDevices.Proven, .. MachineAssurance.Proven(machine)],
        };
    }

    // The policy is asked only about authentic evidence with nothing missing and no failure that claims do not show; for the rest fail and
    // incomplete stay as they are. Where it allows what devices failed in, one answer about the whole changes with it.
    private Verdict Under(RelyingPartyPolicy policy, ClaimsView view)
    {
        var whyNotAsked = (HasDevices(Appraisal) || Machine is null ? PolicyGate.WhyNotAsked(Appraisal) : null) ?? PolicyGate.WhyNotAsked(Machine)
            ?? (HasDevices(Appraisal) || Machine is null or { Passed: true } ? null : "a policy is asked about authentic evidence only");
        var decision = whyNotAsked is null ? policy.Decide(view) : null;
        var allowed = decision is { Allowed: true, Differences.IsEmpty: true };
        ImmutableArray<AllowedFinding> although = allowed ? AllFailed(Appraisal) : [];
        var machine = although.IsEmpty || Machine is null ? Machine : MachineJudgement.Allowing(Machine);
        var kind = allowed ? VerdictKind.Pass : whyNotAsked is null ? VerdictKind.Fail : HasDevices(Appraisal) || Machine is null ? WithoutPolicy(Appraisal) : VerdictKind.Pass;
        return this with
        {
            Kind = machine is null ? kind : Worst(kind, KindOf(machine)),
            Machine = machine,
            NotProven = Unproven(Appraisal, although, machine),
            Policy = policy,
            PolicyFindings = FindingsOf(decision, allowed, whyNotAsked),
            AllowedAlthough = although,
        };
    }

    private static bool HasDevices(DevicesResult devices) => !devices.Devices.IsDefaultOrEmpty;

    private static ImmutableArray<string> Unproven(DevicesResult devices, ImmutableArray<AllowedFinding> although, MachineResult? machine) =>
    [
        .. machine is null ? [] : MachineAssurance.NotProven(machine),
        .. HasDevices(devices) || machine is null ? Assurance.NotProven(devices, although, machine) : [],
    ];

    // Where no device is shown beside a processor there is nothing of devices that could fail: whether some were expected is a question about
    // the whole.
    private static VerdictKind KindOf(DevicesResult devices, MachineResult? machine) =>
        (!HasDevices(devices) && machine is not null) || (PolicyGate.WhyNotAsked(devices) is null && PolicyGate.WhyNotAsked(machine) is null && devices.AllFindings.All(finding => finding.State is not CheckState.Failed)) ? VerdictKind.Pass
        : WithoutPolicy(devices);

    // A policy that was not asked has excused nothing, so this can be no pass.
    private static VerdictKind WithoutPolicy(DevicesResult appraisal) =>
        appraisal.Devices.IsDefaultOrEmpty || appraisal.Findings.IsDefaultOrEmpty || appraisal.Devices.Any(device => device.Findings.IsDefaultOrEmpty)
            || appraisal.AllFindings.Any(finding => finding.State is CheckState.Failed) ? VerdictKind.Fail
        : VerdictKind.Incomplete;

    private static ImmutableArray<AllowedFinding> AllFailed(DevicesResult appraisal) =>
    [
        .. appraisal.Devices.SelectMany(device => device.Findings
            .Where(finding => finding.State is CheckState.Failed)
            .Select(finding => new AllowedFinding(device.Index, finding))),
    ];

    private static ImmutableArray<Finding> FindingsOf(PolicyDecision? decision, bool allowed, string? whyNotAsked)
    {
        const string id = CheckIds.PolicyRulesSatisfied;
        if (decision is null)
        {
            return [Outcome.Stopped(whyNotAsked!).Named(id)];
        }

        if (allowed)
        {
            return [Outcome.Held(decision.Reason).Named(id)];
        }

        // The rules stand under the one permanent id: their numbers are the policy's, and mean nothing without it.
        return
        [
            Outcome.Failed(decision.Reason).Named(id),
            .. decision.Differences.Select(difference =>
                Outcome.Failed(difference.Reason, difference.Found ?? "absent", difference.Expected).Named(string.Create(CultureInfo.InvariantCulture, $"policy.rule.{difference.Rule}"))),
        ];
    }
}

/// <summary>A check that failed, and that the relying party's policy allows.</summary>
/// <param name="DeviceIndex">Of which device.</param>
/// <param name="Finding">The check.</param>
public sealed record AllowedFinding(int DeviceIndex, Finding Finding);

/// <summary>What a verdict says in sentences.</summary>
internal static class Assurance
{
    public static ImmutableArray<string> Proven(DevicesResult appraisal)
    {
        // Whoever holds a revoked key may have signed what he liked: nothing that it signed is proven.
        var authentic = appraisal.Devices.Where(device => device.Device is not null
            && !device.Findings.IsDefaultOrEmpty && !IsRevoked(device)).ToArray();
        // A report that is given twice is one device's.
        authentic = [.. authentic.DistinctBy(device => device.Device!.Identity.Id)];
        if (authentic.Length == 0)
        {
            return [];
        }

        // A manifest that is expired or revoked says nothing that may be repeated here.
        var matched = authentic.Where(HasKnownFirmware).ToArray();
        var whose = appraisal.Basis.Trust.Kind is TrustSetKind.Simulated ? "a simulator" : appraisal.Basis.Trust.Kind is TrustSetKind.Custom ? "roots that you named" : "NVIDIA";
        (bool Applies, string Sentence)[] all =
        [
            (true, $"{Count(authentic)} certified by {whose} signed {(authentic.Length == 1 ? "this report" : "these reports")}."),
            (appraisal.FreshnessProven && !appraisal.Devices.Any(IsRevoked), "The reports answer your nonce, so they were made after you chose it."),
            (matched.Length > 0 && matched.Length == authentic.Length, "Every firmware measurement in the signed reference manifests has an allowed value."),
            (authentic.Length > 1 && !appraisal.Findings.IsDefaultOrEmpty && appraisal.Findings.Any(finding => finding is { Id: CheckIds.SetDevicesDistinct, State: CheckState.Held }), "No device is counted twice."),
        ];
        return [.. all.Where(item => item.Applies).Select(item => item.Sentence)];
    }

    public static ImmutableArray<string> NotProven(DevicesResult appraisal, ImmutableArray<AllowedFinding> allowed, MachineResult? machine = null)
    {
        var authentic = appraisal.Devices.Where(device => device.Device is not null).ToArray();
        (bool Applies, string Sentence)[] all =
        [
            (appraisal.Weakened.Contains(Weakening.NonceNotGiven.Name), "That the reports are fresh: you gave no nonce, and an old recording would look the same."),
            (!appraisal.FreshnessProven && !appraisal.Weakened.Contains(Weakening.NonceNotGiven.Name), "That the reports are fresh: not all of them are authentic and answer your nonce."),
            (appraisal.Weakened.Contains(Weakening.RevocationSkipped.Name), "That no certificate was revoked: revocation was skipped."),
            (appraisal.Weakened.Contains(Weakening.HeldRimSignerAccepted.Name), "That the manifests are released: a signer is on hold, and you tolerate that."),
            (appraisal.Basis.Time.Source is TimeSource.Stated, "That the certificates are valid today: they were judged at the time you stated."),
            (authentic.Any(device => !device.MeasurementsMatch), "That the firmware is known: not every measurement was compared and met."),
            (authentic.Any(device => device.MeasurementsMatch && !HasKnownFirmware(device)), "That the firmware is known: its measurements match a manifest whose signer is expired, revoked or of unknown status."),
            (!allowed.IsEmpty, $"That every check held: your policy allows the result although {string.Join(", ", allowed.Select(item => item.Finding.Id).Distinct())} failed."),
            (Failed(appraisal, CheckIds.SetDevicesDistinct), "That there are as many devices as reports: a device is repeated."),
            (Failed(appraisal, CheckIds.TopologyGpusMatch) || Failed(appraisal, CheckIds.TopologySwitchesMatch), "That these devices are one machine: what they sign about each other says that they are not, or that some are missing."),
            (authentic.Length > 1 && appraisal.Findings.Any(finding => finding is { Id: CheckIds.TopologyGpusMatch, State: CheckState.NotApplicable }), "That these devices are one complete machine: only GPUs and switches verified together show that."),
            (authentic.Length > 0 && machine is null, "That the devices are in a machine you know: no list of known platforms was given."),
            (authentic.Length > 0 && machine is null, "That a confidential VM uses these devices: GPU evidence alone is not bound to a VM, and a host can relay it."),
            (authentic.Any(device => device.Kind is DeviceKind.Gpu) && machine is null, "That confidential computing is on and DEVTOOLS is off: reports do not say so; only the measured guest can."),
            (appraisal.Basis.Trust.Kind is TrustSetKind.Simulated, "Anything about real hardware: the trust anchors belong to a simulator."),
        ];
        return [.. all.Where(item => item.Applies).Select(item => item.Sentence)];
    }

    private static bool IsRevoked(DeviceResult device) => !device.Findings.IsDefaultOrEmpty && device.Findings.Any(finding => finding is { Id: CheckIds.DeviceChainNotRevoked, State: CheckState.Failed });

    private static bool Failed(DevicesResult appraisal, string id) => !appraisal.Findings.IsDefaultOrEmpty && appraisal.Findings.Any(finding => finding.Id == id && finding.State is CheckState.Failed);

    private static bool HasKnownFirmware(DeviceResult device) =>
        device.MeasurementsMatch && device.Rims.SelectMany(rim => rim.Findings).All(finding => finding.State is not CheckState.Failed);

    private static string Count(DeviceResult[] devices)
    {
        var gpus = devices.Count(device => device.Kind is DeviceKind.Gpu);
        var switches = devices.Count(device => device.Kind is DeviceKind.Switch);
        string[] parts = [gpus == 0 ? "" : gpus == 1 ? "a GPU" : $"{gpus} GPUs", switches == 0 ? "" : switches == 1 ? "an NVSwitch" : $"{switches} NVSwitches"];
        return Capitalised(string.Join(" and ", parts.Where(part => part.Length > 0)));

        static string Capitalised(string text) => char.ToUpperInvariant(text[0]) + text[1..];
    }
}

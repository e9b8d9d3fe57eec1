using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Trust;

namespace Assay.Policy;

/// <summary>Who decides about a verdict.</summary>
public sealed record VerdictTerms
{
    /// <summary>No policy of the relying party's: everything must hold.</summary>
    public static VerdictTerms Default { get; } = new();

    /// <summary>The relying party's. It decides about devices, where there are some.</summary>
    public RelyingPartyPolicy Policy { get; init; } = RelyingPartyPolicy.Default;

    /// <summary>The version of NVIDIA's claims that a policy sees which does not say for which it was written.</summary>
    public ClaimsVersion Claims { get; init; } = ClaimsVersion.V4;

    /// <summary>Whose statement the overall claims are; null where no token is made.</summary>
    public string? Issuer { get; init; }
}

/// <content>The verdict about a whole machine.</content>
public sealed partial record Verdict
{
    /// <summary>
    /// The verdict that follows from everything that a machine shows. It passes only where the devices do, under the relying party's policy,
    /// and the processor, the boot log and what binds them do without any. Missing collateral makes it incomplete.
    /// </summary>
    /// <param name="parts">The answers about each part.</param>
    /// <param name="expected">What is expected of the whole.</param>
    /// <param name="policy">The relying party's, or <see cref="RelyingPartyPolicy.Default"/>. It decides about devices, where there are some.</param>
    /// <param name="claims">The version that a policy sees which does not say for which it was written.</param>
    /// <param name="issuer">Whose statement the overall claims are; null where no token is made.</param>
    internal static Verdict Of(MachineParts parts, MachineDemands expected, RelyingPartyPolicy policy, ClaimsVersion claims, string? issuer = null)
    {
        ArgumentNullException.ThrowIfNull(parts);
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(policy);
        return Of(parts.Devices ?? DevicesResult.None(parts.Basis), MachineJudgement.Appraise(parts, expected), policy, claims, issuer);
    }

    /// <summary>
    /// The last step of <see cref="MachineAppraisal"/>: all questions that remain, and the verdict that follows. Where nothing but devices is
    /// shown or asked about, it is about these alone.
    /// </summary>
    /// <param name="machine">From the first step.</param>
    /// <param name="collateral">What was fetched for it.</param>
    /// <param name="given">Collateral of the processor that was given by hand; null for none.</param>
    /// <param name="terms">Who decides, and about which claims.</param>
    /// <param name="cache">What verified before.</param>
    public static Verdict Of(AuthenticatedMachine machine, MachineCollateral collateral, ProcessorCollateral? given, VerdictTerms terms, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(machine);
        ArgumentNullException.ThrowIfNull(collateral);
        ArgumentNullException.ThrowIfNull(terms);
        ArgumentNullException.ThrowIfNull(cache);
        var parts = MachineAppraisal.Appraise(machine, collateral, given ?? ProcessorCollateral.Empty, cache);
        return machine.IsMoreThanDevices || parts.Devices is not { } devices
            ? Of(parts, machine.Expected.OfTheWhole(machine.Key), terms.Policy, terms.Claims, terms.Issuer)
            : Of(devices, terms.Policy, terms.Claims, terms.Issuer);
    }

    private static VerdictKind Worst(VerdictKind one, VerdictKind other) => one < other ? one : other;

    // The enumeration's order is from the worst to the best.
    private static VerdictKind KindOf(MachineResult machine)
    {
        var all = machine.Parts.ProcessorFindings.Concat(machine.Parts.Boot?.Findings ?? []).Concat(machine.Findings).ToArray();
        var missing = all.Concat(machine.Parts.Devices?.AllFindings ?? []).Any(finding => finding.Cause is NotCheckedCause.Missing);
        return machine.Passed ? VerdictKind.Pass
            : all.Any(finding => finding.State is CheckState.Failed) || !missing ? VerdictKind.Fail
            : VerdictKind.Incomplete;
    }
}

/// <summary>What a verdict about a whole machine says in sentences.</summary>
internal static class MachineAssurance
{
    public static ImmutableArray<string> Proven(MachineResult machine)
    {
        var (parts, tee, devices) = (machine.Parts, machine.Parts.Cpu?.Tee, machine.Parts.Devices is { Devices.IsDefaultOrEmpty: false });
        (bool Applies, string Sentence)[] all =
        [
            (tee is { IsAuthentic: true } && Unrevoked(tee.Technology.RevocationCheck, tee.Findings), tee?.Technology.Proven(tee.Basis.Trust.Kind) ?? ""),
            (parts.Boot is { Log.Mismatches.IsEmpty: true } && Held(parts.Boot.Findings, CheckIds.BootLogReplayed), "The boot log's digests match the measured registers."),
            (Held(machine.Findings, CheckIds.BindingCpuDevices), devices ? "The VM's processor signed a statement that covers the key and exactly this device evidence." : "The VM's processor signed a statement that covers the key."),
            (machine.Platform is PlatformAnswer.Known && tee is not null && Unrevoked(tee.Technology.RevocationCheck, tee.Findings), devices ? "The processor and every device are on your list of known platforms." : "The processor is on your list of known platforms."),
            (machine.Binding is GpuBinding.BootEvent && devices, "These devices are the ones that the VM's measured boot gate verified."),
        ];
        return [.. all.Where(item => item.Applies).Select(item => item.Sentence)];
    }

    public static ImmutableArray<string> NotProven(MachineResult machine)
    {
        var parts = machine.Parts;
        var devices = parts.Devices is { Devices.IsDefaultOrEmpty: false };
        (bool Applies, string Sentence)[] all =
        [
            (parts.Cpu is not null && !machine.FreshnessProven, "That the processor's evidence is fresh: it does not answer a challenge of yours."),
            (TeeTechnology.All.Select(technology => technology.WithoutReferences.Name).Append(Weakening.TpmNoReferenceValues.Name).Any(machine.Weakened.Contains), "That the VM runs an image you know: no reference values were given."),
            (machine.Weakened.Contains(Weakening.ReferenceValuesUnsigned.Name), "That the reference values come from their publisher: they are unsigned, and anyone who can write the file can choose them."),
            (!devices && TeeTechnology.All.Any(technology => machine.Weakened.Contains(technology.WithoutRevocation.Name)), "That no certificate was revoked: revocation was skipped."),
            (!devices && machine.Weakened.Contains(Weakening.TimeStated.Name), "That certificates and collateral are valid today: they were judged at the time you stated."),
            (machine.Platform is PlatformAnswer.NotAsked, "That the machine is one you know: no list of known platforms was given, and keys have been extracted from genuine processors."),
            (machine.Platform is PlatformAnswer.Unknown, "That the machine is one you know: it is not on your list of known platforms, or does not identify itself."),
            (machine.Weakened.Contains(Weakening.SnpNoMinimumTcb.Name), "That the firmware is new enough: AMD publishes no status, and you gave no minimum TCB."),
            (!devices && parts.Basis.Trust.Kind is TrustSetKind.Simulated, "Anything about real hardware: the trust anchors belong to a simulator."),
            (parts.Boot is { UnprovenEvents.IsDefaultOrEmpty: false }, "What the guest's events say: the digests of some do not match their name and payload, so neither names nor the boundary are believed."),
            (machine.Weakened.Contains(Weakening.ParavisorNotNamed.Name), "That the vTPM belongs to this VM, or that its PCRs and its answer to a challenge are true: no reference value names its paravisor."),
            (parts.Cpu is null && devices, "That a confidential VM uses these devices: there is no processor evidence, and the host may be able to read what the VM reads."),
            (devices && parts.Cpu is not null && machine.Binding is GpuBinding.EvidenceHash, "That the devices belong to this VM: the key's holder had them answer, and a VM without a GPU can borrow such an answer."),
            (devices && parts.Cpu is not null && machine.Binding is GpuBinding.None, "That these devices belong to this VM: nothing binds the two."),
            (devices && machine.Binding is not GpuBinding.BootEvent, "That confidential computing is on and DEVTOOLS is off: only the measured guest can say so."),
            (devices && machine.Binding is GpuBinding.BootEvent, "That nobody relays live between the VM and devices of the same kind elsewhere: without TEE-IO nothing can show that."),
            (Unread(parts, "aa_eventlog"), "Anything in the attestation agent's log (aa_eventlog): it was given, but it is not read or compared with a register."),
            (Unread(parts, "init-data"), "Anything in the init data (init-data): they were given, but they are not compared with MRCONFIGID or HOST_DATA."),
            (!devices && parts.Cpu is not null, "Anything about GPUs: no GPU evidence was given."),
        ];
        return [.. all.Where(item => item.Applies).Select(item => item.Sentence)];
    }

    private static bool Unread(MachineParts parts, string member) => parts.Cpu?.Evidence.Unread.Contains(member) is true;

    private static bool Held(IEnumerable<Finding> findings, string id) => findings.Any(finding => finding.Id == id && finding.State is CheckState.Held);

    // Nobody's word counts whose certificate is revoked; that revocation was not asked about stands among the weakenings.
    private static bool Unrevoked(string id, ImmutableArray<Finding> findings) =>
        !findings.IsDefaultOrEmpty && !findings.Any(finding => finding.Id == id && finding.State is CheckState.Failed);
}

using System.Collections.Immutable;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Checks;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Machine;

/// <summary>
/// What the relying party expects of a whole machine: GPUs and switches, processor, boot and key. What it does not state is in the
/// weakenings of every verdict (S-10a). Nothing here comes from the evidence.
/// </summary>
public sealed record MachineExpectations
{
    /// <summary>Time, trust set and revocation, as of all parts of the machine.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>
    /// Where a key is bound: the challenge's own characters, as the guest received them. Null: what the evidence says that it answers is
    /// taken, and freshness is not proven.
    /// </summary>
    public string? Challenge { get; init; }

    /// <summary>Where no key is bound: the challenge that every device must answer. Null: freshness is not proven.</summary>
    public Nonce? Nonce { get; init; }

    /// <summary>The guest's public key (JWK); null: the one that the evidence brings along, where it brings one.</summary>
    public ReadOnlyMemory<byte>? Key { get; init; }

    /// <summary>Where no key is bound: the 64 bytes that the processor, or Azure's vTPM, must have signed. Null: nothing binds it.</summary>
    public ReportData? ReportData { get; init; }

    /// <summary>Known-good images, minimum TCB and accepted policies of the gate; null: any image, and the result says so.</summary>
    public ReferenceValues? References { get; init; }

    /// <summary>How many GPUs must answer; null: none was stated, and the result says so. 0, with no switches: the machine has no devices.</summary>
    public int? Gpus { get; init; }

    /// <summary>How many switches must answer; null: any number.</summary>
    public int? Switches { get; init; }

    /// <summary>Whether a processor's evidence must be there. Anything stated about a processor or the boot demands it too.</summary>
    public bool RequireProcessor { get; init; }

    /// <summary>The binding that devices must have, whatever is shown. Null: <see cref="DangerouslyAcceptedBinding"/> decides.</summary>
    public GpuBinding? RequiredBinding { get; init; }

    /// <summary>
    /// The binding that is enough where devices are shown beside a processor: less than <see cref="GpuBinding.BootEvent"/> is a weakening.
    /// Null: <see cref="GpuBinding.BootEvent"/> where anything is stated about a processor, none otherwise, and the weakenings say so.
    /// </summary>
    public GpuBinding? DangerouslyAcceptedBinding { get; init; }

    /// <summary>What our gate must have written; null: what <see cref="References"/> list as its policies, and none where they list none.</summary>
    public GateRequirement? Gate { get; init; }

    /// <summary>The phase that the gate's log must be of, where <see cref="Gate"/> is not given (S-4): a machine that has finished booting, or one between gate and boundary.</summary>
    public BootPhase Phase { get; init; } = BootPhase.Run;

    /// <summary>Refuses a machine whose firmware does not verify what it boots, or does not say so.</summary>
    public bool RequireSecureBoot { get; init; }

    /// <summary>Refuses a machine that shows no boot log.</summary>
    public bool RequireLog { get; init; }

    /// <summary>Refuses devices whose firmware reports no FWID.</summary>
    public bool RequireFwid { get; init; }

    /// <summary>
    /// How old OCSP answers, revocation lists, TCB information and QE identities may be even inside their own times, counted from thisUpdate and
    /// issueDate; null for their own times alone.
    /// </summary>
    public TimeSpan? MaximumCollateralAge { get; init; }

    /// <summary>Whether SNP reports under a VLEK, which names a cloud provider and no chip, are accepted.</summary>
    public bool AcceptVlek { get; init; }

    /// <summary>Tolerates certificateHold on RIM signers. A weakening.</summary>
    public bool DangerouslyAcceptHeldRimSigner { get; init; }

    /// <summary>Accepts a guest under debug, which its host reads. A weakening.</summary>
    public bool DangerouslyAcceptDebug { get; init; }

    /// <summary>Accepts a TD without SEPT_VE_DISABLE. A weakening.</summary>
    public bool DangerouslyAcceptSeptVe { get; init; }

    /// <summary>Accepts these TCB statuses beside UpToDate; OutOfDate also for SNP. A weakening. Revoked is never accepted.</summary>
    public ImmutableArray<TcbStatus> DangerouslyAcceptedTcbStatuses { get; init; } = [];

    /// <summary>
    /// Of a TDX platform whose TCB is out of date, and accepted so: the lowest tcbDate of its level. Null: any. AMD states no dates: an SNP
    /// report below its minimum is then not accepted.
    /// </summary>
    public DateTimeOffset? DangerouslyAcceptedTcbFrom { get; init; }

    /// <summary>The same: how long after the tcbDate of its level. Null: for ever.</summary>
    public TimeSpan? DangerouslyAcceptedTcbGrace { get; init; }

    /// <summary>Intel's advisories that a TDX platform's TCB must not have, whatever status is accepted: for instance <c>INTEL-SA-00837</c>.</summary>
    public ImmutableArray<string> RefusedAdvisories { get; init; } = [];

    /// <summary>Accepts an SNP report that masks its CHIP_ID: its VCEK is then compared in everything else. A weakening; such a machine is never a known one.</summary>
    public bool DangerouslyAcceptMaskedChipId { get; init; }

    /// <summary>
    /// With a stated time: accepts text after a TDX quote, which nobody signed. A weakening. A quote of now comes from the machine as it is, so with the
    /// system's clock it is refused all the same.
    /// </summary>
    public bool DangerouslyAcceptTextAfterQuote { get; init; }

    /// <summary>Whether anything is stated about a processor or the boot: then one must be shown.</summary>
    internal bool StatesProcessor => RequireProcessor || RequiredBinding is not null || DangerouslyAcceptedBinding is GpuBinding.EvidenceHash or GpuBinding.BootEvent || Key is not null || ReportData is not null || References is not null
        || Gate is not null || RequireSecureBoot || RequireLog || AcceptVlek || DangerouslyAcceptDebug || DangerouslyAcceptSeptVe || !DangerouslyAcceptedTcbStatuses.IsDefaultOrEmpty
        || DangerouslyAcceptedTcbFrom is not null || DangerouslyAcceptedTcbGrace is not null || !RefusedAdvisories.IsDefaultOrEmpty || DangerouslyAcceptMaskedChipId || DangerouslyAcceptTextAfterQuote;

    /// <summary>Whether anything but devices is asked about.</summary>
    internal bool IsAboutMoreThanDevices => StatesProcessor || Gpus is not null || Switches is not null || DangerouslyAcceptedBinding is not null;

    internal DeviceExpectations OfDevices(KeyBinding? key) => new()
    {
        // With a key devices answer another nonce than the challenge: the one that follows from both.
        Nonce = key is null ? Nonce : Challenge is null ? null : key.DeviceNonce(),
        Basis = Basis,
        DangerouslyAcceptHeldRimSigner = DangerouslyAcceptHeldRimSigner,
        RequireFwid = RequireFwid,
        MaximumOcspAge = MaximumCollateralAge,
    };

    internal ProcessorExpectations OfProcessor(KeyBinding? key, string additionalEvidence) => new()
    {
        Key = key,
        AdditionalEvidence = additionalEvidence,
        ReportData = ReportData,
        TdxReferences = References?.Tdx,
        SnpReferences = References?.Snp,
        SnpMinimumTcb = References?.MinimumTcb,
        TpmReferences = References?.Tpm,
        // What the gate writes of a TPM is a PCR, which must be quoted.
        Registers = GateOrDefault is { Register: var register and not GateRequirement.Rtmr } ? [register] : [],
        Basis = Basis with { MaximumAge = MaximumCollateralAge },
        AcceptVlek = AcceptVlek,
        DangerouslyAcceptDebug = DangerouslyAcceptDebug,
        DangerouslyAcceptSeptVe = DangerouslyAcceptSeptVe,
        DangerouslyAcceptedTcbStatuses = DangerouslyAcceptedTcbStatuses.IsDefault ? [] : DangerouslyAcceptedTcbStatuses,
        DangerouslyAcceptedTcbFrom = DangerouslyAcceptedTcbFrom,
        DangerouslyAcceptedTcbGrace = DangerouslyAcceptedTcbGrace,
        RefusedAdvisories = RefusedAdvisories.IsDefault ? [] : RefusedAdvisories,
        DangerouslyAcceptMaskedChipId = DangerouslyAcceptMaskedChipId,
        DangerouslyAcceptTextAfterQuote = DangerouslyAcceptTextAfterQuote,
        MinimumEvaluationDataNumber = References?.MinimumEvaluationDataNumber ?? 0,
    };

    internal BootExpectations OfBoot => new() { RequireSecureBoot = RequireSecureBoot, RequireLog = RequireLog, Gate = GateOrDefault };

    // Who states which policies the gate may have expects that it ran.
    private GateRequirement? GateOrDefault => Gate ?? (References is { GpuPolicies: { IsEmpty: false } policies } ? GateRequirement.Of(policies, Gpus, Switches) with { Phase = Phase } : null);

    // A binding is a processor's word: who is content with no less than evidence-hash states one. Where nothing was said of any, none is
    // demanded, whether the evidence has one or not, and the verdict's weakenings say so (S-10a).
    internal MachineDemands OfTheWhole(KeyBinding? key) => new()
    {
        Gpus = Gpus,
        Switches = Switches,
        RequireProcessor = StatesProcessor,
        DangerouslyAcceptNoCpuTee = true,
        RequiredBinding = RequiredBinding,
        DangerouslyAcceptedBinding = DangerouslyAcceptedBinding ?? (StatesProcessor ? GpuBinding.BootEvent : GpuBinding.None),
        BindingIsDefault = RequiredBinding is null && DangerouslyAcceptedBinding is null,
        Challenged = key is null ? Nonce is not null || ReportData is not null : Challenge is not null,
        Platforms = References?.Platforms,
        Weakened = References is { IsSigned: false } ? [Weakening.ReferenceValuesUnsigned.Name] : [],
    };
}

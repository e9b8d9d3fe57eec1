using System.Collections.Immutable;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Appraisal.Tpm;
using Assay.Authentication;
using Assay.Binding;
using Assay.Checks;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Evidence.Snp;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>What the relying party expects of a processor, whichever it turns out to be. All of it is stated: there is no "skip if unset".</summary>
internal sealed record ProcessorExpectations
{
    /// <summary>Challenge and key that must be bound. Null: <see cref="ReportData"/> decides.</summary>
    public required KeyBinding? Key { get; init; }

    /// <summary>The device evidence that is bound with them: <see cref="AdditionalEvidence.Of"/>; empty where there is none.</summary>
    public required string AdditionalEvidence { get; init; }

    /// <summary>Without a key: what the processor must have signed. Null: nothing binds it, and the result says so.</summary>
    public required ReportData? ReportData { get; init; }

    /// <summary>Known-good TD images; null: any, and the result says so.</summary>
    public required ImmutableArray<TdxReference>? TdxReferences { get; init; }

    /// <summary>Known-good guests; null: any, and the result says so.</summary>
    public required ImmutableArray<SnpReference>? SnpReferences { get; init; }

    /// <summary>The lowest TCB of each SNP product; null: none is known, and the result says so.</summary>
    public required ImmutableDictionary<SnpProduct, SnpTcbParts>? SnpMinimumTcb { get; init; }

    /// <summary>Known-good boots, as a TPM measured them; null: any, and the result says so.</summary>
    public ImmutableArray<TpmReference>? TpmReferences { get; init; }

    /// <summary>PCRs of a TPM that must be quoted beside those that anything else needs.</summary>
    public ImmutableArray<int> Registers { get; init; } = [];

    /// <summary>Time, trust set and revocation, as of all parts of the machine.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>Whether SNP reports under a VLEK, which names a cloud provider and no chip, are accepted.</summary>
    public bool AcceptVlek { get; init; }

    /// <summary>Accepts a guest under debug, which its host reads. A weakening.</summary>
    public bool DangerouslyAcceptDebug { get; init; }

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

    /// <summary>The lowest tcbEvaluationDataNumber of Intel's statements that is believed (S-17); 0 for any.</summary>
    public int MinimumEvaluationDataNumber { get; init; }

    /// <summary>Accepts a TD without SEPT_VE_DISABLE. A weakening.</summary>
    public bool DangerouslyAcceptSeptVe { get; init; }

    internal ReportData? ExpectedReportData => Key is { } key ? ReportData.OfExactly(key.ReportData(AdditionalEvidence)) : ReportData;

    internal ReadOnlyMemory<byte>? ExpectedQualifyingData => Key is { } key ? key.QualifyingData(AdditionalEvidence) : ReportData is { } data ? data.Bytes.ToArray() : (ReadOnlyMemory<byte>?)null;
}

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
public sealed record ProcessorExpectations
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

    /// <summary>The instant of judgement.</summary>
    public required EvaluationTime Time { get; init; }

    /// <summary>Whose roots are believed.</summary>
    public required TrustSet Trust { get; init; }

    /// <summary>Whether revocation is asked about.</summary>
    public required RevocationChecking Revocation { get; init; }

    /// <summary>Whether SNP reports under a VLEK, which names a cloud provider and no chip, are accepted.</summary>
    public bool AcceptVlek { get; init; }

    /// <summary>Accepts a guest under debug, which its host reads. A weakening.</summary>
    public bool DangerouslyAcceptDebug { get; init; }

    /// <summary>Accepts these TCB statuses beside UpToDate; OutOfDate also for SNP. A weakening. Revoked is never accepted.</summary>
    public ImmutableArray<TcbStatus> DangerouslyAcceptedTcbStatuses { get; init; } = [];

    /// <summary>Accepts a TD without SEPT_VE_DISABLE. A weakening.</summary>
    public bool DangerouslyAcceptSeptVe { get; init; }

    internal ReportData? ExpectedReportData => Key is { } key ? ReportData.OfExactly(key.ReportData(AdditionalEvidence)) : ReportData;

    internal ReadOnlyMemory<byte>? ExpectedQualifyingData => Key is { } key ? key.QualifyingData(AdditionalEvidence) : ReportData is { } data ? data.Bytes.ToArray() : (ReadOnlyMemory<byte>?)null;
}

/// <summary>The answers about a processor.</summary>
public sealed record ProcessorResult
{
    /// <summary>What was judged.</summary>
    public required ProcessorEvidence Evidence { get; init; }

    /// <summary>The TD quote; null for another TEE.</summary>
    public TdxResult? Tdx { get; init; }

    /// <summary>The SNP report; null for another TEE.</summary>
    public SnpResult? Snp { get; init; }

    /// <summary>The quote of a vTPM beside it; null where there is none.</summary>
    internal TpmResult? Tpm { get; init; }

    /// <summary>The container's own fault, where it could not even be opened.</summary>
    public ImmutableArray<Finding> ContainerFindings { get; init; } = [];

    /// <summary>All findings, the processor's first.</summary>
    public IEnumerable<Finding> Findings => ContainerFindings.Concat(Tdx?.Findings ?? []).Concat(Snp?.Findings ?? []).Concat(Tpm?.Findings ?? []);

    /// <summary>Whether the bytes could not even be read.</summary>
    public bool Unparsable => !ContainerFindings.IsEmpty || Tdx is { Unparsable: true } || Snp is { Unparsable: true };

    /// <summary>What could not be had, by permanent names.</summary>
    public ImmutableArray<string> Missing => [.. (Tdx?.Missing ?? []).Concat(Snp?.Missing ?? [])];

    /// <summary>Why items could not be fetched, by the permanent names of <see cref="Missing"/>; empty where nothing was asked for.</summary>
    internal ImmutableSortedDictionary<string, string> MissingReasons { get; init; } = ImmutableSortedDictionary<string, string>.Empty;

    /// <summary>The same, where what is missing says what came of fetching it.</summary>
    /// <param name="faults">Where each item was asked for, and what came back; empty text where it was not asked for.</param>
    internal ProcessorResult Explained(ImmutableDictionary<CollateralKey, string> faults)
    {
        var reasons = faults.Where(fault => fault.Value.Length > 0).GroupBy(fault => MissingName(fault.Key.Kind), fault => fault.Value)
            .ToImmutableSortedDictionary(group => group.Key, group => $"asked for at {string.Join("; ", group.Distinct().Order(StringComparer.Ordinal))}", StringComparer.Ordinal);
        Finding Of(Finding finding) => finding.Cause is NotCheckedCause.Missing
            ? finding with { Reason = string.Join("; ", MissingNames(finding.Id).Select(reasons.GetValueOrDefault).OfType<string>().Prepend(finding.Reason)) }
            : finding;
        return reasons.IsEmpty ? this : this with
        {
            Tdx = Tdx is null ? null : Tdx with { Findings = [.. Tdx.Findings.Select(Of)] },
            Snp = Snp is null ? null : Snp with { Findings = [.. Snp.Findings.Select(Of)] },
            MissingReasons = reasons,
        };
    }

    // A chain and the certificate below it are missing as one.
    private static string MissingName(CollateralKind kind) => kind is CollateralKind.AmdChain or CollateralKind.Vcek ? SnpResult.Certificates : CollateralKinds.NameOf(kind);

    /// <summary>What a question lacks, by the names of <see cref="Missing"/>, where its answer is that something is missing.</summary>
    private static string[] MissingNames(string id) => id switch
    {
        TdxAppraisal.TcbInfoAvailable => [MissingName(CollateralKind.TcbInfo)],
        TdxAppraisal.QeIdentityAvailable => [MissingName(CollateralKind.QeIdentity)],
        TdxAppraisal.TcbInfoNotRevoked or TdxAppraisal.QeIdentityNotRevoked => [MissingName(CollateralKind.RootCrl)],
        CheckIds.TdxChainNotRevoked => [MissingName(CollateralKind.PckCrl), MissingName(CollateralKind.RootCrl)],
        CheckIds.SnpChainAvailable => [SnpResult.Certificates],
        CheckIds.SnpChainNotRevoked => [MissingName(CollateralKind.AmdCrl)],
        _ => [],
    };

    /// <summary>Where an item was asked for, and what came back; null where it was not asked for.</summary>
    /// <param name="name">One of <see cref="Missing"/>.</param>
    public string? WhyNotFetched(string name) => MissingReasons.GetValueOrDefault(name);

    /// <summary>The registers that were signed; null where the evidence is not authentic, or has none.</summary>
    internal QuotedRegisters? Registers => Tpm is not null ? Tpm.Quote?.Registers
        : Tdx?.Quote is { } quote ? QuotedRegisters.OfRtmrs(quote.Quote.Body.Rtmr.AsSpan())
        : null;
}

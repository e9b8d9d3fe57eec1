using System.Collections.Immutable;
using Assay.Reference.Intel;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Tdx;

/// <summary>What the relying party expects of a TDX quote. All of it is stated: there is no "skip if unset".</summary>
internal sealed record TdxExpectations
{
    /// <summary>REPORTDATA that the quote must carry. Null: nothing binds it, and the result says so.</summary>
    public required ReportData? ReportData { get; init; }

    /// <summary>Known-good images, of which one must match. Null: any TD passes, and the result says so; an empty list passes none.</summary>
    public required ImmutableArray<TdxReference>? References { get; init; }

    /// <summary>
    /// Whether the quote came beside a vTPM that a paravisor keeps: then only references that are marked as paravisors match it, and
    /// otherwise only the others do (S-9a).
    /// </summary>
    public bool BesideVtpm { get; init; }

    /// <summary>Time, trust set and revocation, as of all parts of the machine.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>
    /// Whether a TD without SEPT_VE_DISABLE is refused: its host can make it take #VE on its own pages. One that matches a paravisor is not
    /// refused, and the result says so.
    /// </summary>
    public required bool RequireSeptVeDisable { get; init; }

    /// <summary>Whether a MIGRATABLE TD is refused: its memory may move to another platform.</summary>
    public required bool RefuseMigratable { get; init; }

    /// <summary>Service TDs (MRSERVICETD) that may be bound to it. A TD without one passes; with one that is not listed it does not.</summary>
    public required ImmutableArray<Digest> AcceptedServiceTds { get; init; }

    /// <summary>The lowest tcbEvaluationDataNumber of statements that is believed (S-17); 0 for any.</summary>
    public int MinimumEvaluationDataNumber { get; init; }

    /// <summary>Advisories that the platform's TCB must not have, whatever status is accepted. Empty: none is refused.</summary>
    public ImmutableArray<string> RefusedAdvisories { get; init; } = [];

    /// <summary>Accepts a TD under debug, which its host reads. A weakening.</summary>
    public bool DangerouslyAcceptDebug { get; init; }

    /// <summary>Accepts text after the quote, which nobody signed. A weakening.</summary>
    public bool DangerouslyAcceptTextAfter { get; init; }

    /// <summary>Accepts these statuses beside UpToDate. A weakening. Revoked is never accepted.</summary>
    public ImmutableArray<TcbStatus> DangerouslyAcceptedTcbStatuses { get; init; } = [];

    /// <summary>Of an out-of-date TCB that is accepted: the lowest tcbDate. Null: any.</summary>
    public DateTimeOffset? DangerouslyAcceptedTcbFrom { get; init; }

    /// <summary>Of an out-of-date TCB that is accepted: how long after its tcbDate. Null: for ever.</summary>
    public TimeSpan? DangerouslyAcceptedTcbGrace { get; init; }
}

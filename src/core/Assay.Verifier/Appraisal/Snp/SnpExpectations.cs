using System.Collections.Immutable;
using Assay.Evidence.Snp;
using Assay.Reference.Manifest;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Appraisal.Snp;

/// <summary>What the relying party expects of an SNP report. All of it is stated: there is no "skip if unset".</summary>
internal sealed record SnpExpectations
{
    /// <summary>REPORT_DATA that the report must carry. Null: nothing binds it, and the result says so.</summary>
    public required ReportData? ReportData { get; init; }

    /// <summary>Known-good images, of which one must match. Null: any guest passes, and the result says so; an empty list passes none.</summary>
    public required ImmutableArray<SnpReference>? References { get; init; }

    /// <summary>
    /// Whether the report came beside a vTPM that a paravisor keeps: then only references that are marked as paravisors match it, and
    /// otherwise only the others do (S-9a).
    /// </summary>
    public bool BesideVtpm { get; init; }

    /// <summary>
    /// The lowest TCB of each product that reported, committed, launch and current TCB must all reach. Null: none is known, the four must
    /// then agree, and the result says so. A product that is not listed does not pass.
    /// </summary>
    public required ImmutableDictionary<SnpProduct, SnpTcbParts>? MinimumTcb { get; init; }

    /// <summary>Keys that may have signed. A VLEK names a cloud provider and no chip.</summary>
    public required ImmutableArray<SnpSigningKey> AcceptedSigningKeys { get; init; }

    /// <summary>Privilege levels that may have asked for the report; 0 is the highest.</summary>
    public required ImmutableArray<uint> AcceptedVmpls { get; init; }

    /// <summary>Whether a guest that may have a migration agent is refused: its memory may move to another platform.</summary>
    public required bool RefuseMigrationAgent { get; init; }

    /// <summary>Time, trust set and revocation, as of all parts of the machine.</summary>
    public required TrustBasis Basis { get; init; }

    /// <summary>Accepts a guest under debug, which its host reads. A weakening.</summary>
    public bool DangerouslyAcceptDebug { get; init; }

    /// <summary>Accepts a report that masks its CHIP_ID. A weakening.</summary>
    public bool DangerouslyAcceptMaskedChipId { get; init; }

    /// <summary>Accepts a TCB below the minimum, or one whose four versions disagree while no minimum is stated. A weakening.</summary>
    public bool DangerouslyAcceptOutOfDateTcb { get; init; }
}

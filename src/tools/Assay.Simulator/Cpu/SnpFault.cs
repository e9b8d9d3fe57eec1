namespace Assay.Simulator;

/// <summary>The lines of processors that the simulator imitates.</summary>
public enum SnpLine
{
    /// <summary>EPYC 7003.</summary>
    Milan,

    /// <summary>EPYC 9004.</summary>
    Genoa,

    /// <summary>EPYC 9005, with its own TCB layout and a short chip id.</summary>
    Turin,
}

/// <summary>What is wrong with a simulated report or with its certificates: one switch for each question that a verifier asks.</summary>
public enum SnpFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A reserved byte behind the signature is not zero.</summary>
    ReservedByte,

    /// <summary>The ASK is not there.</summary>
    MissingAuthority,

    /// <summary>The chain ends at a root of the same name and another key.</summary>
    ForeignRoot,

    /// <summary>The certificate names no product.</summary>
    NoProductName,

    /// <summary>The certificate lacks the level of the microcode.</summary>
    NoMicrocodeLevel,

    /// <summary>The certificate is under the authorities of another line.</summary>
    AuthoritiesOfAnotherLine,

    /// <summary>The report's processor is of another line; from version 3 on.</summary>
    ProcessorOfAnotherLine,

    /// <summary>The report says that the VCEK may not sign; with a VCEK.</summary>
    MaskChipKey,

    /// <summary>The certificate is of another TCB than the reported one.</summary>
    CertificateOfAnotherTcb,

    /// <summary>The certificate is of another chip; with a VCEK.</summary>
    CertificateOfAnotherChip,

    /// <summary>The report masks its chip id; with a VCEK.</summary>
    MaskedChipId,

    /// <summary>The measurement was altered after it was signed.</summary>
    AlteredMeasurement,

    /// <summary>Other report data than asked for.</summary>
    OtherReportData,

    /// <summary>The certificate has ended.</summary>
    ExpiredCertificate,

    /// <summary>The ASK is listed in the root's revocation list.</summary>
    RevokedAuthority,

    /// <summary>The root's revocation list is past its next update.</summary>
    StaleCrl,

    /// <summary>The root's revocation list was signed by another.</summary>
    ForgedCrl,

    /// <summary>More is reported than is committed.</summary>
    ReportedAboveCommitted,

    /// <summary>Less runs than is committed.</summary>
    CurrentBelowCommitted,

    /// <summary>A reserved byte of a TCB is set.</summary>
    ReservedTcbByte,

    /// <summary>The guest was launched under an older TCB than the minimum.</summary>
    LaunchedBelowMinimum,

    /// <summary>The guest is under debug.</summary>
    Debug,

    /// <summary>POLICY has a bit without a name.</summary>
    UnknownPolicy,

    /// <summary>POLICY lacks the bit that must be one.</summary>
    PolicyWithoutItsOne,

    /// <summary>SMT is on although the policy forbids it.</summary>
    SmtAgainstPolicy,

    /// <summary>PLATFORM_INFO has a bit without a name.</summary>
    UnknownPlatform,

    /// <summary>The guest may have a migration agent.</summary>
    MigrationAllowed,

    /// <summary>A migration agent is bound against the policy.</summary>
    MigrationAgentAgainstPolicy,

    /// <summary>The report was asked for at VMPL 1.</summary>
    LessPrivileged,

    /// <summary>Another image than the known-good one.</summary>
    OtherImage,

    /// <summary>Other host data than the known-good ones.</summary>
    OtherHostData,
}

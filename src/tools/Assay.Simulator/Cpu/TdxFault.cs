namespace Assay.Simulator;

/// <summary>What is wrong with a simulated quote or with its collateral: one switch for each question that a verifier asks.</summary>
public enum TdxFault
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A byte that is not zero follows the quote.</summary>
    TrailingByte,

    /// <summary>The PEM of the PCK chain is broken.</summary>
    BrokenChain,

    /// <summary>The PCK chain ends at a root of the same name and another key.</summary>
    ForeignPckRoot,

    /// <summary>The PCK certificate has no SGX extension.</summary>
    NoSgxExtension,

    /// <summary>The SGX extension has a field that nobody knows.</summary>
    UnknownSgxField,

    /// <summary>Another key than the PCK's signed the quoting enclave's report.</summary>
    QeReportSignedByAnother,

    /// <summary>The quoting enclave's report names another attestation key.</summary>
    ForeignAttestationKey,

    /// <summary>The TD report was altered after it was signed.</summary>
    AlteredBody,

    /// <summary>The PCK certificate has ended.</summary>
    ExpiredPck,

    /// <summary>The PCK certificate is listed in its CA's revocation list.</summary>
    RevokedPck,

    /// <summary>The PCK CA is listed in the root's revocation list.</summary>
    RevokedPckCa,

    /// <summary>The revocation list of the PCK CA is past its next update.</summary>
    StalePckCrl,

    /// <summary>The revocation list of the PCK CA was signed by another.</summary>
    ForgedPckCrl,

    /// <summary>The root's revocation list is past its next update.</summary>
    StaleRootCrl,

    /// <summary>The TCB information was signed under a root of the same name and another key.</summary>
    ForeignTcbRoot,

    /// <summary>The TCB information was signed with a PCK key, which is under the same root.</summary>
    TcbInfoSignedByPck,

    /// <summary>The TCB information was altered after it was signed.</summary>
    AlteredTcbInfo,

    /// <summary>The TCB information is of version 2.</summary>
    TcbInfoOfVersion2,

    /// <summary>The TCB information is past its next update.</summary>
    ExpiredTcbInfo,

    /// <summary>The TCB information has a lower number than one that was seen.</summary>
    OlderTcbInfo,

    /// <summary>The signer of the TCB information has ended.</summary>
    ExpiredTcbSigner,

    /// <summary>The signer of the TCB information is listed in the root's revocation list.</summary>
    RevokedTcbSigner,

    /// <summary>The TCB information is of another family of platforms.</summary>
    OtherFmspc,

    /// <summary>The TCB information is of another PCE.</summary>
    OtherPceId,

    /// <summary>The quoting enclave's identity was signed under a root of the same name and another key.</summary>
    ForeignQeRoot,

    /// <summary>The quoting enclave's identity was altered after it was signed.</summary>
    AlteredQeIdentity,

    /// <summary>The identity is of the quoting enclave of SGX.</summary>
    QeIdentityOfSgx,

    /// <summary>The quoting enclave's identity is past its next update.</summary>
    ExpiredQeIdentity,

    /// <summary>The quoting enclave's identity has a lower number than one that was seen.</summary>
    OlderQeIdentity,

    /// <summary>The signer of the quoting enclave's identity has ended.</summary>
    ExpiredQeSigner,

    /// <summary>The signer of the quoting enclave's identity is listed in the root's revocation list.</summary>
    RevokedQeSigner,

    /// <summary>The platform meets a level that is out of date.</summary>
    PlatformOutOfDate,

    /// <summary>The platform meets a level whose TDs should be launched again, a status of Intel's newer services.</summary>
    PlatformRelaunchAdvised,

    /// <summary>The same, and its configuration may expose it.</summary>
    PlatformRelaunchAdvisedConfiguration,

    /// <summary>The platform meets a level that is revoked.</summary>
    PlatformRevoked,

    /// <summary>The platform meets no level.</summary>
    NoTcbLevel,

    /// <summary>Another than Intel signed the TDX module.</summary>
    ForeignModule,

    /// <summary>The TDX module has attributes that a genuine one has not.</summary>
    ModuleAttributes,

    /// <summary>The TDX module is of a major version that Intel does not list.</summary>
    UnknownModule,

    /// <summary>The TDX module is out of date.</summary>
    ModuleOutOfDate,

    /// <summary>The TDX module is below all levels.</summary>
    ModuleBelowAll,

    /// <summary>Another than Intel signed the quoting enclave.</summary>
    ForeignQe,

    /// <summary>The quoting enclave is under debug.</summary>
    DebugQe,

    /// <summary>The quoting enclave is another product of Intel's.</summary>
    OtherEnclave,

    /// <summary>The quoting enclave is out of date.</summary>
    QeOutOfDate,

    /// <summary>The TD is under debug.</summary>
    Debug,

    /// <summary>TDATTRIBUTES has a bit without a name.</summary>
    UnknownAttribute,

    /// <summary>XFAM has a bit without a name.</summary>
    UnknownXfam,

    /// <summary>SEPT_VE_DISABLE is clear.</summary>
    SeptVeEnabled,

    /// <summary>The TD may migrate.</summary>
    Migratable,

    /// <summary>A service TD is bound; quotes of TDX 1.5 alone can say so.</summary>
    ServiceTd,

    /// <summary>Another image than the known-good one.</summary>
    OtherImage,

    /// <summary>Another register than the known-good one.</summary>
    OtherRegister,

    /// <summary>Other report data than asked for.</summary>
    OtherReportData,
}

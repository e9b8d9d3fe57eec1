namespace Assay.Evidence.Files;

/// <summary>What a file is, told by its content. Names and endings of files say nothing.</summary>
public enum ContentKind
{
    /// <summary>None that is known.</summary>
    Unknown,

    /// <summary>No byte at all.</summary>
    Empty,

    /// <summary>Text in UTF-16 or UTF-32.</summary>
    WideText,

    /// <summary>A compressed file or an archive.</summary>
    Archive,

    /// <summary>Text of no known form.</summary>
    Text,

    /// <summary>JSON of no known form.</summary>
    Json,

    /// <summary>What begins as JSON and is not valid JSON.</summary>
    MalformedJson,

    /// <summary>A web page.</summary>
    Html,

    /// <summary>XML that is no RIM.</summary>
    Xml,

    /// <summary>Evidence of GPUs and switches in JSON, in any wrapping.</summary>
    DeviceEvidence,

    /// <summary>Evidence of a whole machine in JSON.</summary>
    MachineEvidence,

    /// <summary>One GPU's or switch's SPDM report alone.</summary>
    DeviceReport,

    /// <summary>A TDX quote.</summary>
    TdxQuote,

    /// <summary>An SGX quote.</summary>
    SgxQuote,

    /// <summary>A TDREPORT.</summary>
    TdReport,

    /// <summary>An SEV-SNP report.</summary>
    SnpReport,

    /// <summary>An SEV-SNP report of a wrong length.</summary>
    CutSnpReport,

    /// <summary>A processor's quote or report in JSON, as dstack and Confidential Containers send it.</summary>
    ProcessorEvidence,

    /// <summary>Azure's vTPM evidence, JSON.</summary>
    AzureVtpm,

    /// <summary>Azure's HCL report alone.</summary>
    HclReport,

    /// <summary>A TPM's quote, TPMS_ATTEST.</summary>
    TpmQuote,

    /// <summary>An event log: CCEL, TCG or JSON.</summary>
    EventLog,

    /// <summary>dstack's TCB information, with its event log.</summary>
    DstackTcbInfo,

    /// <summary>The ACPI table that says where the log is.</summary>
    AcpiTable,

    /// <summary>TDX collateral in one JSON.</summary>
    TdxCollateral,

    /// <summary>Intel's TCB information or identity of a quoting enclave.</summary>
    IntelStatement,

    /// <summary>Certificates, PEM.</summary>
    Certificates,

    /// <summary>One certificate, DER.</summary>
    Certificate,

    /// <summary>A certificate revocation list.</summary>
    RevocationList,

    /// <summary>An OCSP answer.</summary>
    OcspResponse,

    /// <summary>A reference integrity manifest, XML.</summary>
    Rim,

    /// <summary>What a RIM service answers: JSON with the RIM inside.</summary>
    RimServiceAnswer,

    /// <summary>A RIM service's list of ids.</summary>
    RimServiceList,

    /// <summary>Claims about devices.</summary>
    Claims,

    /// <summary>What <c>nvattest attest</c> printed.</summary>
    NvattestResult,

    /// <summary>Assay's own verdict, JSON.</summary>
    Verdict,

    /// <summary>One signed token.</summary>
    Token,

    /// <summary>A detached EAT bundle.</summary>
    TokenBundle,

    /// <summary>A key set (JWKS).</summary>
    KeySet,

    /// <summary>One public key (JWK).</summary>
    PublicKey,

    /// <summary>A private key.</summary>
    PrivateKey,

    /// <summary>Trust anchors.</summary>
    Anchors,

    /// <summary>Reference values, plain.</summary>
    ReferenceManifest,

    /// <summary>Reference values, signed.</summary>
    SignedReferenceManifest,

    /// <summary>A bundle of collateral.</summary>
    CollateralBundle,

    /// <summary>A policy in NVIDIA's JSON.</summary>
    JsonPolicy,

    /// <summary>A policy in Rego.</summary>
    RegoPolicy,

    /// <summary>dstack's versioned attestation.</summary>
    DstackAttestation,

    /// <summary>Evidence of a TPM outside a TEE, JSON.</summary>
    TpmEvidence,

    /// <summary>Intel's TCB information or identity of a quoting enclave without the signature around it.</summary>
    UnsignedIntelStatement,

    /// <summary>A private key under a password.</summary>
    EncryptedPrivateKey,

    /// <summary>A PKCS#12 file: a key and certificates under a password.</summary>
    Pkcs12,

    /// <summary>One public key, PEM or DER.</summary>
    PublicKeyInfo,

    /// <summary>A certificate request.</summary>
    CertificateRequest,
}

namespace Assay.Wire;

/// <summary>Every bound on foreign input, in one place, with what it is measured against.</summary>
public static class Limits
{
    /// <summary>An attestation report. NVML's own buffer for one is 8 KiB; recorded reports are 1.9 to 5.5 kB.</summary>
    public const int ReportBytes = 16 * 1024;

    /// <summary>A PEM chain. NVML's buffer is 5 KiB; recorded chains are 4.8 kB.</summary>
    public const int ChainTextBytes = 32 * 1024;

    /// <summary>One DER certificate. Recorded ones are below 1 kB; TDX PCK certificates reach 1.6 kB.</summary>
    public const int CertificateBytes = 8 * 1024;

    /// <summary>Certificates in one chain. Device chains have 5, RIM signer chains 4.</summary>
    public const int ChainCertificates = 8;

    /// <summary>X.509 extensions of one certificate. Recorded ones have at most 8.</summary>
    public const int CertificateExtensions = 32;

    /// <summary>Measurement blocks in a report: the wire index is one byte and zero names no block.</summary>
    public const int MeasurementBlocks = 255;

    /// <summary>Opaque data fields in a report. Recorded reports carry at most 18.</summary>
    public const int OpaqueFields = 256;

    /// <summary>A reference integrity manifest. Recorded ones are 20 to 26 kB.</summary>
    public const int RimBytes = 1024 * 1024;

    /// <summary>XML elements in a RIM: 64 resources and some forty others in recorded ones.</summary>
    public const int RimElements = 8192;

    /// <summary>XML nesting depth of a RIM: 6 in recorded ones.</summary>
    public const int RimDepth = 16;

    /// <summary>Attributes and namespace declarations on one XML element of a RIM: 13 in recorded ones.</summary>
    public const int RimAttributes = 64;

    /// <summary>Alternative golden values of one measurement: 4 in recorded ones.</summary>
    public const int RimAlternatives = 64;

    /// <summary>A RIM id, which becomes a file name and a URL segment.</summary>
    public const int RimIdCharacters = 128;

    /// <summary>A DER OCSP response, with its responder's certificates.</summary>
    public const int OcspResponseBytes = 64 * 1024;

    /// <summary>A DER OCSP request: 120 bytes with one SHA-384 CertID and a nonce.</summary>
    public const int OcspRequestBytes = 64 * 1024;

    /// <summary>SingleResponses in one OCSP response. Responders answer one; pre-signed batches are refused beyond this.</summary>
    public const int OcspSingleResponses = 64;

    /// <summary>A DER certificate revocation list.</summary>
    public const int CrlBytes = 8 * 1024 * 1024;

    /// <summary>Entries of one certificate revocation list.</summary>
    public const int CrlEntries = 200_000;

    /// <summary>An evidence file: 256 devices of 24 kB base64 each, and room.</summary>
    public const int EvidenceFileBytes = 16 * 1024 * 1024;

    /// <summary>Devices judged in one call. An HGX machine has 12.</summary>
    public const int Devices = 256;

    /// <summary>Nesting of evidence JSON: 4 in every known form.</summary>
    public const int EvidenceJsonDepth = 16;

    /// <summary>Nesting of JSON of which only the kind is told: verdicts and policies nest deeper than evidence.</summary>
    public const int ContentJsonDepth = 64;

    /// <summary>An event log, binary or JSON. Recorded ones are 7 to 64 kB, firmware reserves up to 256 kB.</summary>
    public const int EventLogBytes = 1024 * 1024;

    /// <summary>Events in one log: 45 in the longest recorded one.</summary>
    public const int EventLogEvents = 4096;

    /// <summary>Hash algorithms that a log's header lists: 3 in recorded ones.</summary>
    public const int EventLogBanks = 8;

    /// <summary>The name of a runtime event.</summary>
    public const int EventNameCharacters = 128;

    /// <summary>The payload of a runtime event; TPM2_PCR_Event takes 1,024 bytes, ours name up to 256 devices.</summary>
    public const int EventPayloadBytes = 256 * 1024;

    /// <summary>A TPMS_ATTEST: 145 bytes for one bank, a 32-byte nonce and a SHA-256 name.</summary>
    public const int TpmAttestBytes = 1024;

    /// <summary>A TPMT_SIGNATURE: 518 bytes for RSA-4096.</summary>
    public const int TpmSignatureBytes = 1024;

    /// <summary>A TPMT_PUBLIC: 314 bytes for an RSA-2048 endorsement key, 570 for RSA-4096.</summary>
    public const int TpmPublicBytes = 1024;

    /// <summary>PCR selections in one list: as many as a log may have banks.</summary>
    public const int PcrSelections = 8;

    /// <summary>Registers of a TPM (PC Client Platform TPM Profile §4.6).</summary>
    public const int Pcrs = 24;

    /// <summary>An Azure HCL report: 2,600 bytes as recorded, the size of its NV index.</summary>
    public const int HclReportBytes = 8 * 1024;

    /// <summary>Azure vTPM evidence as JSON: 13 kB with a TD quote.</summary>
    public const int AzureEvidenceBytes = 256 * 1024;

    /// <summary>A public key as JWK: 600 bytes for RSA-4096.</summary>
    public const int JsonWebKeyBytes = 4 * 1024;

    /// <summary>A compact JWS. The claims of a device take 6 kB; one whose every measurement differs takes ten times that.</summary>
    public const int JwsCharacters = 256 * 1024;

    /// <summary>A detached EAT bundle: 256 devices of 8 kB each, and room.</summary>
    public const int EatBundleBytes = 8 * 1024 * 1024;

    /// <summary>The name of a submodule; ours and NVIDIA's are like <c>SWITCH-0</c>.</summary>
    public const int SubmoduleNameCharacters = 64;

    /// <summary>A JSON Web Key Set. NVIDIA's has a certificate chain of some kilobytes with each key.</summary>
    public const int KeySetBytes = 256 * 1024;

    /// <summary>An issuer's discovery document (OpenID Connect). Those of large providers have some kilobytes.</summary>
    public const int IssuerMetadataBytes = 64 * 1024;

    /// <summary>Keys in a JSON Web Key Set.</summary>
    public const int KeySetKeys = 64;

    /// <summary>A key identifier: a thumbprint has 43 characters, NVIDIA's 67.</summary>
    public const int KeyIdCharacters = 256;

    /// <summary>A PEM file with one private key: 400 bytes for P-384, 3.3 kB for RSA with 4096 bits.</summary>
    public const int SigningKeyBytes = 8 * 1024;

    /// <summary>An issuer or an audience, which are URIs or short names.</summary>
    public const int TokenNameCharacters = 512;

    /// <summary>A TDX quote with its zero padding. Recorded ones are 5 kB.</summary>
    public const int TdxQuoteBytes = 16 * 1024;

    /// <summary>Authentication data of a quoting enclave. Recorded ones have 32 bytes.</summary>
    public const int QeAuthenticationBytes = 1024;

    /// <summary>What Intel signed about TCBs, with its signature: 2 to 5 kB in recorded ones.</summary>
    public const int IntelStatementBytes = 256 * 1024;

    /// <summary>TCB levels of a platform, a TDX module or a quoting enclave. Recorded ones have at most 3, SGX platforms about 20.</summary>
    public const int TcbLevels = 256;

    /// <summary>TDX modules in one TCB information. Recorded ones have 2.</summary>
    public const int TdxModules = 64;

    /// <summary>Security advisories of one TCB level. Recorded ones have at most 19.</summary>
    public const int AdvisoryIds = 256;

    /// <summary>A short name in JSON that Intel signs: INTEL-SA-00106, TDX_01.</summary>
    public const int ShortNameCharacters = 64;

    /// <summary>TDX collateral in one JSON file. Recorded ones are 19 kB; PCK CRLs may grow to some hundred.</summary>
    public const int TdxCollateralBytes = 4 * 1024 * 1024;

    /// <summary>A table of certificates beside an SNP report: three certificates of 2 kB each, and room.</summary>
    public const int SnpCertificateTableBytes = 64 * 1024;

    /// <summary>A manifest of reference values: 2 kB for each configuration of an image. In base64url it fits a compact JWS.</summary>
    public const int ReferenceManifestBytes = 128 * 1024;

    /// <summary>Configurations of one kind in a manifest of reference values: machines differ in memory, processors and GPUs.</summary>
    public const int ReferenceManifestEntries = 64;

    /// <summary>The name or version of an image, or of one of its configurations.</summary>
    public const int ReferenceNameCharacters = 128;

    /// <summary>A bundle of collateral: 2 kB for each device of a fleet, manifests and lists.</summary>
    public const int BundleBytes = 64 * 1024 * 1024;

    /// <summary>The manifest of a bundle: 450 bytes for each item, 200 for each mark.</summary>
    public const int BundleManifestBytes = 16 * 1024 * 1024;

    /// <summary>Items of a bundle: one for each device, and some dozens.</summary>
    public const int BundleItems = 25_000;

    /// <summary>
    /// Files of one item that are tried until one verifies: as many as a folder of a processor's collateral may hold, so that no number of files that
    /// fits into it hides the good one. A signature costs less than a millisecond.
    /// </summary>
    public const int CollateralCandidates = 256;

    /// <summary>High-water marks in a bundle.</summary>
    public const int BundleMarks = 25_000;

    /// <summary>The highest sequence number: the largest integer that every reader of JSON holds exactly (RFC 7493 §2.2).</summary>
    public const long LargestSequence = 9007199254740991;
}

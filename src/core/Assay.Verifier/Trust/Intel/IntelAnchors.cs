using Assay.Wire;

namespace Assay.Trust.Intel;

/// <summary>Intel's root of PCK certificates, TCB information and enclave identities (Intel SGX Provisioning Certification Service).</summary>
internal static class IntelAnchors
{
    /// <summary>CN=Intel SGX Root CA, O=Intel Corporation; 2018-05-21 to 2049-12-31. A P-256 point, uncompressed, X‖Y big-endian.</summary>
    public static TrustAnchor SgxRoot { get; } = new(
        "Intel SGX Root CA",
        new Digest(Convert.FromHexString("44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3")),
        Convert.FromHexString(P256Prefix
            + "040ba9c4c0c0c86193a3fe23d6b02cda10a8bbd4e88e48b4458561a36e705525f5"
            + "67918e2edc88e40d860bd0cc4ee26aacc988e505a953558c453f6b0904ae7394"));

    // AlgorithmIdentifier {id-ecPublicKey, prime256v1} and the BIT STRING header (RFC 5480 §2.1).
    private const string P256Prefix = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
}

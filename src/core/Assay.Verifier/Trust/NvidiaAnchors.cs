using Assay.Wire;

namespace Assay.Trust;

/// <summary>
/// NVIDIA's roots, from the certificates that its verifiers compile in (device root and first RIM root: nvtrust and attestation-sdk;
/// second RIM root: attestation-sdk 2.x). P-384 points are uncompressed, X‖Y big-endian.
/// </summary>
internal static class NvidiaAnchors
{
    /// <summary>O=NVIDIA, CN=NVIDIA Device Identity CA; 2021-11-05 to 9999-12-31. GPUs and switches alike.</summary>
    public static TrustAnchor DeviceIdentity { get; } = Anchor(
        "NVIDIA Device Identity CA",
        "102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48",
        "040e4c14a33bf8a5626658db4129607e4cbf4519c4412716f4d0d917c4978005bdeabeaefd57bc66082d718a4f8b6052e1"
        + "516ee8a7c422b84de857071bb58fd395bea0cfa1c63ee7c80d6bd63901d91cbbd187d3857dc16b5cceaf238ff8c27dbd");

    /// <summary>C=US, O=NVIDIA, CN=NVIDIA CoRIM signing Root CA; 2023-03-16 to 2053-03-08. RIMs only (S-12).</summary>
    public static TrustAnchor CorimSigning { get; } = Anchor(
        "NVIDIA CoRIM signing Root CA",
        "12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1",
        "04b840b28bdbcd33e230da57d4cf2065747030682d4717b4c2829d7641c1325139b74da831c2be3c779e7e2b6548956608"
        + "0e4ecd94021075c57f15fedeb862c8f906ae8fddc7b12238597dbdf0fa56e78453833f6d0be43af3871a47f057584799");

    /// <summary>C=US, O=NVIDIA Corporation, CN=NVIDIA CoRIM Root CA001; 2026-01-01 to 2056-01-01. RIMs only (S-12).</summary>
    public static TrustAnchor Corim001 { get; } = Anchor(
        "NVIDIA CoRIM Root CA001",
        "35e7a947caff230efc27ba93dd75af135077af4cd244ce465e111e2bae663e5e",
        "049dec8d22082b968c7105405c8ce55c49206684ffb3319abd0e960d574093ed490d03b8ffeaf8ec9b93c7e72d736e2591"
        + "2bdbf61574efb5f93fb9cb598504f6a84637402f39aba52eb46f6b96e5707634c0ece2b4510554084ffcc9c0d0b7dd2c");

    // AlgorithmIdentifier {id-ecPublicKey, secp384r1} and the BIT STRING header (RFC 5480 §2.1).
    private const string P384Prefix = "3076301006072a8648ce3d020106052b81040022036200";

    private static TrustAnchor Anchor(string label, string fingerprint, string point) =>
        new(label, new Digest(Convert.FromHexString(fingerprint)), Convert.FromHexString(P384Prefix + point));
}

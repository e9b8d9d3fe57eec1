namespace Assay.Sealing.Jose;

/// <summary>How the content key reaches the recipient (RFC 7518 §4.1). The content is under A256GCM always.</summary>
public enum JweAlgorithm
{
    /// <summary>By the key: <see cref="EcdhEsA256Kw"/> on a curve, <see cref="RsaOaep256"/> with RSA.</summary>
    OfKey,

    /// <summary><c>ECDH-ES</c>: the agreement is the content key.</summary>
    EcdhEs,

    /// <summary><c>ECDH-ES+A256KW</c>: the agreement wraps the content key.</summary>
    EcdhEsA256Kw,

    /// <summary><c>RSA-OAEP-256</c>.</summary>
    RsaOaep256,
}

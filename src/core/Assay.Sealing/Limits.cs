namespace Assay.Sealing;

/// <summary>Every limit on foreign input, with its source.</summary>
internal static class Limits
{
    /// <summary>A JWE as text. Keys and small secrets travel as JWE, files do not.</summary>
    public const int JweBytes = 1 << 20;

    /// <summary>Nesting of JSON: the deepest that is read is a recipient's epk.</summary>
    public const int JsonDepth = 6;

    /// <summary>Info and exporter context of HPKE, bytes.</summary>
    public const int HpkeInfoBytes = 64 * 1024;

    /// <summary>Messages of one HPKE context: far below what AES-GCM bears under one key.</summary>
    public const long HpkeMessages = 1L << 32;

    /// <summary>A wrapped key. AES-KWP itself would allow 4 GiB.</summary>
    public const int WrappedKeyBytes = 64 * 1024;

    /// <summary>CMS EnvelopedData around one key.</summary>
    public const int CmsBytes = 16 * 1024;

    /// <summary>Segments of the content of a CMS message in indefinite form.</summary>
    public const int CmsSegments = 64;

    /// <summary>A public key as JWK, PEM or DER.</summary>
    public const int PublicKeyBytes = 64 * 1024;

    /// <summary>Smallest RSA modulus that anything is sealed to, bits.</summary>
    public const int SmallestRsaBits = 3072;

    /// <summary>Largest RSA modulus, bits.</summary>
    public const int LargestRsaBits = 4096;

    /// <summary>The header of a pack, and the list of its sealed keys, bytes.</summary>
    public const int PackHeaderBytes = 64 * 1024;

    /// <summary>Keys that one file is sealed to.</summary>
    public const int Recipients = 64;

    /// <summary>Characters of an id.</summary>
    public const int IdCharacters = 255;

    /// <summary>Plain bytes of one file: 2^38 chunks of 16 KiB (C2SP chunked-encryption).</summary>
    public const long PackPlainBytes = (1L << 52) - 1;
}

using System.Security.Cryptography;

namespace Assay.Wire;

/// <summary>Hash algorithms under the numbers that the TCG gives them (TCG Algorithm Registry, TPM_ALG_ID). Each is a bank of registers.</summary>
public enum TcgHash
{
    /// <summary>Not told: nothing is hashed.</summary>
    None = 0,

    /// <summary>Read in logs, believed nowhere.</summary>
    Sha1 = 0x0004,

    /// <summary>The common bank of PCRs.</summary>
    Sha256 = 0x000B,

    /// <summary>RTMRs of TDX, and a bank of PCRs.</summary>
    Sha384 = 0x000C,

    /// <summary>A rare bank.</summary>
    Sha512 = 0x000D,
}

/// <summary>Sizes, names and the functions themselves.</summary>
internal static class TcgHashes
{
    public const int LargestSize = SHA512.HashSizeInBytes;

    extension(TcgHash hash)
    {
        /// <summary>Bytes of a digest; 0 for None and for numbers that are not known.</summary>
        public int Size => hash switch
        {
            TcgHash.Sha1 => SHA1.HashSizeInBytes,
            TcgHash.Sha256 => SHA256.HashSizeInBytes,
            TcgHash.Sha384 => SHA384.HashSizeInBytes,
            TcgHash.Sha512 => SHA512.HashSizeInBytes,
            _ => 0,
        };

        /// <summary>Whether a signature or a register over it is believed: SHA-1 is not.</summary>
        public bool IsStrong => hash is TcgHash.Sha256 or TcgHash.Sha384 or TcgHash.Sha512;

        public HashAlgorithmName Name => hash switch
        {
            TcgHash.Sha1 => HashAlgorithmName.SHA1,
            TcgHash.Sha256 => HashAlgorithmName.SHA256,
            TcgHash.Sha384 => HashAlgorithmName.SHA384,
            TcgHash.Sha512 => HashAlgorithmName.SHA512,
            _ => throw new InvalidOperationException("no hash was stated"),
        };

        public string Label => hash switch
        {
            TcgHash.Sha1 => "SHA-1",
            TcgHash.Sha256 => "SHA-256",
            TcgHash.Sha384 => "SHA-384",
            TcgHash.Sha512 => "SHA-512",
            _ => "no hash",
        };

        /// <summary>Writes the digest of <paramref name="content"/>; the target may overlap with it.</summary>
        public void Compute(ReadOnlySpan<byte> content, Span<byte> target) => _ = hash switch
        {
            TcgHash.Sha1 => SHA1.HashData(content, target),
            TcgHash.Sha256 => SHA256.HashData(content, target),
            TcgHash.Sha384 => SHA384.HashData(content, target),
            TcgHash.Sha512 => SHA512.HashData(content, target),
            _ => throw new InvalidOperationException("no hash was stated"),
        };

        public Digest Of(ReadOnlySpan<byte> content)
        {
            Span<byte> digest = stackalloc byte[LargestSize];
            hash.Compute(content, digest);
            return new Digest(digest[..hash.Size]);
        }
    }
}

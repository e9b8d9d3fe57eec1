using System.Buffers.Binary;
using System.Security.Cryptography;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Packs;

/// <summary>
/// Cobblestone-256 of C2SP chunked-encryption: HKDF-Expand with SHA-512 (no extract) of the data key over the algorithm's name, 00, the salt and
/// the context gives key[32], base nonce[12] and commitment[32]. Integers are big-endian.
/// </summary>
internal sealed class PackKeys : IDisposable
{
    public const int DataKeyBytes = 32;
    public const int SaltBytes = 24;
    public const int CommitmentBytes = 32;
    public const int ChunkBytes = 16 * 1024;
    public const int TagBytes = 16;
    public const int SealedChunkBytes = ChunkBytes + TagBytes;

    private const int KeyBytes = 32;
    private const int NonceBytes = 12;

    private readonly AesGcm _gcm;
    private readonly byte[] _baseNonce;

    private PackKeys(AesGcm gcm, byte[] baseNonce, byte[] commitment) => (_gcm, _baseNonce, Commitment) = (gcm, baseNonce, commitment);

    /// <summary>Binds the text to this key and context: another key that opens a chunk by chance or by craft has another one.</summary>
    public byte[] Commitment { get; }

    public static PackKeys Derive(SecretBuffer dataKey, ReadOnlySpan<byte> salt, ReadOnlySpan<byte> context, SecretMemory memory)
    {
        if (dataKey.Length != DataKeyBytes)
        {
            throw new ArgumentException($"a data key has {DataKeyBytes} bytes", nameof(dataKey));
        }

        byte[] info = [.. System.Text.Encoding.ASCII.GetBytes(PackHeader.Algorithm), 0, .. salt, .. context];
        // .NET refuses a key shorter than the hash. HMAC fills keys up with zeros to its block (RFC 2104 §2), so zeros behind it change nothing.
        using var padded = memory.Allocate(SHA512.HashSizeInBytes);
        using var output = memory.Allocate(KeyBytes + NonceBytes + CommitmentBytes);
        try
        {
            using SecretBuffer.Borrowed given = dataKey.Borrow(), key = padded.Borrow(), derived = output.Borrow();
            given.Bytes.CopyTo(key.Bytes);
            HKDF.Expand(HashAlgorithmName.SHA512, key.Bytes, derived.Bytes, info);
            var nonce = derived.Bytes.Slice(KeyBytes, NonceBytes).ToArray();
            return new PackKeys(new AesGcm(derived.Bytes[..KeyBytes], TagBytes), nonce, derived.Bytes[(KeyBytes + NonceBytes)..].ToArray());
        }
        finally
        {
            StackWipe.Run();
        }
    }

    public void Seal(long chunk, ReadOnlySpan<byte> plaintext, Span<byte> sealedChunk)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        Number(chunk, nonce);
        _gcm.Encrypt(nonce, plaintext, sealedChunk[..plaintext.Length], sealedChunk.Slice(plaintext.Length, TagBytes));
    }

    /// <summary>Whether it is that chunk; if not, <paramref name="plaintext"/> is all zero.</summary>
    public bool TryOpen(long chunk, ReadOnlySpan<byte> sealedChunk, Span<byte> plaintext)
    {
        Span<byte> nonce = stackalloc byte[NonceBytes];
        Number(chunk, nonce);
        try
        {
            _gcm.Decrypt(nonce, sealedChunk[..^TagBytes], sealedChunk[^TagBytes..], plaintext);
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            CryptographicOperations.ZeroMemory(plaintext);
            return false;
        }
    }

    public void Dispose() => _gcm.Dispose();

    private void Number(long chunk, Span<byte> nonce)
    {
        nonce[..4].Clear();
        BinaryPrimitives.WriteInt64BigEndian(nonce[4..], chunk);
        for (var index = 0; index < NonceBytes; index++)
        {
            nonce[index] ^= _baseNonce[index];
        }
    }
}

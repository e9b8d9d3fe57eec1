using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;

namespace Assay.Sealing.Cms;

/// <summary>
/// CMS EnvelopedData around one key (RFC 5652 §6), in the form that AWS KMS answers an enclave with: version 2, one recipient by subject key
/// identifier, RSAES-OAEP with SHA-256 (RFC 4055 §4.1), AES-256-CBC; DER, or BER with indefinite lengths.
/// </summary>
/// <remarks>
/// AES-CBC authenticates nothing: a bit flipped in the IV or the text changes the content, and CMS cannot tell. Open it only over a channel that
/// does, and check what the content is for. The identifier of the recipient is not compared: KMS chooses one of its own, and there is one recipient.
/// </remarks>
public static unsafe class EnvelopedKey
{
    private const int KeyBytes = 32;
    private const int BlockBytes = EnvelopedMessage.BlockBytes;
    private const int IdentifierBytes = 20;

    /// <summary>Seals to an RSA key, as DER.</summary>
    /// <param name="recipient">RSA.</param>
    /// <param name="keyIdentifier">The recipient's subject key identifier, 1 to 64 bytes; SHA-1 of its key if empty, as certificates have it.</param>
    /// <param name="secret">The content.</param>
    /// <param name="memory">Where the content key is.</param>
    /// <exception cref="SealingException">Memory that cannot be locked, or no libcrypto.</exception>
    public static byte[] Seal(SealingPublicKey recipient, ReadOnlySpan<byte> keyIdentifier, SecretBuffer secret, SecretMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(recipient);
        ArgumentNullException.ThrowIfNull(secret);
        if (recipient.Curve is not null)
        {
            throw new ArgumentException("an RSA key is expected", nameof(recipient));
        }

        ArgumentOutOfRangeException.ThrowIfGreaterThan(keyIdentifier.Length, 64, nameof(keyIdentifier));
        using var key = (memory ?? SecretMemory.Locked).Random(KeyBytes);
        var iv = RandomNumberGenerator.GetBytes(BlockBytes);
        byte[] text;
        using (var lent = secret.Borrow())
        {
            text = new byte[(secret.Length / BlockBytes * BlockBytes) + BlockBytes];
            fixed (byte* output = text)
            {
                Libcrypto.Must(Crypt(key, iv, encrypt: true, lent.Pointer, secret.Length, output) == text.Length ? 1 : 0, "EVP_CipherFinal_ex");
            }
        }

        var identifier = keyIdentifier.IsEmpty ? IdentifierOf(recipient) : keyIdentifier.ToArray();
        return new EnvelopedMessage(RsaKey.Encrypt(recipient.Bytes, 65537, key), iv, text).ToDer(identifier);
    }

    /// <summary>Opens it. What it answers is not authentic by itself: see the remarks of this type.</summary>
    /// <param name="pair">RSA.</param>
    /// <param name="message">DER or BER, 16384 bytes at most.</param>
    /// <param name="secret">Disposed by the caller.</param>
    /// <param name="fault"><see cref="SealingFaults.CmsForm"/>, <see cref="SealingFaults.CmsAlgorithm"/>, <see cref="SealingFaults.NotOpened"/>.</param>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public static bool TryOpen(SealingKeyPair pair, ReadOnlySpan<byte> message, [NotNullWhen(true)] out SecretBuffer? secret, [NotNullWhen(false)] out SealingFault? fault)
    {
        ArgumentNullException.ThrowIfNull(pair);
        secret = null;
        if (pair.PublicKey.Curve is not null)
        {
            fault = new SealingFault(SealingFaults.CmsAlgorithm, "this form of CMS needs an RSA key", "choose the key to which it was sealed");
            return false;
        }

        var (parts, whyNot) = EnvelopedMessage.Of(message);
        if (parts is null)
        {
            fault = whyNot!;
            return false;
        }

        // As libcrypto does it: a key that does not open is replaced by a random one, so that both failures look alike.
        using var opened = pair.Decrypt(parts.EncryptedKey);
        using var key = opened is { Length: KeyBytes } ? null : pair.Memory.Random(KeyBytes);
        secret = Decrypt(key ?? opened!, parts, pair.Memory);
        fault = secret is null ? SealingFaults.NotThisKey : null;
        return secret is not null;
    }

    private static SecretBuffer? Decrypt(SecretBuffer key, EnvelopedMessage parts, SecretMemory memory)
    {
        using var padded = memory.Allocate(parts.Text.Length + BlockBytes);
        using var output = padded.Borrow();
        fixed (byte* input = parts.Text)
        {
            var written = Crypt(key, parts.Iv, encrypt: false, input, parts.Text.Length, output.Pointer);
            return written >= 0 ? memory.CopyOf(output.Bytes[..written]) : null;
        }
    }

    // With PKCS#7 padding; the bytes that were written, or less than 0 where the padding is wrong.
    private static int Crypt(SecretBuffer key, ReadOnlySpan<byte> iv, bool encrypt, byte* input, int length, byte* output)
    {
        Libcrypto.Require();
        using var lent = key.Borrow();
        try
        {
            fixed (byte* name = "AES-256-CBC\0"u8, start = iv)
            {
                using var cipher = Libcrypto.EVP_CIPHER_fetch(0, name, 0);
                using var context = Libcrypto.EVP_CIPHER_CTX_new();
                Libcrypto.Must(cipher.IsInvalid || context.IsInvalid ? 0 : 1, "EVP_CIPHER_fetch");
                Libcrypto.Must(Libcrypto.EVP_CipherInit_ex2(context, cipher, lent.Pointer, start, encrypt ? 1 : 0, 0), "EVP_CipherInit_ex2");
                Libcrypto.Must(Libcrypto.EVP_CipherUpdate(context, output, out var written, input, length), "EVP_CipherUpdate");
                var done = Libcrypto.EVP_CipherFinal_ex(context, output + written, out var last) == 1;
                Libcrypto.ERR_clear_error();
                return done ? written + last : -1;
            }
        }
        finally
        {
            StackWipe.Run();
        }
    }

    private static byte[] IdentifierOf(SealingPublicKey recipient)
    {
        // RFC 5280 §4.2.1.2 (1): SHA-1 of the key's bits. A name, not a proof.
        var identifier = new byte[IdentifierBytes];
        SHA1.HashData(recipient.RsaDer(), identifier);
        return identifier;
    }
}

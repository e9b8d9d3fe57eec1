using System.Diagnostics.CodeAnalysis;
using System.Formats.Asn1;
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
    private const string EnvelopedData = "1.2.840.113549.1.7.3";
    private const string Data = "1.2.840.113549.1.7.1";
    private const string RsaesOaep = "1.2.840.113549.1.1.7";
    private const string Mgf1 = "1.2.840.113549.1.1.8";
    private const string PSpecified = "1.2.840.113549.1.1.9";
    private const string Sha256 = "2.16.840.1.101.3.4.2.1";
    private const string Aes256Cbc = "2.16.840.1.101.3.4.1.42";
    private const int KeyBytes = 32;
    private const int BlockBytes = 16;
    private const int IdentifierBytes = 20;

    private static readonly Asn1Tag s_first = new(TagClass.ContextSpecific, 0);
    private static readonly Asn1Tag s_second = new(TagClass.ContextSpecific, 1);
    private static readonly Asn1Tag s_third = new(TagClass.ContextSpecific, 2);

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
        return Write(identifier, RsaKey.Encrypt(recipient.Bytes, 65537, key), iv, text);
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

        Parts parts;
        try
        {
            fault = Read(message, out parts);
        }
        catch (AsnContentException)
        {
            fault = Malformed("its structure is broken, or another one");
            return false;
        }

        if (fault is not null)
        {
            return false;
        }

        // As libcrypto does it: a key that does not open is replaced by a random one, so that both failures look alike.
        using var opened = pair.Decrypt(parts.EncryptedKey);
        using var key = opened is { Length: KeyBytes } ? null : pair.Memory.Random(KeyBytes);
        secret = Decrypt(key ?? opened!, parts, pair.Memory);
        fault = secret is null ? SealingFaults.NotThisKey : null;
        return secret is not null;
    }

    private readonly record struct Parts(byte[] EncryptedKey, byte[] Iv, byte[] Text);

    private static SealingFault Malformed(string problem) =>
        new(SealingFaults.CmsForm, $"not CMS EnvelopedData of the form that is read: {problem}", "expected: one recipient by key identifier, RSAES-OAEP with SHA-256, AES-256-CBC");

    private static SealingFault Refused(string problem) => new(SealingFaults.CmsAlgorithm, problem, "ask for RSAES-OAEP with SHA-256 and AES-256-CBC");

    private static SealingFault? Read(ReadOnlySpan<byte> message, out Parts parts)
    {
        parts = default;
        if (message.Length > Limits.CmsBytes)
        {
            return Malformed($"longer than {Limits.CmsBytes} bytes");
        }

        var whole = new AsnReader(message.ToArray(), AsnEncodingRules.BER);
        var info = whole.ReadSequence();
        whole.ThrowIfNotEmpty();
        if (info.ReadObjectIdentifier() != EnvelopedData)
        {
            return Malformed("another content type");
        }

        var wrapped = info.ReadSequence(s_first);
        info.ThrowIfNotEmpty();
        var data = wrapped.ReadSequence();
        wrapped.ThrowIfNotEmpty();
        if (!data.TryReadInt32(out var version) || version != 2)
        {
            return Malformed("the version is not 2");
        }

        var recipients = data.ReadSetOf(skipSortOrderValidation: true);
        var recipient = recipients.ReadSequence();
        recipients.ThrowIfNotEmpty();
        if (ReadRecipient(recipient, out var encryptedKey) is { } refused)
        {
            return refused;
        }

        var fault = ReadContent(data.ReadSequence(), encryptedKey, out parts);
        // What follows a content that is refused was not read, and is not said to be wrong.
        if (fault is null)
        {
            data.ThrowIfNotEmpty();
        }

        return fault;
    }

    private static SealingFault? ReadRecipient(AsnReader recipient, out byte[] encryptedKey)
    {
        encryptedKey = [];
        if (!recipient.TryReadInt32(out var version) || version != 2)
        {
            return Malformed("the recipient is not named by its key identifier");
        }

        recipient.ReadOctetString(s_first);
        var algorithm = recipient.ReadSequence();
        if (algorithm.ReadObjectIdentifier() != RsaesOaep)
        {
            return Refused("the key is not encrypted with RSAES-OAEP");
        }

        var parameters = algorithm.ReadSequence();
        algorithm.ThrowIfNotEmpty();
        // Absent fields mean SHA-1.
        if (!HasSha256(parameters, s_first) || !HasMaskOfSha256(parameters) || !HasEmptyLabel(parameters))
        {
            return Refused("RSAES-OAEP with other parameters than SHA-256 for hash and mask, and an empty label");
        }

        parameters.ThrowIfNotEmpty();
        encryptedKey = recipient.ReadOctetString();
        recipient.ThrowIfNotEmpty();
        return null;
    }

    private static SealingFault? ReadContent(AsnReader content, byte[] encryptedKey, out Parts parts)
    {
        parts = default;
        if (content.ReadObjectIdentifier() != Data)
        {
            return Malformed("the content is of another type than data");
        }

        var algorithm = content.ReadSequence();
        if (algorithm.ReadObjectIdentifier() != Aes256Cbc)
        {
            return Refused("the content is not encrypted with AES-256-CBC");
        }

        var iv = algorithm.ReadOctetString();
        algorithm.ThrowIfNotEmpty();
        var text = ReadText(content);
        content.ThrowIfNotEmpty();
        if (iv.Length != BlockBytes || text.Length == 0 || text.Length % BlockBytes != 0)
        {
            return Malformed("iv or content of a length that AES-CBC does not have");
        }

        parts = new Parts(encryptedKey, iv, text);
        return null;
    }

    // Primitive, or segments one behind the other; segments in segments are refused.
    private static byte[] ReadText(AsnReader content)
    {
        if (!content.PeekTag().IsConstructed)
        {
            return content.ReadOctetString(s_first);
        }

        var segments = content.ReadSequence(s_first);
        var text = new List<byte>();
        for (var count = 0; segments.HasData; count++)
        {
            if (count == Limits.CmsSegments || segments.PeekTag().IsConstructed)
            {
                throw new AsnContentException("segments");
            }

            text.AddRange(segments.ReadOctetString());
        }

        return [.. text];
    }

    private static bool HasSha256(AsnReader parameters, Asn1Tag tag)
    {
        if (!parameters.HasData || !parameters.PeekTag().HasSameClassAndValue(tag))
        {
            return false;
        }

        var field = parameters.ReadSequence(tag);
        var isSha256 = IsSha256(field.ReadSequence());
        field.ThrowIfNotEmpty();
        return isSha256;
    }

    private static bool HasMaskOfSha256(AsnReader parameters)
    {
        if (!parameters.HasData || !parameters.PeekTag().HasSameClassAndValue(s_second))
        {
            return false;
        }

        var field = parameters.ReadSequence(s_second);
        var mask = field.ReadSequence();
        field.ThrowIfNotEmpty();
        if (mask.ReadObjectIdentifier() != Mgf1)
        {
            return false;
        }

        var isSha256 = IsSha256(mask.ReadSequence());
        mask.ThrowIfNotEmpty();
        return isSha256;
    }

    private static bool HasEmptyLabel(AsnReader parameters)
    {
        if (!parameters.HasData)
        {
            return true;
        }

        var field = parameters.ReadSequence(s_third);
        var source = field.ReadSequence();
        field.ThrowIfNotEmpty();
        var isEmpty = source.ReadObjectIdentifier() == PSpecified && source.ReadOctetString().Length == 0;
        source.ThrowIfNotEmpty();
        return isEmpty;
    }

    // Parameters absent or NULL: RFC 4055 §2.1 wants both accepted.
    private static bool IsSha256(AsnReader algorithm)
    {
        var oid = algorithm.ReadObjectIdentifier();
        if (algorithm.HasData)
        {
            algorithm.ReadNull();
        }

        algorithm.ThrowIfNotEmpty();
        return oid == Sha256;
    }

    private static SecretBuffer? Decrypt(SecretBuffer key, Parts parts, SecretMemory memory)
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

    private static byte[] Write(byte[] identifier, byte[] encryptedKey, byte[] iv, byte[] text)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(EnvelopedData);
            using (writer.PushSequence(s_first))
            using (writer.PushSequence())
            {
                writer.WriteInteger(2);
                using (writer.PushSetOf())
                using (writer.PushSequence())
                {
                    writer.WriteInteger(2);
                    writer.WriteOctetString(identifier, s_first);
                    WriteOaep(writer);
                    writer.WriteOctetString(encryptedKey);
                }

                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(Data);
                    using (writer.PushSequence())
                    {
                        writer.WriteObjectIdentifier(Aes256Cbc);
                        writer.WriteOctetString(iv);
                    }

                    writer.WriteOctetString(text, s_first);
                }
            }
        }

        return writer.Encode();
    }

    private static void WriteOaep(AsnWriter writer)
    {
        using (writer.PushSequence())
        {
            writer.WriteObjectIdentifier(RsaesOaep);
            using (writer.PushSequence())
            {
                using (writer.PushSequence(s_first))
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(Sha256);
                }

                using (writer.PushSequence(s_second))
                using (writer.PushSequence())
                {
                    writer.WriteObjectIdentifier(Mgf1);
                    using (writer.PushSequence())
                    {
                        writer.WriteObjectIdentifier(Sha256);
                    }
                }
            }
        }
    }
}

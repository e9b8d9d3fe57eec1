using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Wrapping;

namespace Assay.Sealing.Jose;

/// <summary>
/// JWE (RFC 7516, RFC 7518 §4.3, §4.6): ECDH-ES and ECDH-ES+A256KW on P-256, P-384 and P-521, RSA-OAEP-256; A256GCM. The list is ours, and a
/// header that names another algorithm is refused. Nothing in a JWE says who sealed it.
/// </summary>
public static class Jwe
{
    private const int KeyBytes = 32;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;

    /// <summary>Seals in compact form: ASCII with four dots.</summary>
    /// <exception cref="SealingException">Memory that cannot be locked, or no libcrypto.</exception>
    public static string SealCompact(SealingPublicKey recipient, ReadOnlySpan<byte> plaintext, JweTerms? terms = null, SecretMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(recipient);
        var parts = Seal(recipient, plaintext, terms ?? new JweTerms(), aad: null, memory ?? SecretMemory.Locked);
        return string.Join('.', parts.Protected, parts.Key, parts.Nonce, parts.Text, parts.Tag);
    }

    /// <summary>Seals in flattened JSON form, with data that is authenticated beside the content.</summary>
    /// <exception cref="SealingException">Memory that cannot be locked, or no libcrypto.</exception>
    public static string SealFlattened(SealingPublicKey recipient, ReadOnlySpan<byte> plaintext, ReadOnlySpan<byte> associated, JweTerms? terms = null, SecretMemory? memory = null)
    {
        ArgumentNullException.ThrowIfNull(recipient);
        var aad = associated.IsEmpty ? null : Base64Url.EncodeToString(associated);
        var parts = Seal(recipient, plaintext, terms ?? new JweTerms(), aad, memory ?? SecretMemory.Locked);
        var extra = (aad is null ? "" : $"\"aad\":\"{aad}\",") + (parts.Key.Length == 0 ? "" : $"\"encrypted_key\":\"{parts.Key}\",");
        return $$"""{"protected":"{{parts.Protected}}",{{extra}}"iv":"{{parts.Nonce}}","ciphertext":"{{parts.Text}}","tag":"{{parts.Tag}}"}""";
    }

    /// <summary>Opens a JWE in compact or flattened form.</summary>
    /// <param name="pair">The recipient.</param>
    /// <param name="jwe">ASCII, one megabyte at most.</param>
    /// <param name="plaintext">Disposed by the caller.</param>
    /// <param name="fault"><see cref="SealingFaults.JweForm"/>, <see cref="SealingFaults.JweAlgorithm"/>, and <see cref="SealingFaults.NotOpened"/> for all that depends on secrets.</param>
    /// <exception cref="SealingException">Memory that cannot be locked.</exception>
    public static bool TryOpen(SealingKeyPair pair, ReadOnlySpan<byte> jwe, [NotNullWhen(true)] out SecretBuffer? plaintext, [NotNullWhen(false)] out SealingFault? fault)
    {
        ArgumentNullException.ThrowIfNull(pair);
        plaintext = null;
        var (message, whyNot) = JweMessage.Of(jwe);
        if (message is null)
        {
            fault = whyNot!;
            return false;
        }

        var header = message.Header;
        var ofCurve = header.Algorithm is not JweAlgorithm.RsaOaep256;
        if (ofCurve != (pair.PublicKey.Curve is not null) || (ofCurve && header.Ephemeral!.Kind != pair.PublicKey.Kind))
        {
            fault = new SealingFault(SealingFaults.JweAlgorithm, $"{header.AlgorithmName} of this JWE does not fit a key of kind {pair.PublicKey.Kind}", "choose the key to which it was sealed");
            return false;
        }

        try
        {
            using var key = ContentKey(pair, message);
            plaintext = Decrypt(key, message, pair.Memory);
            fault = plaintext is null ? SealingFaults.NotThisKey : null;
            return plaintext is not null;
        }
        finally
        {
            StackWipe.Run();
        }
    }

    /// <summary>The <c>kid</c> of a JWE, to choose a key by: null without one, or where it is no JWE.</summary>
    public static string? KeyIdOf(ReadOnlySpan<byte> jwe) => JweMessage.Of(jwe).Message?.Header.KeyId;

    // A key that does not unwrap is replaced by a random one: what follows fails as it does for a changed text, at the same place.
    private static SecretBuffer ContentKey(SealingKeyPair pair, JweMessage message)
    {
        var key = message.Header.Algorithm switch
        {
            JweAlgorithm.RsaOaep256 => pair.Decrypt(message.EncryptedKey),
            JweAlgorithm.EcdhEs => Agreed(pair, message.Header),
            _ => Unwrapped(pair, message),
        };
        if (key is { Length: KeyBytes })
        {
            return key;
        }

        key?.Dispose();
        return pair.Memory.Random(KeyBytes);
    }

    private static SecretBuffer? Unwrapped(SealingKeyPair pair, JweMessage message)
    {
        using var wrapping = Agreed(pair, message.Header);
        return AesKeyWrap.UnwrapWhole(wrapping, message.EncryptedKey, pair.Memory);
    }

    private static SecretBuffer Agreed(SealingKeyPair pair, JweHeader header)
    {
        using var agreement = pair.Agree(header.Ephemeral!.Bytes)!;
        return ConcatKdf.Derive(agreement, Purpose(header.Algorithm), header.PartyU, header.PartyV, pair.Memory);
    }

    private static string Purpose(JweAlgorithm algorithm) => algorithm is JweAlgorithm.EcdhEs ? JweHeader.ContentAlgorithm : JweHeader.NameOf(algorithm);

    private static SecretBuffer? Decrypt(SecretBuffer key, JweMessage message, SecretMemory memory)
    {
        var plaintext = memory.Allocate(message.Ciphertext.Length);
        try
        {
            using SecretBuffer.Borrowed lent = key.Borrow(), output = plaintext.Borrow();
            using var gcm = new AesGcm(lent.Bytes, TagBytes);
            gcm.Decrypt(message.Nonce, message.Ciphertext, message.Tag, output.Bytes, message.Associated);
            return plaintext;
        }
        catch (AuthenticationTagMismatchException)
        {
            plaintext.Dispose();
            return null;
        }
    }

    private static (string Protected, string Key, string Nonce, string Text, string Tag) Seal(SealingPublicKey recipient, ReadOnlySpan<byte> plaintext, JweTerms terms, string? aad, SecretMemory memory)
    {
        try
        {
            var algorithm = AlgorithmFor(recipient, terms.Algorithm);
            using var ephemeral = algorithm is JweAlgorithm.RsaOaep256 ? null : SealingKeyPair.GenerateEphemeralKeyPair(recipient.Kind, memory);
            using var agreed = ephemeral is null ? null : AgreedWith(recipient, ephemeral, algorithm, terms);
            using var own = algorithm is JweAlgorithm.EcdhEs ? null : memory.Random(KeyBytes);
            byte[] wrapped = algorithm switch
            {
                JweAlgorithm.EcdhEs => [],
                JweAlgorithm.EcdhEsA256Kw => AesKeyWrap.WrapWhole(agreed!, own!),
                _ => RsaKey.Encrypt(recipient.Bytes, 65537, own!),
            };
            var header = Base64Url.EncodeToString(HeaderOf(algorithm, recipient, ephemeral?.PublicKey, terms));
            var nonce = RandomNumberGenerator.GetBytes(NonceBytes);
            var (text, tag) = (new byte[plaintext.Length], new byte[TagBytes]);
            using var key = (own ?? agreed!).Borrow();
            using var gcm = new AesGcm(key.Bytes, TagBytes);
            gcm.Encrypt(nonce, plaintext, text, tag, Encoding.ASCII.GetBytes(aad is null ? header : $"{header}.{aad}"));
            return (header, Base64Url.EncodeToString(wrapped), Base64Url.EncodeToString(nonce), Base64Url.EncodeToString(text), Base64Url.EncodeToString(tag));
        }
        finally
        {
            StackWipe.Run();
        }
    }

    private static JweAlgorithm AlgorithmFor(SealingPublicKey recipient, JweAlgorithm asked)
    {
        var ofCurve = recipient.Curve is not null;
        if (asked is JweAlgorithm.OfKey)
        {
            return ofCurve ? JweAlgorithm.EcdhEsA256Kw : JweAlgorithm.RsaOaep256;
        }

        return asked is JweAlgorithm.RsaOaep256 != ofCurve ? asked : throw new ArgumentException($"{JweHeader.NameOf(asked)} does not fit a key of kind {recipient.Kind}", nameof(asked));
    }

    private static SecretBuffer AgreedWith(SealingPublicKey recipient, SealingKeyPair ephemeral, JweAlgorithm algorithm, JweTerms terms)
    {
        using var agreement = ephemeral.Agree(recipient.Bytes)!;
        return ConcatKdf.Derive(agreement, Purpose(algorithm), terms.PartyU.Span, terms.PartyV.Span, ephemeral.Memory);
    }

    private static ReadOnlySpan<byte> HeaderOf(JweAlgorithm algorithm, SealingPublicKey recipient, SealingPublicKey? ephemeral, JweTerms terms)
    {
        var buffer = new System.Buffers.ArrayBufferWriter<byte>();
        // A plus sign as it is: readers that parse the header and write it again to authenticate it do not write it as an escape.
        using var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        writer.WriteStartObject();
        writer.WriteString("alg", JweHeader.NameOf(algorithm));
        writer.WriteString("enc", JweHeader.ContentAlgorithm);
        if (!terms.WithoutKeyId)
        {
            writer.WriteString("kid", terms.KeyId ?? recipient.Thumbprint);
        }

        if (terms.Type is { } type)
        {
            writer.WriteString("typ", type);
        }

        if (!terms.PartyU.IsEmpty)
        {
            writer.WriteString("apu", Base64Url.EncodeToString(terms.PartyU.Span));
        }

        if (!terms.PartyV.IsEmpty)
        {
            writer.WriteString("apv", Base64Url.EncodeToString(terms.PartyV.Span));
        }

        if (ephemeral is not null)
        {
            writer.WritePropertyName("epk");
            writer.WriteRawValue(ephemeral.Jwk);
        }

        writer.WriteEndObject();
        writer.Flush();
        return buffer.WrittenSpan;
    }
}

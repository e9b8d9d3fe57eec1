using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Numerics;
using System.Security.Cryptography;
using System.Text;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Trust.Tpm;

/// <summary>Fills a buffer with unpredictable bytes: <c>RandomNumberGenerator.Fill</c>. The verifier has no random source of its own.</summary>
public delegate void RandomFill(Span<byte> target);

/// <summary>
/// A credential for one attestation key, readable only by the TPM that holds the endorsement key, and only while that very key is loaded
/// in it: TPM2_MakeCredential in software (TPM 2.0 Library, Part 1 §24; Part 3 §12.6). Who answers with the secret has both keys in one
/// TPM. That this TPM is genuine is <see cref="EndorsementKey"/>'s word. Single use; the caller keeps it
/// short-lived and bound to its session.
/// </summary>
internal sealed class CredentialChallenge
{
    /// <summary>Bytes of the secret.</summary>
    public const int SecretSize = 32;

    private const uint Endorsement = 0x4000000B;
    private const int AesBlock = 16;

    private readonly TpmPublic _attestation;
    private readonly TpmPublic _endorsement;
    private bool _spent;

    private CredentialChallenge(Digest secretDigest, TpmPublic endorsement, TpmPublic attestation, byte[] credential, byte[] encryptedSecret)
    {
        SecretDigest = secretDigest;
        _endorsement = endorsement;
        _attestation = attestation;
        CredentialBlob = credential;
        EncryptedSecret = encryptedSecret;
    }

    /// <summary>TPMS_ID_OBJECT: the content of TPM2_ActivateCredential's credentialBlob.</summary>
    public ReadOnlyMemory<byte> CredentialBlob { get; }

    /// <summary>TPM2B_ENCRYPTED_SECRET's content: the seed, encrypted to the endorsement key.</summary>
    public ReadOnlyMemory<byte> EncryptedSecret { get; }

    /// <summary>SHA-256 of the secret, which itself is kept nowhere: who reads this cannot answer.</summary>
    public Digest SecretDigest { get; }

    /// <summary>
    /// Makes a challenge. The attestation key's name is computed here from its public area, so what the area says of the key is what the
    /// TPM must hold.
    /// </summary>
    /// <param name="endorsement">A key that is believed to be a genuine TPM's.</param>
    /// <param name="attestation">The key that wants to be believed; an area that is no attestation key's is refused.</param>
    /// <param name="random">Where the secret and the seed come from.</param>
    /// <param name="challenge">To be sent, and kept until the answer.</param>
    /// <param name="whyNot">Which key cannot take part, and why.</param>
    public static bool TryMake(
        EndorsementKey endorsement, TpmPublic attestation, RandomFill random, [NotNullWhen(true)] out CredentialChallenge? challenge, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(endorsement);
        ArgumentNullException.ThrowIfNull(attestation);
        ArgumentNullException.ThrowIfNull(random);
        challenge = null;
        if (!AttestationKey.TryBare(attestation, out _, out whyNot))
        {
            return false;
        }

        if (!TrySeed(endorsement.Public, random, out var seed, out var encrypted))
        {
            whyNot = "the endorsement key is not a valid public key";
            return false;
        }

        var secret = new byte[SecretSize];
        random(secret);
        challenge = new CredentialChallenge(Digest.Sha256(secret), endorsement.Public, attestation, Wrap(endorsement.Public, seed, attestation.Name, secret), encrypted);
        CryptographicOperations.ZeroMemory(secret);
        CryptographicOperations.ZeroMemory(seed);
        return true;
    }

    /// <summary>Takes the TPM's answer, once. Compared in constant time.</summary>
    public bool TryConfirm(ReadOnlySpan<byte> answer, [NotNullWhen(true)] out AttestationKey? key, [NotNullWhen(false)] out string? whyNot)
    {
        key = null;
        if (_spent)
        {
            whyNot = "the challenge was answered before";
            return false;
        }

        _spent = true;
        if (!IsSecret(answer, SecretDigest))
        {
            whyNot = "the answer is not the secret: the two keys are not in one TPM";
            return false;
        }

        return AttestationKey.TryActivated(_attestation, QualifiedName(), out key, out whyNot);
    }

    /// <summary>Whether an answer is the secret of this digest. Compared in constant time.</summary>
    internal static bool IsSecret(ReadOnlySpan<byte> answer, Digest secretDigest) =>
        CryptographicOperations.FixedTimeEquals(SHA256.HashData(answer), secretDigest.Bytes);

    // An attestation key under the endorsement key: what its quotes name as their signer (Part 1 §16.3).
    private byte[] QualifiedName()
    {
        var hierarchy = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(hierarchy, Endorsement);
        return _attestation.QualifiedName(_endorsement.QualifiedName(hierarchy));
    }

    private static bool TrySeed(TpmPublic key, RandomFill random, out byte[] seed, out byte[] encrypted) =>
        key.Type is TpmKeyType.Rsa ? TrySeedRsa(key, random, out seed, out encrypted) : TrySeedEcc(key, random, out seed, out encrypted);

    // Part 1 §B.10.4: RSAES-OAEP with the name's hash and the label "IDENTITY" with its NUL, which the platform's OAEP cannot take.
    private static bool TrySeedRsa(TpmPublic key, RandomFill random, out byte[] seed, out byte[] encrypted)
    {
        var hash = SHA256.HashSizeInBytes;
        seed = new byte[hash];
        random(seed);
        var size = key.First.Length;
        var block = new byte[size - hash - 1];
        SHA256.HashData("IDENTITY\0"u8, block);
        block[^(seed.Length + 1)] = 1;
        seed.CopyTo(block, block.Length - seed.Length);
        var mask = new byte[hash];
        random(mask);
        Xor(block, Mgf1(mask, block.Length));
        Xor(mask, Mgf1(block, mask.Length));
        var message = new BigInteger([0, .. mask, .. block], isUnsigned: true, isBigEndian: true);
        var modulus = new BigInteger(key.First.Span, isUnsigned: true, isBigEndian: true);
        encrypted = TpmPublic.Padded(BigInteger.ModPow(message, key.Exponent, modulus).ToByteArray(isUnsigned: true, isBigEndian: true), size);
        return !modulus.IsEven;
    }

    // Part 1 §C.6.1: one-pass Diffie-Hellman with a key of this moment.
    private static bool TrySeedEcc(TpmPublic key, RandomFill random, out byte[] seed, out byte[] encrypted)
    {
        (seed, encrypted) = ([], []);
        var scalar = new byte[key.First.Length];
        random(scalar);
        try
        {
            using var ephemeral = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, D = scalar });
            using var receiver = ECDiffieHellman.Create(new ECParameters { Curve = ECCurve.NamedCurves.nistP256, Q = new ECPoint { X = key.First.ToArray(), Y = key.Second.ToArray() } });
            var point = ephemeral.ExportParameters(false).Q;
            var shared = ephemeral.DeriveRawSecretAgreement(receiver.PublicKey);
            seed = SHA256.HashData([0, 0, 0, 1, .. shared, .. "IDENTITY\0"u8, .. point.X!, .. key.First.Span]);
            CryptographicOperations.ZeroMemory(shared);
            encrypted = [.. Sized(point.X!), .. Sized(point.Y!)];
            return true;
        }
        catch (CryptographicException)
        {
            // The point is not on the curve, or (once in 2³² times) the scalar is beyond its order.
            return false;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(scalar);
        }
    }

    // Part 1 §24.4: encrypted with a key from the seed and the name, then authenticated together with the name.
    private static byte[] Wrap(TpmPublic endorsement, byte[] seed, byte[] name, byte[] secret)
    {
        var symmetric = Kdf(seed, "STORAGE", name, endorsement.SymmetricKeyBits);
        var integrity = Kdf(seed, "INTEGRITY", [], 8 * SHA256.HashSizeInBytes);
        byte[] framed = Sized(secret);
        // CFB is a stream: what is encrypted behind the end is cut off.
        var padded = new byte[(framed.Length + AesBlock - 1) / AesBlock * AesBlock];
        framed.CopyTo(padded, 0);
        using var aes = Aes.Create();
        aes.Key = symmetric;
        var identity = aes.EncryptCfb(padded, new byte[AesBlock], PaddingMode.None, 8 * AesBlock).AsSpan(0, framed.Length).ToArray();
        var outer = HMACSHA256.HashData(integrity, (byte[])[.. identity, .. name]);
        foreach (var used in (byte[][])[symmetric, integrity, framed, padded])
        {
            CryptographicOperations.ZeroMemory(used);
        }

        return [.. Sized(outer), .. identity];
    }

    // KDFa (Part 1 §11.4.10.2) with HMAC-SHA-256; one block is enough for 256 bits.
    private static byte[] Kdf(byte[] key, string label, byte[] context, int bits)
    {
        var size = new byte[sizeof(uint)];
        BinaryPrimitives.WriteInt32BigEndian(size, bits);
        var block = HMACSHA256.HashData(key, (byte[])[0, 0, 0, 1, .. Encoding.ASCII.GetBytes(label), 0, .. context, .. size]);
        return block[..(bits / 8)];
    }

    // RFC 8017 §B.2.1 with SHA-256.
    private static byte[] Mgf1(ReadOnlySpan<byte> seed, int length)
    {
        var mask = new byte[length + SHA256.HashSizeInBytes];
        var input = new byte[seed.Length + sizeof(uint)];
        seed.CopyTo(input);
        for (var block = 0; block * SHA256.HashSizeInBytes < length; block++)
        {
            BinaryPrimitives.WriteInt32BigEndian(input.AsSpan(seed.Length), block);
            SHA256.HashData(input, mask.AsSpan(block * SHA256.HashSizeInBytes));
        }

        return mask[..length];
    }

    private static void Xor(Span<byte> target, ReadOnlySpan<byte> mask)
    {
        for (var index = 0; index < target.Length; index++)
        {
            target[index] ^= mask[index];
        }
    }

    private static byte[] Sized(ReadOnlySpan<byte> content) => [(byte)(content.Length >> 8), (byte)(content.Length & 0xFF), .. content];
}

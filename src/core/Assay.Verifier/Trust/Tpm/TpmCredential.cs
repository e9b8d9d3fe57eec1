using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Trust.Tpm;

/// <summary>
/// A credential for one attestation key (TPM2_MakeCredential; TPM 2.0 Library, Part 1 §24), for a service that keeps challenges in a table: what it
/// keeps does not answer them. Whether an answer comes once, in time, and from the asker is the service's part.
/// </summary>
public sealed class TpmCredential
{
    private TpmCredential(CredentialChallenge challenge, Digest endorsementKey, string attestationKey) =>
        (CredentialBlob, EncryptedSecret, SecretDigest, EndorsementKey, AttestationKey) =
        (challenge.CredentialBlob, challenge.EncryptedSecret, challenge.SecretDigest, endorsementKey, attestationKey);

    /// <summary>SHA-256 of the endorsement key's TPMT_PUBLIC.</summary>
    public Digest EndorsementKey { get; }

    /// <summary>The attestation key's Name (nameAlg ‖ digest of TPMT_PUBLIC), hexadecimal: computed here, and what the TPM must hold.</summary>
    public string AttestationKey { get; }

    /// <summary>TPMS_ID_OBJECT: the content of TPM2_ActivateCredential's credentialBlob.</summary>
    public ReadOnlyMemory<byte> CredentialBlob { get; }

    /// <summary>TPM2B_ENCRYPTED_SECRET's content.</summary>
    public ReadOnlyMemory<byte> EncryptedSecret { get; }

    /// <summary>SHA-256 of the secret: to be kept for <see cref="IsConfirmed"/>.</summary>
    public Digest SecretDigest { get; }

    /// <summary>The file that <c>tpm2_activatecredential</c> reads: magic BADCC0DE, version 1, and both structures with their lengths.</summary>
    public byte[] ToFile() =>
        [0xBA, 0xDC, 0xC0, 0xDE, 0, 0, 0, 1, .. Sized(CredentialBlob.Span), .. Sized(EncryptedSecret.Span)];

    /// <summary>What an endorsement key is enrolled by: SHA-256 of its TPMT_PUBLIC. Refuses what is no endorsement key of the default templates.</summary>
    /// <param name="endorsementKey">TPM2B_PUBLIC, as <c>tpm2_createek -u</c> writes it.</param>
    /// <param name="digest">The digest.</param>
    /// <param name="whyNot">What is wrong with the key.</param>
    public static bool TryDigest(ReadOnlySpan<byte> endorsementKey, out Digest digest, [NotNullWhen(false)] out string? whyNot)
    {
        digest = default;
        if (!TpmPublic.TryParseSized(endorsementKey, out var area, out var fault))
        {
            whyNot = fault.ToString();
            return false;
        }

        digest = Digest.Sha256(area.Bytes.Span);
        return Tpm.EndorsementKey.TryEnrolled(area, [digest], out _, out whyNot);
    }

    /// <summary>Makes a credential.</summary>
    /// <param name="endorsementKey">TPM2B_PUBLIC, from anybody.</param>
    /// <param name="attestationKey">TPM2B_PUBLIC of the key that wants to be believed.</param>
    /// <param name="enrolled">SHA-256 of the TPMT_PUBLIC of endorsement keys that are known to be genuine TPMs'.</param>
    /// <param name="random">Where the secret and the seed come from.</param>
    /// <param name="credential">The credential.</param>
    /// <param name="whyNot">Which key cannot take part, and why.</param>
    public static bool TryMake(
        ReadOnlySpan<byte> endorsementKey, ReadOnlySpan<byte> attestationKey, ImmutableArray<Digest> enrolled, RandomFill random,
        [NotNullWhen(true)] out TpmCredential? credential, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(random);
        credential = null;
        if (!TpmPublic.TryParseSized(endorsementKey, out var endorsement, out var fault))
        {
            whyNot = $"endorsementKey: {fault}";
            return false;
        }

        if (!TpmPublic.TryParseSized(attestationKey, out var attestation, out fault))
        {
            whyNot = $"attestationKey: {fault}";
            return false;
        }

        if (!Tpm.EndorsementKey.TryEnrolled(endorsement, enrolled, out var believed, out whyNot)
            || !CredentialChallenge.TryMake(believed, attestation, random, out var challenge, out whyNot))
        {
            return false;
        }

        credential = new TpmCredential(challenge, Digest.Sha256(endorsement.Bytes.Span), Convert.ToHexStringLower(attestation.Name));
        return true;
    }

    /// <summary>Whether an answer is the secret. Compared in constant time.</summary>
    public static bool IsConfirmed(ReadOnlySpan<byte> answer, Digest secretDigest) =>
        answer.Length == CredentialChallenge.SecretSize && CredentialChallenge.IsSecret(answer, secretDigest);

    private static byte[] Sized(ReadOnlySpan<byte> content) => [(byte)(content.Length >> 8), (byte)(content.Length & 0xFF), .. content];
}

using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Tpm;
using Assay.Wire;

namespace Assay.Trust.Tpm;

/// <summary>
/// An endorsement key that is believed to live in a genuine TPM. Without that, an activated credential proves nothing: software can hold
/// both keys and answer every challenge. Enrolment is the one way to make one here; certificates of endorsement keys are not read.
/// </summary>
internal sealed class EndorsementKey
{
    private EndorsementKey(TpmPublic area) => Public = area;

    /// <summary>Its public area: RSA-2048 or P-256, of the default templates.</summary>
    public TpmPublic Public { get; }

    /// <summary>Takes a key whose name was enrolled before.</summary>
    /// <param name="area">The key's public area, from anybody.</param>
    /// <param name="enrolled">SHA-256 of the public areas (TPMT_PUBLIC) that the relying party knows as its TPMs'.</param>
    /// <param name="key">The key, if it is one of them.</param>
    /// <param name="whyNot">Why it is not believed.</param>
    public static bool TryEnrolled(TpmPublic area, IReadOnlyCollection<Digest> enrolled, [NotNullWhen(true)] out EndorsementKey? key, [NotNullWhen(false)] out string? whyNot)
    {
        ArgumentNullException.ThrowIfNull(area);
        ArgumentNullException.ThrowIfNull(enrolled);
        var digest = Digest.Sha256(area.Bytes.Span);
        whyNot = WhyNotTemplate(area) ?? (enrolled.Contains(digest) ? null : $"the endorsement key with SHA-256 {digest} was not enrolled: whether its TPM is genuine is not known");
        key = whyNot is null ? new EndorsementKey(area) : null;
        return key is not null;
    }

    private static string? WhyNotTemplate(TpmPublic key)
    {
        var attributes = key.Attributes;
        return key is not ({ Type: TpmKeyType.Rsa, RsaKeyBits: 2048, Exponent: 65537 } or { Type: TpmKeyType.Ecc, Curve: 3 }) ? "the endorsement key is neither RSA-2048 nor P-256"
            : key.NameAlgorithm is not TcgHash.Sha256 || key.SymmetricKeyBits != 128 ? "the endorsement key does not protect with SHA-256 and AES-128"
            : !attributes.FixedTpm || !attributes.FixedParent || !attributes.SensitiveDataOrigin || !attributes.Restricted || !attributes.Decrypt || attributes.Sign
                ? $"objectAttributes {attributes.Value:X8} are not an endorsement key's"
            : null;
    }
}

using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Assay.Trust.Revocation;

/// <summary>
/// A revocation list proven to be its issuer's. The only way to get one is <see cref="TryAuthenticate"/>. It says nothing about time:
/// <see cref="RevocationJudgement"/> does.
/// </summary>
internal sealed class AuthenticCrl
{
    private readonly Certificate _issuer;

    private AuthenticCrl(CertificateRevocationList list, Certificate issuer)
    {
        List = list;
        _issuer = issuer;
    }

    /// <summary>The list.</summary>
    public CertificateRevocationList List { get; }

    /// <summary>SHA-384 of the issuer's SubjectPublicKeyInfo: the key of rollback marks (S-17).</summary>
    public Wire.Digest IssuerKey => _issuer.KeyIdentity;

    /// <summary>
    /// Proves that <paramref name="issuer"/> signed <paramref name="list"/> and may sign lists (RFC 5280 §6.3.3 steps b, f and g).
    /// </summary>
    /// <param name="list">What came from anywhere.</param>
    /// <param name="issuer">A CA certificate of a <see cref="CertificationPath"/>.</param>
    /// <param name="kind">Of the trust set that the path ends in.</param>
    /// <param name="cache">Remembers authentic lists, so that a second use costs no signature.</param>
    /// <param name="crl">The list, proven.</param>
    /// <param name="whyNot">Why it is not.</param>
    internal static bool TryAuthenticate(
        CertificateRevocationList list,
        Certificate issuer,
        TrustSetKind kind,
        VerifierCache cache,
        [NotNullWhen(true)] out AuthenticCrl? crl,
        [NotNullWhen(false)] out string? whyNot)
    {
        var scope = RevocationScope.Of(default, issuer, kind);
        if (cache.TryGetAuthentic(list.ContentDigest, scope, out crl))
        {
            whyNot = null;
            return true;
        }

        whyNot = WhyNot(list, issuer, kind, cache);
        if (whyNot is null)
        {
            crl = new AuthenticCrl(list, issuer);
            cache.AddAuthentic(list.ContentDigest, scope, crl);
        }

        return crl is not null;
    }

    /// <summary>The list that was proven before from these bytes as this issuer's: one SHA-256, no parse.</summary>
    internal static bool TryFromCache(ReadOnlySpan<byte> der, Certificate issuer, TrustSetKind kind, VerifierCache cache, [NotNullWhen(true)] out AuthenticCrl? crl)
    {
        crl = null;
        return der.Length <= Wire.Limits.CrlBytes && cache.TryGetAuthentic(Wire.Digest.Sha256(der), RevocationScope.Of(default, issuer, kind), out crl);
    }

    /// <summary>What the list says about <paramref name="subject"/>: unknown unless <paramref name="issuer"/> has the name and key of the list's signer.</summary>
    /// <param name="subject">The certificate.</param>
    /// <param name="issuer">The next certificate of its path: a name alone would not tell two CAs of one name apart.</param>
    public RevocationStatus StatusOf(Certificate subject, Certificate issuer)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentNullException.ThrowIfNull(issuer);
        var ours = issuer.KeyIdentity == _issuer.KeyIdentity && issuer.Subject.Equals(_issuer.Subject) && subject.Issuer.Equals(_issuer.Subject);
        return ours ? List.Find(subject.SerialNumber.Span) ?? RevocationStatus.Good : RevocationStatus.Unknown;
    }

    /// <summary>
    /// Whether <paramref name="other"/>, of the same issuer, is newer (S-17): by cRLNumber where both have one and they differ, else by thisUpdate.
    /// </summary>
    /// <exception cref="ArgumentException">The two are of different issuers: a mistake of the caller.</exception>
    public bool IsOlderThan(AuthenticCrl other)
    {
        ArgumentNullException.ThrowIfNull(other);
        if (IssuerKey != other.IssuerKey)
        {
            throw new ArgumentException("the lists are of different issuers", nameof(other));
        }

        return List.CrlNumber is { } number && other.List.CrlNumber is { } theirs && number != theirs
            ? number < theirs
            : List.ThisUpdate < other.List.ThisUpdate;
    }

    private static string? WhyNot(CertificateRevocationList list, Certificate issuer, TrustSetKind kind, VerifierCache cache)
    {
        var marked = SimulatedMarker.IsIn(issuer.Extensions);
        return kind is TrustSetKind.None ? "no trust set was chosen"
            : marked != (kind is TrustSetKind.Simulated) ? "the list's issuer and the trust set disagree on being simulated"
            : !list.Issuer.Equals(issuer.Subject) ? $"the list names the issuer \"{list.Issuer}\", not \"{issuer.Subject}\""
            : list.AuthorityKeyIdentifier is { } authority && issuer.Extensions.SubjectKeyIdentifier is { } key && !CryptographicOperations.FixedTimeEquals(authority, key) ? "the list's authorityKeyIdentifier is not its issuer's subjectKeyIdentifier"
            : issuer.BasicConstraints is not { CertificateAuthority: true } ? "the list's issuer is not a CA"
            : issuer.KeyUsage is not { CrlSign: true } ? "the list's issuer may not sign lists (keyUsage)"
            : !list.IsSignedBy(issuer, cache.Meter) ? "the list was not signed by the key of its issuer"
            : null;
    }
}

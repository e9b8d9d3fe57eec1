using Assay.Checks;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>Whether the certificates of a path are within their times: one rule for devices, manifests and processors.</summary>
internal static class PathValidity
{
    /// <param name="path">Certified.</param>
    /// <param name="at">The instant that is judged. It may be up to <see cref="RevocationJudgement.ClockSkewTolerance"/> before notBefore, and never after notAfter.</param>
    /// <param name="cure">What to do about a path that has ended.</param>
    public static Outcome Judge(CertificationPath path, DateTimeOffset at, string cure)
    {
        if (path.LatestNotBefore - at > RevocationJudgement.ClockSkewTolerance)
        {
            return Outcome.Failed("a certificate is not valid yet: the clock is behind, or the evidence is from the future", Utc.Text(at), $"from {Utc.Text(path.LatestNotBefore)}");
        }

        if (path.EarliestNotAfter >= at)
        {
            return Outcome.Held($"until {Utc.Text(path.EarliestNotAfter)}");
        }

        var ended = path.Certificates.First(certificate => certificate.NotAfter == path.EarliestNotAfter);
        return Outcome.Failed($"expired: {ended.Subject.CommonName} ended at {Utc.Text(ended.NotAfter)}; {cure}", Utc.Text(at), $"until {Utc.Text(path.EarliestNotAfter)}");
    }
}

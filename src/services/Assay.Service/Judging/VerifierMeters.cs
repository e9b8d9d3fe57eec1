using System.Diagnostics.Metrics;
using Assay.Trust;

namespace Assay.Service.Judging;

/// <summary>What verification costs, whichever role asked for it.</summary>
public sealed class VerifierMeters
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Assay.Verifier";

    /// <param name="factory">Of the host.</param>
    /// <param name="cache">What evidence is verified with.</param>
    public VerifierMeters(IMeterFactory factory, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(factory);
        factory.Create(MeterName).CreateObservableCounter("assay.signature_verifications", () => cache.SignatureVerifications, description: "Signatures that were verified, because no earlier verification could be used.");
    }
}

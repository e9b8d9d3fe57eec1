using System.Diagnostics.Metrics;
using Assay.Trust;

namespace Assay.Attestation;

/// <summary>What is counted: answers by outcome and policy, never by tenant's request, nonce or device.</summary>
public sealed class AttestationMeters
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Assay.Attestation";

    private readonly Counter<long> _appraisals;

    /// <param name="factory">Of the host.</param>
    /// <param name="cache">What evidence is verified with.</param>
    public AttestationMeters(IMeterFactory factory, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(factory);
        var meter = factory.Create(MeterName);
        meter.CreateObservableCounter("assay.signature_verifications", () => cache.SignatureVerifications, description: "Signatures that were verified, because no earlier verification could be used.");
        _appraisals = meter.CreateCounter<long>("assay.appraisals", description: "Evidence that was judged, by outcome and policy.");
    }

    /// <summary>One more.</summary>
    public void Count(string outcome, string policy) => _appraisals.Add(1, new("outcome", outcome), new KeyValuePair<string, object?>("policy", policy));
}

using System.Diagnostics.Metrics;

namespace Assay.Attestation;

/// <summary>What is counted: answers by outcome and policy, never by tenant's request, nonce or device.</summary>
public sealed class AttestationMeters
{
    /// <summary>The meter's name.</summary>
    public const string MeterName = "Assay.Attestation";

    private readonly Counter<long> _appraisals;

    /// <param name="factory">Of the host.</param>
    public AttestationMeters(IMeterFactory factory)
    {
        ArgumentNullException.ThrowIfNull(factory);
        _appraisals = factory.Create(MeterName).CreateCounter<long>("assay.appraisals", description: "Evidence that was judged, by outcome and policy.");
    }

    /// <summary>One more.</summary>
    public void Count(string outcome, string policy) => _appraisals.Add(1, new("outcome", outcome), new KeyValuePair<string, object?>("policy", policy));
}

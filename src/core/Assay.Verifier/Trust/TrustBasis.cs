using Assay.Checks;
using Assay.Trust.Revocation;

namespace Assay.Trust;

/// <summary>
/// What a judgement rests on, whatever it is about: devices, processor and boot of one machine are judged by one clock, under one trust set,
/// with revocation asked about everywhere or nowhere.
/// </summary>
/// <param name="Time">The instant of judgement, and by which clock.</param>
/// <param name="Trust">Whose roots are believed.</param>
/// <param name="Revocation">Whether revocation is asked about.</param>
public sealed record TrustBasis(EvaluationTime Time, TrustSet Trust, RevocationChecking Revocation)
{
    /// <summary>How old answers, lists and statements may be even inside their own times; null for these alone.</summary>
    internal TimeSpan? MaximumAge { get; init; }
}

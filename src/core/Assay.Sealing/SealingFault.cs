namespace Assay.Sealing;

/// <summary>Why something was refused. Ids are permanent; texts name the part that is wrong and never repeat its content.</summary>
/// <param name="Id">One of <see cref="SealingFaults"/>.</param>
/// <param name="Problem">What was found, and what was expected.</param>
/// <param name="Cure">What to do next.</param>
public sealed record SealingFault(string Id, string Problem, string Cure)
{
    /// <summary>In one line.</summary>
    public override string ToString() => $"{Id}: {Problem}; {Cure}";
}

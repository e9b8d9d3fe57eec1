namespace Assay.Policies;

/// <summary>A clock that shows one instant, so that neither a policy nor the evidence chooses another.</summary>
internal sealed class FixedClock(DateTimeOffset instant) : TimeProvider
{
    public override DateTimeOffset GetUtcNow() => instant;
}

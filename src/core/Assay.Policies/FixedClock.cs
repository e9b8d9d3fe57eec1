namespace Assay.Policies;

/// <summary>A clock that shows one instant, so that neither a policy nor the evidence chooses another.</summary>
/// <param name="instant">That instant.</param>
public sealed class FixedClock(DateTimeOffset instant) : TimeProvider
{
    /// <inheritdoc/>
    public override DateTimeOffset GetUtcNow() => instant;
}

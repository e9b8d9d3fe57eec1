namespace Assay.Simulator;

/// <summary>Where a fault strikes.</summary>
public sealed record FaultTarget
{
    /// <summary>Which device, 0-based, GPUs before switches.</summary>
    public int Device { get; init; }

    /// <summary>Which of its RIMs; null: the driver's, or a switch's only one.</summary>
    public RimKind? Rim { get; init; }

    /// <summary>Which measurement, 0-based; null: the first that the RIM names.</summary>
    public int? Index { get; init; }
}

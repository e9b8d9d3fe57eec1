using Assay.Wire;

namespace Assay.Checks;

/// <summary>By which clock a verdict was reached (S-13).</summary>
public enum TimeSource
{
    /// <summary>Not told: nothing is judged.</summary>
    None,

    /// <summary>This machine's clock. Below the release date of this software it is refused.</summary>
    System,

    /// <summary>An instant that the relying party stated. A weakening.</summary>
    Stated,
}

/// <summary>The instant at which validity is judged, and where it comes from.</summary>
/// <param name="Instant">UTC.</param>
/// <param name="Source">By which clock.</param>
public sealed record EvaluationTime(DateTimeOffset Instant, TimeSource Source)
{
    /// <summary>
    /// The release date of this software: no honest clock is earlier. A constant of the source tree, so that builds stay reproducible.
    /// </summary>
    public static DateTimeOffset ReleaseDate { get; } = new(2026, 11, 22, 0, 0, 0, TimeSpan.Zero);

    /// <summary>The earliest instant that this source may state, before anything is verified.</summary>
    internal DateTimeOffset InitialFloor => Source is TimeSource.Stated ? DateTimeOffset.MinValue : ReleaseDate;

    /// <summary>Whether it can be the time at all: chosen, and not behind the release of this software.</summary>
    internal Outcome IsPlausible() => Source switch
    {
        TimeSource.None => Outcome.Failed("no time was stated"),
        TimeSource.System when Instant + TimeSpan.FromMinutes(5) < ReleaseDate => Outcome.Failed("the clock is behind the release of this software", Utc.Text(Instant), Utc.Text(ReleaseDate)),
        _ => Outcome.Held($"{Utc.Text(Instant)}, {(Source is TimeSource.Stated ? "stated" : "system")}"),
    };
}

using System.Collections.Immutable;
using Assay.Checks;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Appraisal.Processors;

/// <summary>What a judgement rests on whatever it is about: a clock that was chosen, and is not behind what verified (S-13).</summary>
/// <param name="Time">By which clock.</param>
/// <param name="Revocation">Whether revocation is asked about.</param>
/// <param name="LatestStatement">The latest date of an item that verified.</param>
internal sealed record TimeGround(EvaluationTime Time, RevocationChecking Revocation, DateTimeOffset LatestStatement)
{
    // The ids are those of the set: one question, whoever asks it.
    public static ImmutableArray<Check<TimeGround>> Checks { get; } =
    [
        new(CheckIds.TimeSourceChosen, ground => ground.Time.Source is TimeSource.None ? Outcome.Failed("no time was chosen: state by which clock to judge") : Outcome.Held(ground.Time.Source.ToString())),
        new(CheckIds.TimeFloorRespected, FloorIsRespected),
        new(CheckIds.RevocationChosen, ground => ground.Revocation is RevocationChecking.None ? Outcome.Failed("no choice about revocation was made: require revocation checking, or skip it by name")
            : ground.Revocation is RevocationChecking.Required ? Outcome.Held()
            : Outcome.Waived("revocation was skipped; you accept that")),
    ];

    private static Outcome FloorIsRespected(TimeGround ground)
    {
        var floor = ground.LatestStatement > ground.Time.InitialFloor ? ground.LatestStatement : ground.Time.InitialFloor;
        return floor - ground.Time.Instant > RevocationJudgement.ClockSkewTolerance
            ? Outcome.Failed("the clock is behind the dates of verified items, or behind the release of this software", Utc.Text(ground.Time.Instant), $"at least {Utc.Text(floor)}")
            : Outcome.Held();
    }
}

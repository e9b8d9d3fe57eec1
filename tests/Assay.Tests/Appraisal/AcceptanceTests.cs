using System.Collections.Immutable;
using Assay.Checks;

namespace Assay.Tests.Appraisal;

/// <summary>One rule says what gets past a check, and one runner applies it to every technology.</summary>
public class AcceptanceTests
{
    public static TheoryData<string, bool> Outcomes => new()
    {
        { nameof(Outcome.Held), true },
        { nameof(Outcome.NotApplicable), true },
        { nameof(Outcome.Waived), true },
        { nameof(Outcome.Failed), false },
        { nameof(Outcome.Missing), false },
        { nameof(Outcome.Stopped), false },
    };

    [Theory]
    [MemberData(nameof(Outcomes))]
    public void Held_not_applicable_and_waived_are_accepted_and_nothing_else_is(string name, bool accepted)
    {
        var outcome = Of(name);

        Assert.Equal(accepted, outcome.Named("x").IsAccepted);
        // In either stage: what is missing is no more authentic than what failed.
        Assert.Equal(accepted, Passes([outcome], [Outcome.Held()]));
        Assert.Equal(accepted, Passes([Outcome.Held()], [outcome]));
    }

    [Fact]
    public void Nothing_asked_is_nothing_answered()
    {
        Assert.False(ImmutableArray<Finding>.Empty.IsPassed());
        Assert.False(default(ImmutableArray<Finding>).IsPassed());
        Assert.False(Passes([], [Outcome.Held()]));
        Assert.False(Passes([Outcome.Held()], []));
        // The default of a finding's state is no answer.
        Assert.False(new Finding("x", default).IsAccepted);
    }

    [Fact]
    public void Between_the_stages_it_stops_and_every_question_stays_visible()
    {
        var asked = 0;
        var findings = Stage.Authenticate(
            0, [new Check<int>("a", _ => Outcome.Failed("no")), new Check<int>("b", _ => Outcome.Held())], [new Check<int>("c", _ => { asked++; return Outcome.Held(); })], "unreadable", out var passed, out var parsed);

        Assert.Equal((false, false, 0), (passed, parsed, asked));
        Assert.Equal(["a", "b", "c"], findings.Select(finding => finding.Id));
        Assert.Equal(NotCheckedCause.Stopped, findings[2].Cause);
    }

    private static bool Passes(Outcome[] parsing, Outcome[] authenticity)
    {
        Stage.Authenticate(0, Checks(parsing), Checks(authenticity), "unreadable", out var passed, out _);
        return passed;
    }

    private static ImmutableArray<Check<int>> Checks(Outcome[] outcomes) => [.. outcomes.Select((outcome, index) => new Check<int>($"{index}", _ => outcome))];

    private static Outcome Of(string name) => name switch
    {
        nameof(Outcome.Held) => Outcome.Held(),
        nameof(Outcome.NotApplicable) => Outcome.NotApplicable("x"),
        nameof(Outcome.Waived) => Outcome.Waived("x"),
        nameof(Outcome.Failed) => Outcome.Failed("x"),
        nameof(Outcome.Missing) => Outcome.Missing("x"),
        _ => Outcome.Stopped("x"),
    };
}

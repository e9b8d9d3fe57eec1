using Assay.Rego;

namespace Assay.Tests.Regressions;

/// <summary>11: a pattern was counted by its length, though a short one may have a program of a megabyte, and hundreds of those stayed with the policy.</summary>
public sealed class Bug0011_PatternsThatUnfoldTests
{
    [Theory]
    [InlineData("regex.match(\"(a?){1000}(b?){1000}(c?){1000}\", \"\")", 100_000)]
    [InlineData("glob.match(concat(\"\", [\"{a,b}\" | some i in numbers.range(1, 5000)]), [], \"\")", 200_000)]
    [InlineData("regex.match(concat(\"\", [\"\\\\pL\" | some i in numbers.range(1, 500)]), \"\")", 1_000_000)]
    public void A_program_counts_by_its_size(string query, long bytes) => Assert.InRange(Evaluate(query).Bytes, bytes, long.MaxValue);

    [Fact]
    public void Large_programs_do_not_stay_with_the_policy_and_small_ones_do()
    {
        var large = Prepared("regex.match(\"(a?){1000}(b?){1000}(c?){1000}\", \"\")");
        var small = Prepared("regex.match(\"^[0-9]+([.][0-9]+)*$\", \"1.2\")");

        Assert.Equal(Steps(large), Steps(large));
        Assert.True(Steps(small) > Steps(small));

        static long Steps(PreparedQuery query) => query.Evaluate(null, cancellation: TestContext.Current.CancellationToken).Steps;
    }

    [Fact]
    public void Every_letter_in_either_case_is_dear()
    {
        var result = Evaluate("regex.match(concat(\"\", [\"(?i)\", concat(\"\", [\"[\\\\pL1]\" | some i in numbers.range(1, 5000)])]), \"a\")");

        Assert.Equal("eval_budget_error", result.Error?.CodeText);
    }

    [Fact]
    public void A_cancelled_evaluation_ends_within_as_many_steps_as_lie_between_two_looks()
    {
        using var source = new CancellationTokenSource();
        var cancel = new Assay.Rego.Builtins.Builtin("test.cancel", [], Assay.Rego.Builtins.RegoTypes.Boolean, (_, _) =>
        {
            source.Cancel();
            return Assay.Rego.Values.RegoBoolean.True;
        })
        { Nondeterministic = true };
        Assert.True(CompiledPolicy.TryCompile([], null, out var policy, out _, new CompileOptions { Builtins = [cancel] }));
        Assert.True(policy.TryPrepare("test.cancel(); every i in numbers.range(1, 1000) { every j in numbers.range(1, 1000) { i * j > 0 } }", out var prepared, out var errors), string.Join('\n', errors));

        var result = prepared.Evaluate(null, cancellation: source.Token);

        Assert.Equal("eval_cancel_error", result.Error?.CodeText);
        Assert.InRange(result.Steps, 1, 4096);
    }

    private static EvaluationResult Evaluate(string query) => Prepared(query).Evaluate(null, cancellation: TestContext.Current.CancellationToken);

    private static PreparedQuery Prepared(string query)
    {
        Assert.True(CompiledPolicy.TryCompile([], null, out var policy, out _));
        Assert.True(policy.TryPrepare(query, out var prepared, out var errors), string.Join('\n', errors));
        return prepared;
    }
}

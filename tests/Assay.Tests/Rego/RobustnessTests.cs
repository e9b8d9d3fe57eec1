using System.Text;
using Assay.Rego;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Tests.Rego;

/// <summary>Nothing that a policy or an input holds crashes or hangs the host, and over budget is an error.</summary>
public class RobustnessTests
{
    private static readonly EvaluationOptions s_small = new() { Budget = new EvaluationBudget { Steps = 200_000, Bytes = 8 << 20 } };

    public static TheoryData<string> Greedy =>
    [
        "count(numbers.range(1, 1000000000000))",
        "count([1 | some x in numbers.range(1, 3000); some y in numbers.range(1, 3000)])",
        "x := [a | some a in numbers.range(1, 100000)]; y := [[a, b] | some a in x; some b in x]",
        "count({[a, b, c] | some a in numbers.range(1, 200); some b in numbers.range(1, 200); some c in numbers.range(1, 200)})",
        "bits.lsh(1, 100000000000)",
        "every x in numbers.range(1, 100000) { every y in numbers.range(1, 100000) { x < 200000 } }",
    ];

    [Theory]
    [MemberData(nameof(Greedy))]
    public void What_takes_too_much_is_an_error_that_says_so(string query)
    {
        var result = Evaluate("package a", query);
        Assert.NotNull(result.Error);
        Assert.Equal("eval_budget_error", result.Error.CodeText);
        Assert.Empty(result.Rows);
        Assert.False(result.IsTrue);
    }

    [Fact]
    public void Doubling_functions_end_by_their_budget()
    {
        var module = new StringBuilder("package a\n\nf0(x) := x + 1\n");
        for (var i = 1; i <= 40; i++)
        {
            module.Append(System.Globalization.CultureInfo.InvariantCulture, $"f{i}(x) := f{i - 1}(2 * x) + f{i - 1}((2 * x) + 1)\n");
        }

        Assert.Equal("eval_budget_error", Evaluate(module.ToString(), "data.a.f40(1)").Error?.CodeText);
    }

    [Fact]
    public void Values_that_nest_too_deeply_are_over_budget()
    {
        var module = new StringBuilder("package a\n\np0 := 1\n");
        for (var i = 1; i <= 2000; i++)
        {
            module.Append(System.Globalization.CultureInfo.InvariantCulture, $"p{i} := [p{i - 1}]\n");
        }

        Assert.Equal("eval_budget_error", Evaluate(module.ToString(), "data.a.p2000").Error?.CodeText);
    }

    [Fact]
    public void A_long_chain_of_rules_is_answered_or_refused_on_a_small_stack()
    {
        var module = new StringBuilder("package a\n\np0 := 1\n");
        for (var i = 1; i <= 20_000; i++)
        {
            module.Append(System.Globalization.CultureInfo.InvariantCulture, $"p{i} := x if {{ x := p{i - 1} + 1; x > 0 }}\n");
        }

        EvaluationResult? result = null;
        var query = Prepared(module.ToString(), "data.a.p20000");
        var thread = new Thread(() => result = query.Evaluate(null), 512 * 1024);
        thread.Start();
        thread.Join();
        Assert.True(result!.Error is { CodeText: "eval_budget_error" } || result.Value is not null, $"{result.Error} {result.Value}");
    }

    [Theory]
    [InlineData("[")]
    [InlineData("(")]
    [InlineData("{")]
    [InlineData("{1:")]
    [InlineData("f(")]
    [InlineData("x[")]
    [InlineData("[x | x := ")]
    [InlineData("$\"{")]
    [InlineData("not ")]
    [InlineData("1 + ")]
    [InlineData("every x in [1] { ")]
    public void Deep_nesting_is_refused_by_the_parser(string opening)
    {
        var text = "package a\n\np if { x := " + string.Concat(Enumerable.Repeat(opening, 100_000)) + "1";
        Assert.False(RegoModule.TryParse("deep.rego", text, out _, out var error));
        Assert.Equal("rego_parse_error", error.CodeText);
    }

    [Fact]
    public void A_cancelled_evaluation_is_an_error()
    {
        using var source = new CancellationTokenSource();
        var query = Prepared("package a", "count([1 | some x in numbers.range(1, 100000); some y in numbers.range(1, 100000)])");
        var result = query.Evaluate(null, new EvaluationOptions { Looked = _ => source.Cancel() }, source.Token);
        Assert.Equal("eval_cancel_error", result.Error?.CodeText);
    }

    [Fact]
    public void One_policy_serves_many_threads()
    {
        var query = Prepared("package a\n\nallowed := {x | some x in numbers.range(1, 500)}\n\np[k] := v if {\n\tsome k, v in input\n\tv in allowed\n}\n\nok if count(p) == count(input)", "x := data.a.ok; n := count(data.a.p)");
        Parallel.For(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = TestContext.Current.CancellationToken }, i =>
        {
            var input = RegoObject.From(Enumerable.Range(1, (i % 50) + 1).Select(n => KeyValuePair.Create<RegoValue, RegoValue>(new RegoString($"k{n}"), RegoNumber.Of((long)n))));
            var row = Assert.Single(query.Evaluate(input).Rows);
            Assert.Equal($"{{\"n\":{(i % 50) + 1},\"x\":true}}", row.ToJson());
        });
    }

    [Fact]
    public void Printing_and_parsing_again_changes_nothing()
    {
        var count = 0;
        foreach (var source in ComplianceSuite.Cases().SelectMany(item => item.Modules).Distinct(StringComparer.Ordinal))
        {
            Assert.True(RegoModule.TryParse("a.rego", source, out var module, out var error, RegoVersion.V1), error?.ToDisplay());
            var printed = module.Print();
            Assert.True(RegoModule.TryParse("b.rego", printed, out var again, out error, RegoVersion.V1), $"{error?.ToDisplay()}\n{printed}");
            Assert.Equal(printed, again.Print());
            count++;
        }

        Assert.True(count > 800, $"only {count} modules");
    }

    [Fact]
    public void Prefixes_and_mutations_are_parsed_or_refused() => Mutate(every: 97);

    [Fact]
    [Trait("Category", "Soak")]
    public void All_prefixes_and_many_mutations_are_parsed_or_refused() => Mutate(every: 1);

    private static void Mutate(int every)
    {
        var state = 12345u;
        uint Random() => state = unchecked((state * 1664525u) + 1013904223u);
        const string Alphabet = "{}[]()|,;:=.\"`$\\\n #%&*+-/<>!_aif0123 some every not with as contains";
        foreach (var source in ComplianceSuite.Cases().SelectMany(item => item.Modules).Distinct(StringComparer.Ordinal))
        {
            for (var length = (int)(Random() % (uint)every); length < source.Length; length += every)
            {
                TryAll(source[..length]);
                var mutated = new StringBuilder(source);
                for (var i = 0; i < 3; i++)
                {
                    var at = (int)(Random() % (uint)mutated.Length);
                    mutated[at] = Alphabet[(int)(Random() % (uint)Alphabet.Length)];
                }

                TryAll(mutated.ToString());
            }
        }
    }

    private static void TryAll(string text)
    {
        if (RegoModule.TryParse("m.rego", text, out var module, out var error))
        {
            Assert.Null(error);
            if (CompiledPolicy.TryCompile([module], null, out var policy, out var errors) && policy.TryPrepare("data", out var query, out errors))
            {
                _ = query.Evaluate(RegoObject.Empty, s_small);
            }
        }
        else
        {
            Assert.NotNull(error.Location);
        }
    }

    private static PreparedQuery Prepared(string source, string query)
    {
        Assert.True(RegoModule.TryParse("a.rego", source, out var module, out var error), error?.ToDisplay());
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out var errors), string.Join("\n", errors));
        Assert.True(policy.TryPrepare(query, out var prepared, out errors), string.Join("\n", errors));
        return prepared;
    }

    private static EvaluationResult Evaluate(string source, string query) => Prepared(source, query).Evaluate(null, s_small);
}

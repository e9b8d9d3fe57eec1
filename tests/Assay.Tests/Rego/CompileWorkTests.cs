using System.Globalization;
using Assay.Rego;
using Assay.Rego.Compilation;
using Assay.Rego.Syntax;

namespace Assay.Tests.Rego;

/// <summary>How much work compiling is, in steps: each form nested in itself, so that a walk too many for a level doubles the work or squares it.</summary>
public class CompileWorkTests
{
    // Far above what a linear compiler takes of any source here, far below what a doubling one takes of forty levels.
    private const long Enough = 400_000;

    // Nesting: what opens a level, what is innermost, what closes a level. The whole is the value x, unless it holds a rule.
    private static readonly Dictionary<string, (string Open, string Inner, string Close)> s_forms = new(StringComparer.Ordinal)
    {
        ["plus"] = ("", "1", " + 1"),
        ["plus, to the right"] = ("1 + (", "1", ")"),
        ["minus"] = ("", "input.a", " - 1"),
        ["minus, to the right"] = ("1 - (", "1", ")"),
        ["minus of sets"] = ("", "{1}", " - {2}"),
        ["times"] = ("", "2", " * 3"),
        ["divided by"] = ("", "2", " / 3"),
        ["remainder"] = ("7 % (", "2", ")"),
        ["union"] = ("", "{1}", " | {2}"),
        ["intersection"] = ("", "{1}", " & {2}"),
        ["equality"] = ("", "1", " == 1"),
        ["inequality"] = ("(", "1", " != 1)"),
        ["less"] = ("", "1", " < 1"),
        ["membership"] = ("", "1", " in [1]"),
        ["membership with key"] = ("(1, 2 in ", "[1]", ")"),
        ["a negative number among operands"] = ("-1 * (", "-1", ")"),
        ["built-in call"] = ("abs(", "1", ")"),
        ["built-in call of two"] = ("concat(\"\", [\"a\", ", "\"b\"", "])"),
        ["function call"] = ("f(", "1", ")"),
        ["function call of two"] = ("g(1, ", "1", ")"),
        ["function call of two, first"] = ("g(", "1", ", input.a)"),
        ["call that binds for its neighbour"] = ("g(k, ", "data.b[k]", ")"),
        ["call that waits for its neighbour"] = ("g(", "k", ", data.b[k])"),
        ["call that waits for another statement"] = ("g(", "late", ", late)"),
        ["call that waits and binds"] = ("g(", "data.b[j]", ", data.b[late])"),
        ["wildcard in each argument"] = ("g(data.b[_], ", "1", ")"),
        ["relation"] = ("count(walk(", "1", "))"),
        ["reference with a computed key"] = ("input[", "input.a", "]"),
        ["reference to data with a computed key"] = ("data.b[", "\"a\"", "]"),
        ["reference of a reference"] = ("(", "input", ").a"),
        ["reference of a call"] = ("f(", "1", ").a"),
        ["reference with a comprehension as key"] = ("input[[1 | ", "input.a", "]]"),
        ["reference that binds in brackets"] = ("data.b[data.b[", "i", "]]"),
        ["reference with a composite key"] = ("data.b[[", "i", "]]"),
        ["reference with a reference in a composite key"] = ("data.b[[input[", "i", "]]]"),
        ["array"] = ("[", "1", "]"),
        ["array of references"] = ("[input.a, ", "1", "]"),
        ["set"] = ("{", "1", "}"),
        ["set of references"] = ("{input.a, ", "1", "}"),
        ["object value"] = ("{\"a\": ", "1", "}"),
        ["object value beside a reference"] = ("{\"b\": input.b, \"a\": ", "input.a", "}"),
        ["object key"] = ("{", "\"a\"", ": 1}"),
        ["object key that is computed"] = ("{", "input.a", ": 1}"),
        ["array comprehension"] = ("[a | a := ", "1", "]"),
        ["array comprehension in a head"] = ("[", "1", " | true]"),
        ["set comprehension"] = ("{a | a := ", "1", "}"),
        ["object comprehension"] = ("{k: v | k := 1; v := ", "1", "}"),
        ["object comprehension as key"] = ("{", "1", ": 1 | true}"),
        ["comprehension with outer variables"] = ("[a | late; a := ", "late", "]"),
        ["comprehensions of all kinds"] = ("[{1: {", "1", " | true} | true} | true]"),
        ["comprehension with some"] = ("[a | some a in ", "[1]", "]"),
        ["comprehension with not"] = ("[1 | not count(", "[1]", ") == 2]"),
        ["comprehension with with"] = ("[1 | input.a with input as ", "1", "]"),
        ["comprehension with every"] = ("[1 | every a in ", "[1]", " { a }]"),
        ["print in a comprehension"] = ("[1 | print(", "1", ")]"),
        ["template"] = ("$\"{", "1", "}\""),
        ["parenthesis"] = ("(", "1", ")"),
    };

    // Nested statements: the innermost is a statement of a body too.
    private static readonly Dictionary<string, (string Open, string Inner, string Close)> s_statements = new(StringComparer.Ordinal)
    {
        ["every"] = ("every a in [1] { ", "input.a", " }"),
        ["every with key, over what is outside"] = ("every k, v in [late] { v; ", "input.a", " }"),
        ["not over a comprehension"] = ("not count([1 | ", "input.a", "]) == 1"),
        ["not over calls"] = ("not f([1 | ", "input.a", "])"),
        ["some in"] = ("some a in [1 | ", "input.a", "]"),
        ["equation"] = ("[_, [1]] = [1, [1 | ", "input.a", "]]"),
        ["with"] = ("input.x with input.y as [1 | ", "input.a", "]"),
        ["assignment to a pattern"] = ("[a, {\"b\": b}] := [1 | ", "input.a", "]"),
    };

    // What is not nested in itself, or is nested in a place of its own.
    private static readonly Dictionary<string, Func<int, string>> s_rules = new(StringComparer.Ordinal)
    {
        ["not over nested calls"] = n => $"p if not f({Nested("f(", "input.a", ")", n)})",
        ["not over nested calls with a wildcard"] = n => $"p if not f({Nested("g(input.b, ", "input.a[_]", ")", n)})",
        ["not over nested brackets"] = n => $"p if not {Nested("input[", "input.a", "]", n)}",
        ["not in"] = n => $"p if not {Nested("[", "input.a", "]", n)} in [1]",
        ["not equal"] = n => $"p if not {Nested("[", "input.a", "]", n)} == {Nested("[", "input.b", "]", n)}",
        ["not with with"] = n => $"p if not f({Nested("f(", "input.a", ")", n)}) with input as {Nested("[", "input.b", "]", n)}",
        ["unification of arrays"] = n => $"p if {Nested("[x, ", "1", "]", n)} = {Nested("[1, ", "y", "]", n)}",
        ["unification of objects"] = n => $"p if [{Nested("{\"a\": ", "y", "}", n)}] = [{Nested("{\"a\": ", "1", "}", n)}]",
        ["unification with a document"] = n => $"p if {Nested("[", "y", "]", n)} = input.a",
        ["unification with wildcards"] = n => $"p if {Nested("[_, ", "1", "]", n)} = input.a",
        ["unification with references in the pattern"] = n => $"p if {Nested("[data.b[_], ", "1", "]", n)} = input.a",
        ["unification of many, each waiting"] = n => $"p if [{List(n, i => $"x{i}")}, 1] = [1, {List(n, i => $"x{i}")}]",
        ["declaration of a pattern"] = n => $"p := y if {Nested("[", "y", "]", n)} := input.a",
        ["some in with a pattern"] = n => $"p if some {Nested("[_, ", "y", "]", n)} in input.a",
        ["statements that wait for each other"] = n => "p if {\n" + List(n, i => $"x{i} = x{i + 1} + 1", "\n") + $"\nx{n} = 1\n}}",
        ["a statement that waits for many"] = n => $"p if {{\n{List(n, i => $"x{i}", " + ")} > 1\n{List(n, i => $"x{i} = {i}", "\n")}\n}}",
        ["else"] = n => "p := 0 if input.x == 0\n" + List(n, i => $"else := {i} if input.x == {i}", "\n"),
        ["default"] = n => $"default p := {Nested("[", "1", "]", n)}",
        ["default comprehension"] = n => $"default p := {Nested("[1 | a := ", "1", "]", n)}",
        ["value of a head"] = n => $"p := {Nested("f(", "x", ")", n)} if x := 1",
        ["member of a head"] = n => $"p contains {Nested("[", "x", "]", n)} if x := 1",
        ["reference in a head"] = n => $"p[{Nested("f(", "x", ")", n)}] := 1 if x := 1",
        ["references in a head"] = n => $"p{List(n / 2, i => $"[x{i}]", "")} := 1 if {{ {List(n / 2, i => $"x{i} := {i}", "; ")} }}",
        ["patterns of a function"] = n => $"h({Nested("[", "x", "]", n)}, {Nested("{\"a\": ", "y", "}", n)}) := x + y",
        ["constants as patterns of a function"] = n => $"h({Nested("[", "1", "]", n)}) := 1",
        ["rules that use each other"] = n => List(n, i => $"p{i} := p{i + 1}", "\n") + $"\np{n} := 1",
        ["functions that call each other"] = n => List(n, i => $"p{i}(x) := p{i + 1}(x)", "\n") + $"\np{n}(x) := x",
        ["rules over all data"] = n => $"p := [x | x := {Nested("data.b[", "1", "]", n)}]",
        ["with over with"] = n => "p if input.x" + List(Math.Min(n, 190), i => $" with input.y{i} as {i}", ""),
    };

    public static TheoryData<string> Forms => [.. s_forms.Keys, .. s_statements.Keys, .. s_rules.Keys];

    [Theory]
    [MemberData(nameof(Forms))]
    public void Compiling_takes_work_in_proportion_to_the_source(string form)
    {
        foreach (var explain in (ReadOnlySpan<bool>)[false, true])
        {
            // Some forms nest twice for a level: the parser refuses them where others go on.
            var deepest = Array.Find([390, 195, 130, 97, 78, 64], n => Parse(form, n) is not null);
            Assert.True(deepest > 0, "the parser takes it nowhere");
            var (few, some, many) = (Steps(form, 10, explain), Steps(form, deepest / 2, explain), Steps(form, deepest, explain));

            // The second half costs what the first did, whatever a rule costs by itself.
            var (first, second) = (some - few, many - some);
            var share = (double)(deepest - (deepest / 2)) / ((deepest / 2) - 10);
            Assert.True(second <= (first * share * 1.1) + 200, $"{form}: {few} steps for 10, {some} for {deepest / 2}, {many} for {deepest}");
        }
    }

    [Fact]
    public void Forty_plus_signs_compile_in_less_than_2000_steps()
    {
        var source = "package policy\n\nscore := 1" + List(40, _ => " + 1", "") + "\n\nallow if score > 0";
        var steps = Compiled(source, explain: false);
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"forty plus signs take {steps} steps"));
        Assert.InRange(steps, 1, 1_999);
    }

    [Fact]
    public void A_query_is_counted_like_a_module()
    {
        Assert.True(CompiledPolicy.TryCompile([], null, out var policy, out _, Steps(3_000)));
        Assert.True(policy.TryPrepare("x := 1" + List(40, _ => " + 1", ""), out var query, out _));
        Assert.InRange(query.CompileSteps, 1, 1_999);

        Assert.False(policy.TryPrepare("x := 1" + List(390, _ => " + 1", ""), out query, out var errors));
        Assert.Null(query);
        Assert.Equal("rego_budget_error: compiling took more than 3000 steps", Assert.Single(errors).ToString());
    }

    [Fact]
    public void A_source_that_takes_too_much_is_an_error_like_any_other()
    {
        // Each statement waits for many variables, that are bound one by one.
        var names = Enumerable.Range(0, 3_000).ToArray();
        var source = $"package a\n\np if {{\ny = data.b[z][[{string.Join(", ", names.Select(i => $"f(x{i})"))}]]\n{string.Join("\n", names.Select(i => $"x{i} = {i}"))}\nz = 1\n}}\nf(x) := x";
        Assert.True(RegoModule.TryParse("a.rego", source, out var module, out var error), error?.ToDisplay());

        Assert.False(CompiledPolicy.TryCompile([module], null, out var policy, out var errors, Steps(100_000)));

        Assert.Null(policy);
        Assert.Equal("rego_budget_error: compiling took more than 100000 steps", Assert.Single(errors).ToString());
    }

    [Fact]
    public void A_cancelled_compilation_is_an_error_like_any_other()
    {
        using var cancelled = new CancellationTokenSource();
        cancelled.Cancel();
        var budget = new CompileBudget { Cancellation = cancelled.Token };
        Assert.True(RegoModule.TryParse("a.rego", "package a\n\np := 1", out var module, out _));

        Assert.False(CompiledPolicy.TryCompile([module], null, out _, out var errors, new CompileOptions { Budget = budget }));
        Assert.Equal("rego_cancel_error", Assert.Single(errors).CodeText);

        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out errors));
        Assert.False(policy.TryPrepare("data.a.p", out _, out errors, budget));
        Assert.Equal("rego_cancel_error", Assert.Single(errors).CodeText);
    }

    [Fact]
    public void Honest_policies_are_far_below_the_limit()
    {
        var most = 0L;
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "policies"), "*.rego").Where(file => !file.EndsWith("_test.rego", StringComparison.Ordinal)))
        {
            most = Math.Max(most, Compiled(File.ReadAllText(file), explain: true));
        }

        foreach (var source in ComplianceSuite.Cases().SelectMany(item => item.Modules).Distinct(StringComparer.Ordinal))
        {
            if (RegoModule.TryParse("a.rego", source, out var module, out _, RegoVersion.V1) && CompiledPolicy.TryCompile([module], null, out var policy, out _))
            {
                most = Math.Max(most, policy.CompileSteps);
            }
        }

        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"the largest takes {most} steps"));
        Assert.InRange(most, 1, CompileLimits.Steps / 1_000);
    }

    [Fact]
    public void Ten_thousand_rules_are_far_below_the_limit()
    {
        Assert.True(RegoModule.TryParse("a.rego", "package a\n\n" + List(10_000, i => $"allow if input.role == \"r{i}\"", "\n"), out var module, out _));
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out _));
        TestContext.Current.TestOutputHelper?.WriteLine(string.Create(CultureInfo.InvariantCulture, $"ten thousand rules take {policy.CompileSteps} steps"));
        Assert.InRange(policy.CompileSteps, 1, CompileLimits.Steps / 10);
    }

    private static CompileOptions Steps(long most) => new() { Budget = new CompileBudget { Steps = most } };

    private static long Steps(string form, int depth, bool explain) => Compiled(Source(form, depth), explain);

    private static long Compiled(string source, bool explain)
    {
        Assert.True(RegoModule.TryParse("a.rego", source, out var module, out var error), error?.ToDisplay());
        var options = Steps(Enough) with { Explain = explain };
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out var errors, options), string.Join("\n", errors.Select(one => one.ToString())));
        return policy.CompileSteps;
    }

    private static RegoModule? Parse(string form, int depth) => RegoModule.TryParse("a.rego", Source(form, depth), out var module, out _) ? module : null;

    private static string Source(string form, int depth)
    {
        const string Functions = "\n\nf(x) := x\n\ng(x, y) := [x, y]\n";
        if (s_rules.TryGetValue(form, out var rule))
        {
            return "package a\n\n" + rule(depth) + Functions;
        }

        var isTerm = s_forms.TryGetValue(form, out var nesting);
        var (open, inner, close) = isTerm ? nesting : s_statements[form];
        return $"package a\n\np if {{\n{(isTerm ? "x := " : "")}{Nested(open, inner, close, depth)}\nlate = 1\n}}{Functions}";
    }

    private static string Nested(string open, string inner, string close, int depth) =>
        string.Concat(Enumerable.Repeat(open, depth)) + inner + string.Concat(Enumerable.Repeat(close, depth));

    private static string List(int count, Func<int, string> item, string separator = ", ") => string.Join(separator, Enumerable.Range(0, count).Select(item));
}

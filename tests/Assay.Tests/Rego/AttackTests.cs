using System.Globalization;
using System.Text;
using Assay.Rego;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Tests.Rego;

/// <summary>Programs of somebody who wants to crash, hang or fill the host, or to have a policy pass because it took too much.</summary>
public class AttackTests
{
    // Steps that a cancelled evaluation may still take: those of one operation on numbers of 65,000 bits, which are counted at once, before the work.
    private const long Latency = 1_000_000;

    // Steps for each of the items that a long source repeats.
    private const long StepsPerItem = 100;

    private static readonly EvaluationBudget s_tight = new() { Steps = 4_000_000, Bytes = 128 << 20 };
    private static readonly EvaluationBudget s_endless = new() { Steps = long.MaxValue / 4, Bytes = long.MaxValue / 4 };

    /// <summary>Cheap for whoever counts statements only: each must end by the default budget.</summary>
    public static TheoryData<string> Evasions =>
    [
        // Values that share their parts: small in memory, without end when compared, printed or put in order.
        Doubling("a0 == b0"),
        Doubling("count({a0, b0}) == 1"),
        Doubling("{a0: 1}[b0]"),
        Doubling("$\"{a0}\" != \"\""),
        Doubling("sprintf(\"%v\", [a0]) != \"\""),
        Doubling("json.marshal(a0) != \"\""),
        Doubling("print(a0)"),
        Doubling("a0 in [b0, 1]"),
        // Long values compared again and again.
        "r := numbers.range(1, 400000); s := array.concat(r, []); every i in r { every j in r { r == s } }",
        "r := {x | some x in numbers.range(1, 100000)}; s := r | {0}; every i in s { every j in s { r == s - {0} } }",
        "t := sprintf(\"%0999999d\", [1]); u := sprintf(\"%0999999d\", [1]); every i in numbers.range(1, 100000) { every j in numbers.range(1, 1000) { t == u } }",
        // Arithmetic on long numbers.
        "every i in numbers.range(1, 1000000) { bits.lsh(1, 65000) * bits.lsh(1, 390) > 0; bits.lsh(3, 32000) * bits.lsh(5, 32000) > 0 }",
        "every i in numbers.range(1, 1000000) { 1e-19000 + 1e-19001 > 0 }",
        "every i in numbers.range(1, 1000000) { 1e-19000 / 3e-9001 > 0 }",
        "every i in numbers.range(1, 1000000) { 1e19000 % (i + 7) >= 0 }",
        "every i in numbers.range(1, 1000000) { count(sprintf(\"%d\", [bits.lsh(1, 65000)])) > 0 }",
        // Documents copied by with.
        "big := {sprintf(\"%d\", [i]): i | some i in numbers.range(1, 20000)}; every i in numbers.range(1, 10000000) { data.x == 1 with data as big with data.x as 1 }",
        // Products, strings and lists that double.
        "count([1 | some a in numbers.range(1, 1000); some b in numbers.range(1, 1000); some c in numbers.range(1, 1000)])",
        "count({x | some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); x := (a * 3000) + b})",
        "a := sprintf(\"%0999999d\", [1]); b := concat(a, [a, a, a, a, a, a, a, a]); c := concat(b, [b, b, b, b, b, b, b]); d := concat(c, [c, c, c, c, c, c]); count(d) > 0",
        "a := replace(sprintf(\"%050000d\", [0]), \"0\", sprintf(\"%050000d\", [0])); count(a) > 0",
        "a := numbers.range(1, 3000000); b := array.concat(a, a); c := array.concat(b, b); d := array.concat(c, c); e := array.concat(d, d); count(array.concat(e, e)) > 0",
        "count(strings.replace_n({\"0\": sprintf(\"%0100000d\", [0])}, sprintf(\"%0100000d\", [0]))) > 0",
        "count(json.marshal([x | some y in numbers.range(1, 3000); x := numbers.range(1, 3000)])) > 0",
        // Built-ins that search.
        "t := sprintf(\"%0999999d\", [0]); every i in numbers.range(1, 100000) { not regex.match(\"(0*)*1\", t) }",
        "t := sprintf(\"%0200000d\", [0]); count(regex.find_all_string_submatch_n(\"0{1,500}\", t, -1)) > 0; every i in numbers.range(1, 100000) { regex.match(\"(0?){500}0{500}1\", t) == false }",
        "t := sprintf(\"%0200000d\", [0]); every i in numbers.range(1, 100000) { not glob.match(\"*0*0*0*0*0*0*0*1\", [], t) }",
        "g := {sprintf(\"%d\", [i]): [sprintf(\"%d\", [j]) | some j in numbers.range(1, 40)] | some i in numbers.range(1, 40)}; every i in numbers.range(1, 10000) { count(graph.reachable_paths(g, {\"1\"})) > 0 }",
        "every i in numbers.range(1, 100000) { count([p | walk(numbers.range(1, 10000), [p, _])]) > 0 }",
        "t := sprintf(\"%0999999d\", [0]); every i in numbers.range(1, 100000) { count(indexof_n(t, \"0\")) > 0 }",
        "t := [sprintf(\"%0100d\", [i]) | some i in numbers.range(1, 20000)]; strings.any_prefix_match(t, t); every i in numbers.range(1, 1000000) { not strings.any_suffix_match(t, [\"x\", \"y\", \"z\"]) }",
        "d := [c | some i in numbers.range(1, 200000); c := \".\"]; every i in numbers.range(1, 100000) { not glob.match(\"a\", d, \"b\") }",
    ];

    [Theory]
    [MemberData(nameof(Evasions))]
    public void What_evades_counting_is_over_budget_all_the_same(string query)
    {
        var result = Prepared("package a", query).Evaluate(null, new EvaluationOptions { Environment = s_printing, Budget = s_tight }, TestContext.Current.CancellationToken);

        Assert.True(result.Error is { CodeText: "eval_budget_error" }, $"{result.Error?.ToString() ?? $"{result.Rows.Count} rows"} after {result.Steps} steps, {result.Bytes} bytes");
        Assert.Empty(result.Rows);
        Assert.Null(result.Value);
    }

    [Theory]
    [MemberData(nameof(Evasions))]
    public void A_cancelled_evaluation_ends_at_once_whatever_it_does(string query)
    {
        var prepared = Prepared("package a", query);
        foreach (var after in (ReadOnlySpan<long>)[1, 50_000, 2_000_000])
        {
            using var source = new CancellationTokenSource();
            var cancelled = 0L;
            // The bytes stay bounded: what fills the memory is another test.
            var options = new EvaluationOptions
            {
                Budget = s_endless with { Bytes = 256 << 20 },
                Environment = s_printing,
                Looked = steps =>
                {
                    if (steps >= after)
                    {
                        cancelled = steps;
                        source.Cancel();
                    }
                },
            };

            var result = prepared.Evaluate(null, options, source.Token);

            Assert.True(result.Error is { CodeText: "eval_cancel_error" or "eval_budget_error" }, $"{result.Error?.ToString() ?? "an answer"} after {result.Steps} steps");
            Assert.True(cancelled == 0 || result.Steps - cancelled <= Latency, $"{result.Steps - cancelled} steps were taken after it was cancelled at {cancelled}");
        }
    }

    [Fact]
    public void A_value_that_shares_its_parts_never_leaves_an_evaluation_larger_than_the_limit()
    {
        var module = new StringBuilder("package a\n\np0 := [\"0123456789\"]\n");
        for (var i = 1; i <= 60; i++)
        {
            module.Append(CultureInfo.InvariantCulture, $"p{i} := [p{i - 1}, p{i - 1}]\n");
        }

        var result = Prepared(module.ToString(), "data.a.p60").Evaluate(null, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal("eval_budget_error", result.Error?.CodeText);
        Assert.Contains("larger than", result.Error!.Message, StringComparison.Ordinal);
    }

    /// <summary>Sources whose compilation would be quadratic or worse.</summary>
    public static TheoryData<string> LongSources => ["chain", "equation", "body", "object", "nested", "string", "comments", "rules", "names", "print", "tests", "else", "arguments", "with"];

    [Theory]
    [MemberData(nameof(LongSources))]
    public void Long_sources_compile_or_are_refused_in_steps_for_each_item(string kind)
    {
        const int Items = 4_000;
        var source = Long(kind, Items);
        if (RegoModule.TryParse("long.rego", source, out var module, out var error))
        {
            _ = CompiledPolicy.TryCompile([module], null, out var policy, out var errors, new CompileOptions { Budget = new CompileBudget { Steps = StepsPerItem * Items } });
            Assert.True(policy is not null || errors.Count > 0);
            Assert.DoesNotContain(errors, one => one.Code == RegoErrorCode.CompileBudgetError);
        }
        else
        {
            Assert.NotNull(error.Location);
        }
    }

    [Fact]
    public void Keys_made_to_collide_cost_no_more_than_others()
    {
        // FNV and Java-like hashes collide on these; the hash of strings here has a key of its own in each process.
        var pairs = Enumerable.Range(0, 1 << 15).Select(i => string.Concat(Enumerable.Range(0, 15).Select(bit => ((i >> bit) & 1) == 0 ? "Aa" : "BB"))).ToArray();
        Assert.InRange(Buckets(pairs.Select(key => new RegoString(key))), 20_000, pairs.Length);
        Assert.True(RegoJson.TryRead("{" + string.Join(",", pairs.Select(key => $"\"{key}\":1")) + "}", out var input, out _));
        var result = Prepared("package a", "n := count({k | some k, _ in input}); every k, _ in input { input[k] == 1 }").Evaluate(input, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal("{\"n\":32768}", Assert.Single(result.Rows).ToJson());

        // Numbers a power of two apart.
        Assert.InRange(Buckets(Enumerable.Range(1, 32_768).Select(i => RegoNumber.Of(i * 4294967296L))), 20_000, 32_768);
        var numbers = Prepared("package a", "n := count({x | some i in numbers.range(1, 60000); x := i * 4294967296})").Evaluate(null, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal("{\"n\":60000}", Assert.Single(numbers.Rows).ToJson());

        // Into 65,536 buckets by chance go 25,800.
        static int Buckets(IEnumerable<RegoValue> keys) => keys.Select(key => key.GetHashCode() & 0xFFFF).Distinct().Count();
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{\"a\":", "}")]
    public void Deep_JSON_is_refused(string open, string close)
    {
        var deep = string.Concat(Enumerable.Repeat(open, 200_000)) + "1" + string.Concat(Enumerable.Repeat(close, 200_000));
        Assert.False(RegoJson.TryRead(deep, out var value, out var problem));
        Assert.Null(value);
        Assert.NotNull(problem);
    }

    [Fact]
    public void Octets_that_are_not_UTF8_are_read_as_Go_reads_them()
    {
        Assert.True(RegoJson.TryRead([(byte)'[', (byte)'"', 0xFF, (byte)'a', (byte)'"', (byte)']'], out var value, out _));
        Assert.Equal("[\"\uFFFDa\"]", value.ToJson());
        Assert.True(RegoJson.TryRead([(byte)'"', 0xFF, (byte)'\\', (byte)'n', (byte)'"'], out value, out _));
        Assert.Equal("\"\uFFFD\\n\"", value.ToJson());
    }

    private static readonly Assay.Rego.Builtins.EvaluationEnvironment s_printing = new() { Print = (_, _) => { } };

    // a0 and b0 hold 2^40 elements each, in forty arrays.
    private static string Doubling(string use)
    {
        var text = new StringBuilder("a20 := [1, 2]; b20 := array.concat([1], [2]); ");
        for (var i = 19; i >= 0; i--)
        {
            text.Append(CultureInfo.InvariantCulture, $"a{i} := [a{i + 1}, a{i + 1}]; b{i} := [b{i + 1}, b{i + 1}]; ");
        }

        return text.Append("every i in numbers.range(1, 100000) { ").Append(use).Append("; i > 0 }").ToString();
    }

    private static string Long(string kind, int count)
    {
        var numbers = Enumerable.Range(0, count);
        return "package a\n\n" + kind switch
        {
            // Each statement waits for the one behind it.
            "chain" => "p if {\n" + string.Join("\n", numbers.Select(i => $"\tx{i} = x{i + 1} + 1")) + $"\n\tx{count} = 1\n}}",
            "equation" => $"p if [{string.Join(", ", numbers.Select(i => $"x{i}"))}] = [{string.Join(", ", numbers.Select(i => $"x{i + 1}"))}]",
            "body" => "p if {\n" + string.Join("\n", numbers.Select(i => $"\tinput.x{i} == {i}")) + "\n}",
            "object" => "p := {" + string.Join(", ", numbers.Select(i => $"\"k{i}\": [x | x := input.a{i}]")) + "}",
            "nested" => "p := " + string.Concat(numbers.Select(_ => "[x | x := ")) + "1",
            "string" => "p := \"" + string.Concat(numbers.Select(_ => "\\u0041\\n{}")) + "\" + " + string.Join(" + ", numbers),
            "comments" => string.Join("\n", numbers.Select(i => $"# METADATA\n# title: t{i}")) + "\np := 1",
            "rules" => string.Join("\n", numbers.Select(i => $"p if input.x == {i}\np{i} if p{(i + 1) % count}")),
            "names" => "p if {\n" + string.Join("\n", numbers.Select(i => $"\tsome x{i} in input.y\n\t{{z | z := x{i}; z > y{i}}} == set()\n\ty{i} := 1")) + "\n}",
            "print" => $"p if print({string.Join(", ", numbers.Select(i => $"input.x{i}"))})",
            "tests" => string.Join("\n", numbers.Select(i => $"p[x].y[{i}] := x if x := {i}")),
            "else" => "p := 0 if input.x == 0\n" + string.Join("\n", numbers.Select(i => $"else := {i} if input.x == {i}")),
            "arguments" => $"f({string.Join(", ", numbers.Select(i => $"x{i}"))}) := 1\n\np := f({string.Join(", ", numbers)})",
            _ => "p if {\n\tinput.x" + string.Concat(numbers.Select(i => $" with input.y{i} as {i}")) + "\n}",
        };
    }

    private static PreparedQuery Prepared(string source, string query)
    {
        Assert.True(RegoModule.TryParse("a.rego", source, out var module, out var error), error?.ToDisplay());
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out var errors), string.Join("\n", errors));
        Assert.True(policy.TryPrepare(query, out var prepared, out errors), string.Join("\n", errors));
        return prepared;
    }
}

using System.Globalization;
using System.Text;
using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Tests.Rego;

/// <summary>How much work an evaluation is, in steps: what rules cannot hold are not asked, and what was computed is kept.</summary>
public class WorkTests
{
    [Fact]
    public void Rules_told_apart_by_an_input_cost_the_same_however_many_they_are()
    {
        var (few, many) = (Allow(10), Allow(5_000));
        foreach (var (input, expected) in (ValueTuple<string, bool>[])[("""{"role":"r7"}""", true), ("""{"role":"nobody"}""", false), ("""{"role":7}""", false), ("{}", false)])
        {
            var (small, large) = (Run(few, input), Run(many, input));
            Assert.Equal((expected, expected), (small.IsTrue, large.IsTrue));
            Assert.Equal(small.Steps, large.Steps);
            Assert.InRange(large.Steps, 1, 12);
        }

        static PreparedQuery Allow(int rules) =>
            Prepared("data.a.allow", string.Join("\n", Enumerable.Range(0, rules).Select(i => $"allow if input.role == \"r{i}\"")));
    }

    [Fact]
    public void An_index_is_used_for_sets_objects_and_functions_too()
    {
        var source = new StringBuilder();
        for (var i = 0; i < 2_000; i++)
        {
            source.Append(CultureInfo.InvariantCulture, $"set contains {i} if input.k == {i}\nobject[input.k] := {i} if {i} = input.k\nf({i}) := {i + 1}\ng(x) := {i} if x == \"v{i}\"\n");
        }

        var query = Prepared("x := [data.a.set, data.a.object, data.a.f(77), data.a.g(\"v9\")]", source.ToString());
        var result = Run(query, """{"k":5}""");

        Assert.Equal("""{"x":[[5],{"5":5},78,9]}""", Assert.Single(result.Rows).ToJson());
        Assert.InRange(result.Steps, 1, 60);
    }

    [Fact]
    public void What_an_index_leaves_out_could_not_have_held()
    {
        // Rules with and without the comparison, in an order that matters for errors, with else, with and not.
        const string Source = """
            v := "first" if input.k == 1
            v := "second" if {
                input.k == 2
                input.l
            } else := "other" if input.k == 3
            v := "third" if input.m
            v := "fourth" if not input.k == 4
            v := "fifth" if input.k == 5 with input as {"k": 5}
            s contains "a" if input.k == 1
            s contains "b" if 1 == input.k
            s contains "c" if input.k = 2
            s contains "d" if input.m
            s contains "e" if input.k == {"x": [1]}
            """;
        var query = Prepared("data.a.s", Source);
        Assert.Equal("""["a","b"]""", Run(query, """{"k":1}""").Value?.ToJson());
        Assert.Equal("""["a","b"]""", Run(query, """{"k":1.0}""").Value?.ToJson());
        Assert.Equal("""["c","d"]""", Run(query, """{"k":2,"m":true}""").Value?.ToJson());
        Assert.Equal("""["e"]""", Run(query, """{"k":{"x":[1]}}""").Value?.ToJson());
        Assert.Equal("[]", Run(query, "{}").Value?.ToJson());
        Assert.Equal("eval_conflict_error", Run(Prepared("data.a.v", Source), """{"k":1}""").Error?.CodeText);
        // Two different values for the same input are a conflict with an index as without.
        var conflict = string.Join("\n", Enumerable.Range(0, 9).Select(i => $"w := {i} if input.k == {i % 5}"));
        Assert.Equal("eval_conflict_error", Run(Prepared("data.a.w", conflict), """{"k":3}""").Error?.CodeText);
        Assert.Equal("4", Run(Prepared("data.a.w", conflict), """{"k":4}""").Value?.ToJson());
    }

    [Fact]
    public void An_index_follows_with_and_gives_way_to_a_replaced_operator()
    {
        var source = string.Join("\n", Enumerable.Range(0, 20).Select(i => $"p contains {i} if input.k == {i}")) + "\nq := x if x := data.a.p with input.k as 3\nalways(x, y) := true";
        Assert.Equal("[3]", Run(Prepared("data.a.q", source), """{"k":5}""").Value?.ToJson());
    }

    [Fact]
    public void Results_of_functions_are_kept_by_their_arguments()
    {
        var source = new StringBuilder("f0(x) := x + 1\n");
        for (var i = 1; i <= 40; i++)
        {
            source.Append(CultureInfo.InvariantCulture, $"f{i}(x) := f{i - 1}(x) + f{i - 1}(x)\n");
        }

        var result = Run(Prepared("data.a.f40(1)", source.ToString()), "{}");
        Assert.Equal("2199023255552", result.Value?.ToJson());
        Assert.InRange(result.Steps, 1, 20_000);
    }

    [Fact]
    public void Kept_results_do_not_cross_a_with()
    {
        const string Source = """
            f(x) := x + input.n
            g(x, y) := count(x) + y + input.n
            undefined_for(x) := x if x > input.n
            rows := [[a, b, c, d, e, h] |
                some i in numbers.range(1, 60)
                a := f(1)
                b := f(1) with input.n as 10
                c := f(1) with input as {"n": 20}
                d := g([1], 1)
                e := g([1], 1) with input.n as 5
                h := g([1], 1) with count as 7
            ]
            distinct := {r | some r in rows}
            none := [x | some i in numbers.range(1, 60); x := undefined_for(2)]
            some_ := [x | some i in numbers.range(1, 60); x := undefined_for(2) with input.n as 1]
            """;
        Assert.Equal("[[1,11,21,2,7,8]]", Run(Prepared("data.a.distinct", Source), """{"n":0}""").Value?.ToJson());
        Assert.Equal("[]", Run(Prepared("data.a.none", Source), """{"n":5}""").Value?.ToJson());
        Assert.Equal("60", Run(Prepared("count(data.a.some_)", Source), """{"n":5}""").Value?.ToJson());
    }

    [Fact]
    public void Results_are_not_kept_from_one_query_to_the_next()
    {
        var query = Prepared("x := [r | some i in numbers.range(1, 40); r := data.a.f(1)]", "f(x) := x + input.n");
        Assert.Contains("[2,2", Run(query, """{"n":1}""").Rows[0].ToJson(), StringComparison.Ordinal);
        Assert.Contains("[3,3", Run(query, """{"n":2}""").Rows[0].ToJson(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_allow_list_is_searched_by_hash()
    {
        var (few, many) = (Membership(10), Membership(10_000));
        Assert.Equal(Run(few, """{"id":"d7"}""").Steps, Run(many, """{"id":"d7"}""").Steps);
        Assert.True(Run(many, """{"id":"d7"}""").IsTrue);
        Assert.False(Run(many, """{"id":"other"}""").IsTrue);

        static PreparedQuery Membership(int entries) =>
            Prepared("data.a.allow", $"allowed := {{{string.Join(", ", Enumerable.Range(0, entries).Select(i => $"\"d{i}\""))}}}\n\nallow if input.id in allowed");
    }

    private static EvaluationResult Run(PreparedQuery query, string json)
    {
        Assert.True(RegoJson.TryRead(json, out var input, out var problem), problem);
        return query.Evaluate(input, cancellation: TestContext.Current.CancellationToken);
    }

    private static PreparedQuery Prepared(string query, string rules)
    {
        Assert.True(RegoModule.TryParse("a.rego", "package a\n\n" + rules, out var module, out var error), error?.ToDisplay());
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out var errors), string.Join("\n", errors.Select(one => one.ToDisplay())));
        Assert.True(policy.TryPrepare(query, out var prepared, out errors), string.Join("\n", (errors ?? []).Select(one => one.ToDisplay())));
        return prepared;
    }
}

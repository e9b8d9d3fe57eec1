using Assay.Rego;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Tests.Rego;

/// <summary>
/// What <c>not</c> negates: the operands of a negated call are evaluated before it, as OPA moves them there. Each case is a body, an input and
/// what the rule is then.
/// </summary>
public class NegationTests
{
    private const string Functions = """

        f(x) if x == 1
        same(x) := x
        never(_) := {"foo": true} if false
        no(_) := false
        obj := {"a": false, "b": true}
        """;

    // The first seven are OPA's answers to cases of the field; the others follow from the same stages of its compiler.
    public static TheoryData<string, string, string> Cases => new()
    {
        { "not startswith(input.foo, \"x\")", "{}", "undefined" },
        { "not obj[input.k]", "{}", "undefined" },
        { "not never(\"bar\").foo", "{}", "undefined" },
        { "not input.foo != 1", "{}", "undefined" },
        { "not startswith(lower(input.foo), \"x\")", "{}", "undefined" },
        { "not input.foo in [1]", "{}", "undefined" },
        { "not f(input.foo)", "{}", "undefined" },

        // Where the operands are there, the call decides.
        { "not startswith(input.foo, \"x\")", "{\"foo\":\"y\"}", "true" },
        { "not startswith(input.foo, \"x\")", "{\"foo\":\"x\"}", "undefined" },
        { "not obj[input.k]", "{\"k\":\"a\"}", "true" },
        { "not obj[input.k]", "{\"k\":\"b\"}", "undefined" },
        { "not obj[input.k]", "{\"k\":\"c\"}", "true" },
        { "not input.foo != 1", "{\"foo\":1}", "true" },
        { "not input.foo != 1", "{\"foo\":2}", "undefined" },
        { "not input.foo in [1]", "{\"foo\":2}", "true" },
        { "not input.foo in [1]", "{\"foo\":1}", "undefined" },
        { "not f(input.foo)", "{\"foo\":2}", "true" },
        { "not f(input.foo)", "{\"foo\":1}", "undefined" },
        { "not f(input.foo)", "{\"foo\":false}", "true" },
        { "not f(input.foo)", "{\"foo\":null}", "true" },

        // A reference alone is what is negated, and so is a side of an equation: == is one for OPA.
        { "not input", "", "true" },
        { "not f(input)", "", "undefined" },
        { "not input.foo", "{}", "true" },
        { "not input.foo.bar[\"x\"]", "{}", "true" },
        { "not input.foo = 1", "{}", "true" },
        { "not input.foo == 1", "{}", "true" },
        { "not 1 == input.foo", "{}", "true" },
        { "not input.foo == input.bar", "{\"foo\":1}", "true" },
        { "not input.foo == 1", "{\"foo\":1}", "undefined" },
        { "not input.foo == 1", "{\"foo\":2}", "true" },

        // But not what is inside a side.
        { "not lower(input.foo) == \"x\"", "{}", "undefined" },
        { "not lower(input.foo) = \"x\"", "{}", "undefined" },
        { "not lower(input.foo) == \"x\"", "{\"foo\":\"Y\"}", "true" },
        { "not [input.foo] == [1]", "{}", "undefined" },
        { "not {\"a\": input.foo} = {\"a\": 1}", "{}", "undefined" },
        { "not input.foo + 1 == 2", "{}", "undefined" },
        { "not input.foo + 1 == 2", "{\"foo\":2}", "true" },
        { "not obj[input.k] == true", "{}", "undefined" },
        { "not [input.foo]", "{}", "undefined" },
        { "not [input.foo][1]", "{}", "undefined" },
        { "not [input.foo][1]", "{\"foo\":1}", "true" },
        { "not same(same(input.foo))", "{}", "undefined" },
        { "not same(no(1))", "{}", "true" },
        { "not f(no(1))", "{}", "true" },
        { "not same(input.foo, 1)", "{}", "undefined" },
        { "not same(input.foo, 1)", "{\"foo\":2}", "true" },
        { "not same(1, input.foo)", "{}", "undefined" },
        { "not input.foo < 1", "{}", "undefined" },
        { "not 1, 2 in input.foo", "{}", "undefined" },
        { "not 1 in input.foo", "{\"foo\":[2]}", "true" },

        // Closures stay: what is undefined in one makes it empty.
        { "not f(count([x | x := input.foo]))", "{}", "true" },
        { "not count([x | x := input.foo]) == 0", "{}", "undefined" },
        { "not same([x | x := input.foo[_]]) == []", "{}", "undefined" },
        { "not startswith($\"{input.foo}\", \"x\")", "{}", "true" },
        { "not print(input.foo)", "{}", "undefined" },
        { "count([1 | not f(input.foo)]) == 0", "{}", "true" },
        { "count([1 | not f(input.foo)]) == 1", "{\"foo\":2}", "true" },
        { "every x in [1, 2] { not f(input.foo) }", "{}", "undefined" },
        { "every x in [1, 2] { not f(input.foo) }", "{\"foo\":2}", "true" },
        { "every x in [1, 2] { not f(x) }", "{}", "undefined" },
        { "every x in [3, 2] { not f(x) }", "{}", "true" },

        // Operands are evaluated under the modifiers, the modifiers' values before them.
        { "not f(input.foo) with input as {}", "{\"foo\":2}", "undefined" },
        { "not f(input.foo) with input as {\"foo\": 2}", "{}", "true" },
        { "not f(input.foo) with input.foo as input.bar", "{}", "undefined" },
        { "not f(input.foo) with f as true", "{}", "undefined" },
        { "not f(input.foo) with f as false", "{\"foo\":1}", "true" },
        { "not same(input.foo) with same as no", "{}", "undefined" },

        // A variable is bound before, and an operand is evaluated for each of its values.
        { "some i in [0, 1]; not f(input.xs[i])", "{\"xs\":[1]}", "undefined" },
        { "some i in [0, 1]; not f(input.xs[i])", "{\"xs\":[1, 2]}", "true" },
        { "not f(input.xs[i]); i = 1", "{\"xs\":[1, 2]}", "true" },

        // A wildcard stays inside, and says that it holds of no element (OPA refuses such a statement). Its neighbours are operands.
        { "not f(input.xs[_])", "{}", "true" },
        { "not f(input.xs[_])", "{\"xs\":[2, 1]}", "undefined" },
        { "not f(input.xs[_])", "{\"xs\":[2, 3]}", "true" },
        { "not startswith(input.xs[_], input.foo)", "{\"xs\":[\"a\"]}", "undefined" },
        { "not startswith(lower(input.xs[_]), input.foo)", "{\"xs\":[\"A\"],\"foo\":\"b\"}", "true" },
        { "not walk(input.xs, [[0], _])", "{}", "undefined" },
        { "not walk(input.xs, [[0], _])", "{\"xs\":[]}", "true" },
        { "not walk(input.xs, [[0], _])", "{\"xs\":[1]}", "undefined" },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_rule_is_what_OPA_says(string body, string input, string expected)
    {
        foreach (var explain in (ReadOnlySpan<bool>)[false, true])
        {
            var policy = Compiled(body, out var errors, explain);
            Assert.True(policy is not null, string.Join('\n', errors));
            Assert.True(policy.TryPrepare("data.t.p", out var query, out errors), string.Join('\n', errors));
            RegoValue? document = null;
            Assert.True(input.Length == 0 || RegoJson.TryRead(input, out document, out _), input);

            var result = query.Evaluate(document, cancellation: TestContext.Current.CancellationToken);

            Assert.Null(result.Error);
            Assert.Equal(expected, result.Value?.ToJson() ?? "undefined");
        }
    }

    // OPA compiles queries without the stage that makes an equation of ==.
    [Theory]
    [InlineData("not input.foo == 1", 0)]
    [InlineData("not input.foo = 1", 1)]
    [InlineData("not input.foo", 1)]
    [InlineData("not data.t.f(input.foo)", 0)]
    [InlineData("not data.t.f(2)", 1)]
    public void A_query_is_negated_as_OPA_negates_it(string text, int rows)
    {
        Assert.True(Compiled("true", out _)!.TryPrepare(text, out var query, out var errors), string.Join('\n', errors));
        Assert.Equal(rows, query.Evaluate(RegoObject.Empty, cancellation: TestContext.Current.CancellationToken).Rows.Count);
    }

    [Theory]
    [InlineData("not f(input.xs[i])", "rego_unsafe_var_error", "var i is unsafe")]
    [InlineData("not f(same(i))", "rego_unsafe_var_error", "var i is unsafe")]
    [InlineData("not startswith(1 + 1, \"x\")", "rego_type_error", "startswith: invalid argument(s)")]
    [InlineData("not startswith([lower(\"A\")], \"x\")", "rego_type_error", "startswith: invalid argument(s)")]
    [InlineData("not 1 + 1 == \"x\"", "rego_type_error", "match error")]
    [InlineData("not f(missing(1))", "rego_type_error", "undefined function missing")]
    [InlineData("not p", "rego_recursion_error", "rule data.t.p is recursive")]
    [InlineData("not f(p)", "rego_recursion_error", "rule data.t.p is recursive")]
    public void What_is_moved_is_checked_where_it_was_written(string body, string code, string message)
    {
        Assert.Null(Compiled(body, out var errors));
        Assert.Contains(errors, error => error.CodeText == code && error.Message.StartsWith(message, StringComparison.Ordinal));
    }

    [Fact]
    public void An_explanation_names_the_operand_as_it_was_written()
    {
        var policy = Compiled("not f(input.foo)", out _, explain: true);
        Assert.True(policy!.TryPrepare("data.t.p", out var query, out _));

        var statement = query.Evaluate(RegoObject.Empty, cancellation: TestContext.Current.CancellationToken).Explanation.First(one => one.Stopped);

        Assert.Equal("not f(input.foo)", statement.Text);
        Assert.Equal(new SeenValue("input.foo", null), Assert.Single(statement.Seen));
    }

    private static CompiledPolicy? Compiled(string body, out IReadOnlyList<RegoError> errors, bool explain = false)
    {
        Assert.True(RegoModule.TryParse("t.rego", $"package t\n\np if {{ {body} }}\n{Functions}", out var module, out var error), error?.ToDisplay());
        return CompiledPolicy.TryCompile([module], null, out var policy, out errors, new CompileOptions { Explain = explain }) ? policy : null;
    }
}

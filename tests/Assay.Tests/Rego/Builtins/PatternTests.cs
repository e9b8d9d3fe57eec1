using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Assay.Rego.Builtins.Patterns;

namespace Assay.Tests.Rego.Builtins;

/// <summary>RE2's syntax and semantics, globs, and patterns made to hurt.</summary>
public class PatternTests
{
    private const long MaxSteps = 50_000_000;

    // Expected answers are written by hand from RE2's syntax page; "-" is no match, else the places of the match and of its groups.
    [Theory]
    [InlineData(@"a+?", "aaa", "0,1")]
    [InlineData(@"(?U)a+", "aaa", "0,1")]
    [InlineData(@"(?U)a+?", "aaa", "0,3")]
    [InlineData(@"a|ab", "ab", "0,1")]
    [InlineData(@"(a|ab)(c|bcd)", "abcd", "0,4 0,1 1,4")]
    [InlineData(@"\d+", "x٣4", "2,3")]
    [InlineData(@"\w+", "é_9", "1,3")]
    [InlineData(@"\s", "\u00A0\v ", "2,3")]
    [InlineData(@"\bfoo\b", "éfoo", "1,4")]
    [InlineData(@"a$", "a\n", "-")]
    [InlineData(@"(?m)a$", "a\n", "0,1")]
    [InlineData(@"(?m)^b", "a\nb", "2,3")]
    [InlineData(@"a\z", "ba", "1,2")]
    [InlineData(@".", "\n", "-")]
    [InlineData(@"(?s).", "\n", "0,1")]
    [InlineData(@"^.$", "\U0001F600", "0,2")]
    [InlineData(@"[^a]", "\U0001F600", "0,2")]
    [InlineData(@"[\U]", "U", "refused")]
    [InlineData(@"[😀-😎]", "\U0001F601", "0,2")]
    [InlineData(@"(?P<year>\d{4})-(?<m>\d\d)", "on 2024-05", "3,10 3,7 8,10")]
    [InlineData(@"\Qa.b\E+", "a.bbb", "0,5")]
    [InlineData(@"\Q...", "...", "0,3")]
    [InlineData(@"[[:alpha:]]+", "1abZ9", "1,4")]
    [InlineData(@"[[:^digit:]_]+", "1a_2", "1,3")]
    [InlineData(@"[]a]+", "a]b", "0,2")]
    [InlineData(@"[a-]+", "-a", "0,2")]
    [InlineData(@"[\d-z]+", "1-z", "0,3")]
    [InlineData(@"\pN+", "x²3", "1,3")]
    [InlineData(@"\p{Lu}", "aÀ", "1,2")]
    [InlineData(@"\P{L}", "a1", "1,2")]
    [InlineData(@"\p{^Lu}+", "Aa", "1,2")]
    [InlineData(@"(?i)straSSe", "STRASSE", "0,7")]
    [InlineData(@"(?i)k", "\u212A", "0,1")]
    [InlineData(@"(?i)[s]", "\u017F", "0,1")]
    [InlineData(@"(?i:a)b", "AB", "-")]
    [InlineData(@"(?i)a(?-i)b", "Ab", "0,2")]
    [InlineData(@"\x{1F600}", "\U0001F600", "0,2")]
    [InlineData(@"\x41\101\0?", "AA", "0,2")]
    [InlineData(@"(a*)*", "b", "0,0 0,0")]
    [InlineData(@"(a|b)*", "ab", "0,2 1,2")]
    [InlineData(@"(|a)+", "aa", "0,0 0,0")]
    [InlineData(@"x{2}", "xxx", "0,2")]
    [InlineData(@"x{,2}", "x{,2}", "0,5")]
    [InlineData(@"x{a}", "x{a}", "0,4")]
    [InlineData(@"a{0}b", "ab", "1,2")]
    [InlineData(@"^*", "", "0,0")]
    [InlineData(@"(?:)", "x", "0,0")]
    public void A_pattern_matches_as_RE2_does(string pattern, string text, string expected) => Assert.Equal(expected, First(pattern, text));

    [Theory]
    [InlineData(@"(?=a)")]
    [InlineData(@"(?!a)")]
    [InlineData(@"(?<=a)b")]
    [InlineData(@"(?>a)")]
    [InlineData(@"(a)\1")]
    [InlineData(@"\8")]
    [InlineData(@"\C")]
    [InlineData(@"\G")]
    [InlineData(@"\Z")]
    [InlineData(@"\h")]
    [InlineData(@"a**")]
    [InlineData(@"a++")]
    [InlineData(@"*a")]
    [InlineData(@"a|*")]
    [InlineData(@"(")]
    [InlineData(@")")]
    [InlineData(@"[")]
    [InlineData(@"[]")]
    [InlineData(@"[z-a]")]
    [InlineData(@"[[:nope:]]")]
    [InlineData(@"\p{Nope}")]
    [InlineData(@"\pX")]
    [InlineData(@"\x{110000}")]
    [InlineData(@"\x4")]
    [InlineData(@"a{1001}")]
    [InlineData(@"a{2,1}")]
    [InlineData(@"(a{100}){100}")]
    [InlineData(@"((a{100}){100}){100}")]
    [InlineData(@"(?P<n>a)(?P<n>b)")]
    [InlineData(@"(?P<>a)")]
    [InlineData(@"(?P=n)")]
    [InlineData(@"(?i-)a")]
    [InlineData(@"(?x)a")]
    [InlineData(@"\")]
    public void What_RE2_refuses_is_refused(string pattern) => Assert.Equal("refused", First(pattern, "a"));

    [Fact]
    public void A_pattern_agrees_with_the_frameworks_engine_where_both_know_the_syntax()
    {
        var chance = new Seeded(4);
        for (var round = 0; round < 3000; round++)
        {
            var pattern = Generated(chance, 3).Text;
            var text = new string([.. Enumerable.Range(0, chance.Below(10)).Select(_ => "abc"[chance.Below(3)])]);
            var theirs = Regex.Match(text, pattern, RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, TimeSpan.FromMinutes(5));
            var expected = theirs.Success ? string.Create(CultureInfo.InvariantCulture, $"{theirs.Index},{theirs.Index + theirs.Length}") : "-";
            Assert.True(expected == First(pattern, text).Split(' ')[0], $"{pattern} on {text}: theirs {expected}, ours {First(pattern, text)}");
        }
    }

    [Fact]
    public void Every_prefix_and_every_mutation_of_a_pattern_is_compiled_or_refused()
    {
        string[] seeds =
        [
            @"^(?P<year>\d{4})-(?:[[:alpha:]]+|\p{Lu}\Q.*\E){2,30}?$", @"(?im-sU:\bfo+\B)|[^\]\-a-z\x{1F600}]*\z", @"((a|b)*c{1,9}){3}[\d\W\pN]+?\A\\", "\U0001F600[\uD800-\uDFFF]\uD83D+",
        ];
        var chance = new Seeded(9);
        foreach (var seed in seeds)
        {
            for (var length = 0; length <= seed.Length; length++)
            {
                First(seed[..length], "some text 2024-05 foo]");
            }

            for (var round = 0; round < 1500; round++)
            {
                var mutated = new StringBuilder(seed);
                for (var change = chance.Below(4); change >= 0; change--)
                {
                    mutated[chance.Below(mutated.Length)] = @"()[]{}*+?|\^$.-:,019aPQEpxzU<>"[chance.Below(30)];
                }

                First(mutated.ToString(), "some text 2024-05 foo]");
            }
        }
    }

    [Theory]
    [InlineData("(a*)*b", 20_000)]
    [InlineData("(a|a)*b", 20_000)]
    [InlineData("(.*)(.*)(.*)x", 20_000)]
    [InlineData("(?i)([a-z]+)+$", 20_000)]
    public void A_pattern_that_hurts_backtracking_engines_takes_linear_time(string pattern, int length) =>
        Assert.NotEqual("refused", First(pattern, new string('a', length) + "!"));

    [Fact]
    public void A_giant_pattern_is_refused_before_it_takes_memory()
    {
        Assert.Equal("refused", First(new string('a', RegularExpression.MaxPattern + 1), "a"));
        Assert.Equal("refused", First(new string('(', 20_000), "a"));
        Assert.Equal("refused", First(new string('(', 600) + new string(')', 600), "a"));
        Assert.Equal("refused", First(string.Concat(Enumerable.Repeat(@"\pL{1000}", 60)), "a"));
    }

    [Fact]
    public void A_long_search_is_stopped_by_the_budget() =>
        Assert.StartsWith("eval_budget_error", Evaluate.Call("regex.find_n(input.a, input.b, -1)", "(x*)*y|.", new string('x', 20_000)), StringComparison.Ordinal);

    [Theory]
    [InlineData("regex.replace(\"-ab-axxb-\", `a(x*)b`, \"${1}W$0$$\")", "\"-Wab$-xxWaxxb$-\"")]
    [InlineData("regex.replace(\"abc\", `b*`, \"-\")", "\"-a-c-\"")]
    [InlineData("regex.replace(\"aaa\", `^a`, \"b\")", "\"baa\"")]
    [InlineData("regex.replace(\"ab\", `(?P<x>a)(b)`, \"$x$2$1x|$y\")", "\"ab|\"")]
    [InlineData("regex.split(`,\\s*`, \"a, b,c\")", "[\"a\",\"b\",\"c\"]")]
    [InlineData("regex.split(``, \"abc\")", "[\"a\",\"b\",\"c\"]")]
    [InlineData("regex.find_n(`a*`, \"baac\", -1)", "[\"\",\"aa\",\"\"]")]
    [InlineData("regex.find_all_string_submatch_n(`(a)|(b)`, \"ab\", -1)", "[[\"a\",\"a\",\"\"],[\"b\",\"\",\"b\"]]")]
    [InlineData("regex.match(`[`, \"a\")", "eval_builtin_error: regex.match: error parsing regexp: missing closing ]: `[`")]
    [InlineData("regex.template_match(\"urn:{.*}:{[0-9]+}\", \"urn:x:12\", \"{\", \"}\")", "true")]
    [InlineData("regex.template_match(\"urn:{.*\", \"urn:x\", \"{\", \"}\")", "eval_builtin_error: regex.template_match: unbalanced braces in \"urn:{.*\"")]
    [InlineData("regex.globs_match(\"a*b+[x-z]\", \"aab.\")", "true")]
    [InlineData("regex.globs_match(\"a+\", \"b*\")", "false")]
    [InlineData("glob.match(\"{a,b{c,d}}*[!x]\", null, \"bd.y\")", "true")]
    [InlineData("glob.match(\"a?c\", [\"/\"], \"a/c\")", "false")]
    [InlineData("glob.match(\"**/x\", [\"/\"], \"a/b/x\")", "true")]
    [InlineData("glob.match(\"\\\\*\", null, \"*\")", "true")]
    [InlineData("glob.match(\"[c-a]\", null, \"b\")", "eval_builtin_error: glob.match: hi character 'a' should be greater than lo 'c'")]
    public void Pattern_built_ins_answer_as_OPA_does(string expression, string expected) => Assert.Equal(expected, Evaluate.Expression(expression));

    private static string First(string pattern, string text)
    {
        if (!RegularExpression.TryCompile(pattern, out var expression, out var fault))
        {
            Assert.StartsWith("error parsing regexp: ", fault, StringComparison.Ordinal);
            return "refused";
        }

        var steps = 0L;
        var match = expression.Matches(text, 1, true, taken => Assert.True((steps += taken) < MaxSteps, pattern)).FirstOrDefault();
        return match is null ? "-" : string.Join(' ', match.Chunk(2).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair[0]},{pair[1]}")));
    }

    /// <summary>A pattern in the syntax that both engines share. Loops hold no nullable body: there the two differ by design.</summary>
    private static (string Text, bool Nullable) Generated(Seeded chance, int depth)
    {
        if (depth == 0)
        {
            return (chance.Below(6) switch { 0 => "[ab]", 1 => "[^a]", 2 => ".", _ => "abc"[chance.Below(3)].ToString() }, false);
        }

        var (first, second) = (Generated(chance, depth - 1), Generated(chance, depth - 1));
        switch (chance.Below(5))
        {
            case 0:
                return ($"(?:{first.Text}|{second.Text})", first.Nullable || second.Nullable);
            case 1 when !first.Nullable:
                var loop = chance.Below(6);
                return ($"(?:{first.Text}){new[] { "*", "+", "?", "*?", "+?", "{1,3}" }[loop]}", loop is 0 or 2 or 3);
            case 2:
                return ($"(?:^{first.Text}|{second.Text}\\z)", false);
            default:
                return (first.Text + second.Text, first.Nullable && second.Nullable);
        }
    }
}

using System.Text.Json;
using System.Xml.Linq;

namespace Assay.Tests.Cli;

/// <summary><c>assay policy</c> as a user runs it: exit codes, places of errors, answers, reports of tests.</summary>
public sealed class PolicyCliTests : IDisposable
{
    private const string Head = "package policy\nimport rego.v1\n";

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-rego-").FullName;
    private readonly AssayCommand _assay = new();

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void All_errors_of_a_policy_are_shown_with_their_place_and_a_caret()
    {
        var file = Write("bad.rego", "package p\n\nimport rego.v1\n\nallow if {\n\tx == 1\n\tinput.z == qq\n}\n");

        var text = Says(2, "policy", "check", file);

        Assert.Contains($"{file}:6:2: rego_unsafe_var_error: ", text, StringComparison.Ordinal);
        Assert.Contains("\n     x == 1\n     ^\n", text, StringComparison.Ordinal);
        Assert.Contains($"{file}:7:", text, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Json(Says(2, "policy", "check", file, "--format", "json")));
        Assert.False(json.RootElement.GetProperty("ok").GetBoolean());
        Assert.Contains(json.RootElement.GetProperty("errors").EnumerateArray(), error => error.GetProperty("line").GetInt32() == 6 && error.GetProperty("code").GetString() == "rego_unsafe_var_error");
    }

    [Fact]
    public void Errors_of_every_file_are_shown_at_once()
    {
        var text = Says(2, "policy", "check", Write("a.rego", "package a\n\nx := := 1\n"), Write("b.rego", "package b\n\ny := ]\n"), At("none.rego"));

        Assert.Contains("a.rego:3:", text, StringComparison.Ordinal);
        Assert.Contains("b.rego:3:", text, StringComparison.Ordinal);
        Assert.Contains("none.rego: no such file", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Strictness_and_dialect_are_the_callers()
    {
        var unused = Write("unused.rego", Head + "allow if {\n\tx := 1\n\tinput.y\n}\n");
        var old = Write("old.rego", "package policy\n\nallow {\n\tinput.y\n}\n");

        Says(0, "policy", "check", unused);
        Says(2, "policy", "check", "--strict", unused);
        Says(0, "policy", "check", old);
        Says(0, "policy", "check", "--v0", old);
        Says(2, "policy", "check", "--v1", old);
        Assert.Contains("not both", Says(2, "policy", "check", "--v0", "--v1", old), StringComparison.Ordinal);
    }

    [Fact]
    public void NVIDIAs_policies_compile_as_they_are()
    {
        foreach (var file in Directory.GetFiles(Recorded.PathOf("nvidia/policies/rego"), "*.rego"))
        {
            Assert.Contains("1 policy compiles.", Says(0, "policy", "check", file), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void What_a_strangers_policy_says_does_not_move_the_cursor()
    {
        var file = Write("draws.rego", "package p\nallow := \"\u001b[2J\u202e\" == ]\n");

        var text = Says(2, "policy", "check", file) + Says(2, "policy", "check", file, "--format", "json");

        Assert.DoesNotContain('\u001b', text);
        Assert.DoesNotContain('\u202e', text);
        var prints = Write("prints.rego", Head + "allow if print(\"\\u001b[2J\", input)\ntext := \"\\u001b\\u202e\"\n");
        text = Says(0, "policy", "eval", "--policy", prints, "--input", Write("in.json", "\"\u202e\""), "--query", "data.policy.allow", "--explain")
            + Says(0, "policy", "eval", "--policy", prints, "--query", "data.policy.text");
        Assert.Contains("\\u{202e}", text, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', text);
        Assert.DoesNotContain('\u202e', text);
    }

    [Theory]
    [InlineData("data.policy.yes", 0, "true")]
    [InlineData("data.policy.no", 1, "false")]
    [InlineData("data.policy.nothing", 1, "undefined")]
    [InlineData("data.policy.many", 0, "[\n  1,\n  2\n]")]
    [InlineData("data.policy.empty", 0, "null")]
    [InlineData("1 == 2", 1, "false")]
    [InlineData("x := data.policy.many[_]; x > 1", 0, "[\n  {\n    \"x\": 2\n  }\n]")]
    [InlineData("input.a", 0, "12345678901234567890.5")]
    [InlineData("data.limits", 0, "{\n  \"b\": true\n}")]
    [InlineData("data.policy.two", 2, "eval_conflict_error")]
    [InlineData("count(numbers.range(1, 1000000000))", 2, "eval_budget_error")]
    [InlineData("x ==", 2, "rego_parse_error")]
    [InlineData("y", 2, "rego_unsafe_var_error")]
    public void A_question_is_answered_as_JSON_or_in_a_word(string query, int code, string answer)
    {
        var file = Write("p.rego", Head + "yes := true\nno := false\nnothing if input.none\nmany := [1, 2]\nempty := null\ntwo := x if some x in [1, 2]\n");

        var text = Says(code, "policy", "eval", "--policy", file, "--input", Write("in.json", """{"a":12345678901234567890.5}"""), "--data", Write("data.json", """{"limits":{"b":true}}"""), "--query", query);

        Assert.Contains(answer, text, StringComparison.Ordinal);
        if (code < 2)
        {
            Assert.Equal(answer, text.Trim());
        }
    }

    [Fact]
    public void An_explanation_names_the_statement_that_refused_and_what_it_saw()
    {
        var file = Write("p.rego", Head + "nv_match if {\n\tcount(input) > 0\n\tinput[0].measres == \"success\"\n}\n");
        var input = Write("in.json", """[{"measres":"fail"}]""");

        // NVIDIA's rule is asked without being named.
        var text = Says(1, "policy", "eval", "--policy", file, "--input", input, "--explain");

        Assert.StartsWith("undefined", text, StringComparison.Ordinal);
        Assert.Contains($"- {file}:5: ", text, StringComparison.Ordinal);
        Assert.Contains("\"fail\"", text, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(Json(Says(1, "policy", "eval", "--policy", file, "--input", input, "--explain", "--format", "json")));
        Assert.False(json.RootElement.GetProperty("defined").GetBoolean());
        Assert.Contains(json.RootElement.GetProperty("explanation").EnumerateArray(), statement => statement.GetProperty("line").GetInt32() == 5 && statement.GetProperty("solved").GetInt32() == 0);
    }

    [Fact]
    public void What_cannot_be_evaluated_is_refused_with_its_reason()
    {
        var both = Write("both.rego", Head + "nv_match := true\nallow := true\n");
        var neither = Write("neither.rego", Head + "other := true\n");

        Assert.Contains("both data.policy.nv_match and data.policy.allow stand", Says(2, "policy", "eval", "--policy", both), StringComparison.Ordinal);
        Assert.Contains("neither data.policy.nv_match nor data.policy.allow stands", Says(2, "policy", "eval", "--policy", neither), StringComparison.Ordinal);
        Assert.Contains("no such file", Says(2, "policy", "eval", "--policy", both, "--input", At("none.json")), StringComparison.Ordinal);
        Assert.Contains("not JSON", Says(2, "policy", "eval", "--policy", both, "--input", Write("in.json", "{")), StringComparison.Ordinal);
        Assert.Contains("one JSON object is expected", Says(2, "policy", "eval", "--policy", both, "--data", Write("in.json", "[]")), StringComparison.Ordinal);
        Assert.Contains("--at: ", Says(2, "policy", "eval", "--policy", both, "--at", "yesterday"), StringComparison.Ordinal);
        Assert.Contains("found an array", Says(2, "policy", "eval", "--policy", both, "--data", Write("in.json", "[]")), StringComparison.Ordinal);
        Assert.Contains("only one of --policy, --input and --data", Says(2, "policy", "eval", "--policy", "-", "--input", "-"), StringComparison.Ordinal);
        Assert.Contains("in full, for example data.policy.other", Says(2, "policy", "eval", "--policy", neither, "--query", "other"), StringComparison.Ordinal);
        Assert.Contains("Try: assay policy eval --help", Says(2, "policy", "eval"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("0")]
    [InlineData("3601")]
    [InlineData("-1")]
    [InlineData("0.5")]
    [InlineData("99999999999")]
    [InlineData("soon")]
    public void A_time_that_is_none_is_refused(string seconds)
    {
        var file = Write("p_test.rego", Head + "allow := true\ntest_p if allow\n");

        Assert.Contains("a whole number from 1 to 3600", Says(2, "policy", "eval", "--policy", file, "--timeout", seconds), StringComparison.Ordinal);
        Assert.Contains("a whole number from 1 to 3600", Says(2, "policy", "test", _folder, "--timeout", seconds), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"policy":{"allow":true}}""", 2)]
    [InlineData("""{"policy":{"allow":null}}""", 2)]
    [InlineData("""{"policy":{"other":true}}""", 1)]
    public void Data_never_answers_in_the_place_of_a_rule(string data, int code)
    {
        var file = Write("p.rego", Head + "allow if input.x\n");

        var text = Says(code, "policy", "eval", "--policy", file, "--data", Write("data.json", data), "--query", "data.policy.allow");

        Assert.Contains(code == 2 ? "where it is undefined, the data would be used instead" : "undefined", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_read_tells_its_dialect_and_files_that_exclude_each_other_are_told()
    {
        var first = Write("a.rego", "package policy\ndefault allow := false\nallow {\n\tinput.a\n}\n");
        var second = Write("b.rego", Head + "default allow := false\nallow if input.b\n");

        Assert.Contains("Read as Rego v0.", Says(0, "policy", "check", first), StringComparison.Ordinal);
        Assert.Contains("Read as Rego v0 and v1.", Says(0, "policy", "check", first, Write("c.rego", "package c\nx if input.x\n")), StringComparison.Ordinal);
        Assert.Contains("each of these files compiles alone", Says(2, "policy", "check", first, second), StringComparison.Ordinal);
        Assert.DoesNotContain("compiles alone", Says(2, "policy", "check", first, Write("d.rego", Head + "x if y\n")), StringComparison.Ordinal);
        Assert.Contains("count: invalid argument(s); have: (number); want: ", Says(2, "policy", "check", Write("e.rego", Head + "x := count(1)\n")), StringComparison.Ordinal);
    }

    [Fact]
    public void The_clock_of_an_evaluation_can_be_stated()
    {
        var file = Write("p.rego", Head + "now := time.now_ns()\n");

        Assert.Equal("1717200000000000000", Says(0, "policy", "eval", "--policy", file, "--query", "data.policy.now", "--at", "2024-06-01T00:00:00Z").Trim());
    }

    [Fact]
    public void A_test_that_is_not_true_failed()
    {
        Write("p.rego", Head + "allow if input.x == 1\n\nforbidden if input.x == 2\n");
        Write("p_test.rego", Head + """
            test_true if allow with input as {"x": 1}
            test_undefined if allow with input as {"x": 3}
            test_false := false
            test_no_boolean := "yes"
            test_over_budget if count(numbers.range(1, 1000000000)) > 0
            test_in_error := x if some x in [1, 2]
            todo_test_later if false
            helper := 1

            """);

        var text = Says(1, "policy", "test", _folder);

        Assert.Contains("passed  data.policy.test_true", text, StringComparison.Ordinal);
        Assert.Contains("FAILED  data.policy.test_undefined", text, StringComparison.Ordinal);
        Assert.Contains("undefined at line 4", text, StringComparison.Ordinal);
        Assert.Contains("FAILED  data.policy.test_false", text, StringComparison.Ordinal);
        Assert.Contains("this one is a string", text, StringComparison.Ordinal);
        Assert.Contains("eval_budget_error", text, StringComparison.Ordinal);
        Assert.Contains("eval_conflict_error", text, StringComparison.Ordinal);
        Assert.Contains("1 passed, 5 failed, 1 skipped; 1 of 2 statements reached", text, StringComparison.Ordinal);
        Assert.Contains($"not reached: {At("p.rego")}:5", text, StringComparison.Ordinal);

        var suite = XDocument.Parse(Says(1, "policy", "test", _folder, "--format", "junit")).Root!.Elements("testsuite").Single();
        Assert.Equal(["7", "5", "1"], new[] { "tests", "failures", "skipped" }.Select(name => suite.Attribute(name)!.Value));
        Assert.Equal(5, suite.Descendants("failure").Count());

        using var json = JsonDocument.Parse(Says(1, "policy", "test", _folder, "--format", "json"));
        Assert.Equal(7, json.RootElement.GetProperty("tests").GetArrayLength());
        Assert.Equal(5, json.RootElement.GetProperty("tests").EnumerateArray().Count(test => test.GetProperty("state").GetString() == "failed"));
        Assert.Equal(5, json.RootElement.GetProperty("coverage").GetProperty("notReached")[0].GetProperty("line").GetInt32());
    }

    [Fact]
    public void A_report_of_tests_is_well_formed_whatever_they_print()
    {
        Write("p_test.rego", Head + "test_draws if {\n\tprint(\"\\u001b[2J\\u0000\")\n\t\"<&>\\\"\\u0001\\uffff\\u202e\" == input\n}\n");

        var text = Says(1, "policy", "test", _folder, "--format", "junit");

        Assert.Single(XDocument.Parse(text).Descendants("failure"));
        Assert.EndsWith("p_test.rego:4: \\u{1b}[2J\\u{0}", Assert.Single(XDocument.Parse(text).Descendants("system-out")).Value, StringComparison.Ordinal);
        Assert.DoesNotContain('\u001b', text);
        Assert.DoesNotContain('\u202e', text + Says(1, "policy", "test", _folder));
    }

    [Fact]
    public void A_test_that_takes_too_long_failed_and_the_others_still_run()
    {
        Write("p_test.rego", Head + "test_slow if {\n\tcount([1 | some x in numbers.range(1, 4000); some y in numbers.range(1, 4000); x * y == 0.5]) == 1\n}\n\ntest_true := true\n");

        var text = Says(1, "policy", "test", _folder, "--timeout", "1");

        Assert.Contains("FAILED  data.policy.test_slow", text, StringComparison.Ordinal);
        Assert.Contains("passed  data.policy.test_true", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Policies_that_cannot_stand_together_are_tested_in_pairs_and_files_that_can_as_one()
    {
        // b.rego would make a's test true if both were compiled together.
        Write("pairs/a.rego", Head + "default allow := false\n\nallow if input.a\n");
        Write("pairs/a_test.rego", Head + "test_a if {\n\tallow with input as {\"a\": true}\n\tnot allow with input as {\"b\": true}\n}\n");
        Write("pairs/b.rego", Head + "default allow := false\n\nallow if input.b\n");
        Write("pairs/b_test.rego", Head + "test_b if allow with input as {\"b\": true}\n");
        Write("one/library.rego", "package library\nimport rego.v1\nanswer := 42\n");
        Write("one/deeper/p.rego", Head + "allow if data.library.answer == 42\n");
        Write("one/p_test.rego", Head + "test_p if allow\n");

        Assert.Contains("3 passed, 0 failed", Says(0, "policy", "test", At("pairs"), At("one")), StringComparison.Ordinal);
        File.Delete(At("pairs/b.rego"));
        Says(1, "policy", "test", At("pairs"));
    }

    [Fact]
    public void A_policy_without_tests_hides_neither_its_errors_nor_that_nothing_reaches_it()
    {
        Write("a.rego", Head + "default allow := false\n\nallow if input.a\n");
        Write("a_test.rego", Head + "test_a if allow with input as {\"a\": true}\n");
        Write("b.rego", Head + "default allow := false\n\nallow if input.b\n\ntest_b if not allow\n");

        // The tests of b stand beside its rules, as OPA allows it; its rule about input.b is tried, and the one of c is not.
        Assert.Contains("2 passed, 0 failed; 3 of 3 statements reached", Says(0, "policy", "test", _folder), StringComparison.Ordinal);
        Write("c.rego", Head + "default allow := false\n\nallow if input.c\n");
        Assert.Contains($"3 of 4 statements reached\nnot reached: {At("c.rego")}:5", Says(0, "policy", "test", _folder), StringComparison.Ordinal);
        Write("c.rego", Head + "allow if x\n");
        Assert.Contains("c.rego:3:10: rego_unsafe_var_error", Says(2, "policy", "test", _folder), StringComparison.Ordinal);
    }

    [Fact]
    public void A_suite_that_tests_nothing_is_no_pass()
    {
        Directory.CreateDirectory(At("empty"));
        Write("untested/p.rego", Head + "allow := true\n");
        Write("broken/p_test.rego", Head + "test_x if y\n");

        Assert.Contains("cli.tests", Says(2, "policy", "test", At("empty")), StringComparison.Ordinal);
        Assert.Contains("cli.tests", Says(2, "policy", "test", At("untested")), StringComparison.Ordinal);
        Assert.Contains("rego_unsafe_var_error", Says(2, "policy", "test", At("broken")), StringComparison.Ordinal);
        Assert.Contains("does not exist", Says(2, "policy", "test", At("none")), StringComparison.Ordinal);
        Assert.Contains("is a file", Says(2, "policy", "test", At("untested/p.rego")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("check")]
    [InlineData("eval")]
    [InlineData("test")]
    public void Help_has_examples_and_exit_codes(string command)
    {
        var text = Says(0, "policy", command, "--help");

        Assert.Contains($"  assay policy {command} ", text, StringComparison.Ordinal);
        Assert.Contains("Exit codes: 0 ", text, StringComparison.Ordinal);
        Assert.Contains(command, Says(0, "[suggest:13]", "assay policy "), StringComparison.Ordinal);
    }

    // What follows the JSON went to standard error.
    private static string Json(string text) => text[..(text.LastIndexOf("\n}\n", StringComparison.Ordinal) + 2)];

    private string At(string name) => Path.Combine(_folder, name);

    private string Write(string name, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(name))!);
        File.WriteAllText(At(name), text);
        return At(name);
    }

    private string Says(int code, params string[] arguments) => _assay.Says(code, arguments);
}

using Assay.Rego.Builtins;

namespace Assay.Tests.Rego.Builtins;

/// <summary>Inputs made to exhaust or crash the host: each ends in an error or an answer, within the budget.</summary>
public class HostileTests
{
    [Theory]
    [InlineData("numbers.range(1, 1000000000000)")]
    [InlineData("numbers.range(1, 20000000)")]
    [InlineData("sprintf(\"%999999d%999999d\", [sprintf(\"%999999d\", [1]), 1, numbers.range(1, 9000000)])")]
    [InlineData("count(concat(sprintf(\"%999999d\", [1]), [x | some y in numbers.range(1, 500); x := \"\"]))")]
    [InlineData("count(replace(sprintf(\"%099999d\", [0]), \"0\", sprintf(\"%099999d\", [0])))")]
    [InlineData("bits.lsh(1, 99999999999)")]
    [InlineData("net.cidr_expand(\"::/0\")")]
    [InlineData("net.cidr_expand(\"0.0.0.0/0\")")]
    [InlineData("units.parse(\"1e999999\")")]
    [InlineData("graph.reachable_paths({\"a\": numbers.range(0, 60), \"b\": 1}, array.concat([], [\"a\"])) | {sprintf(\"%99999999d\", numbers.range(1, 99999999))}")]
    public void What_would_grow_without_bound_is_over_budget_or_refused(string expression)
    {
        var answer = Evaluate.Expression(expression);
        Assert.StartsWith("eval_", answer, StringComparison.Ordinal);
        Assert.False(answer.StartsWith("eval_cancel_error", StringComparison.Ordinal), "it ended by the clock, not by the budget");
    }

    [Fact]
    public void Nesting_without_end_is_refused()
    {
        var deep = new string('[', 100_000);
        Assert.StartsWith("eval_builtin_error", Evaluate.Call("json.unmarshal(input.a)", deep), StringComparison.Ordinal);
        Assert.StartsWith("eval_builtin_error", Evaluate.Call("yaml.unmarshal(input.a)", deep), StringComparison.Ordinal);
        Assert.Equal("false", Evaluate.Call("json.is_valid(input.a)", deep + new string(']', 100_000)));
        Assert.StartsWith("eval_builtin_error", Evaluate.Call("strings.render_template(input.a, {})", string.Concat(Enumerable.Repeat("{{if 1}}", 5_000))), StringComparison.Ordinal);
        Assert.StartsWith("eval_builtin_error", Evaluate.Call("strings.render_template(input.a, {})", "{{" + new string('(', 50_000)), StringComparison.Ordinal);
        Assert.StartsWith("eval_builtin_error", Evaluate.Call("glob.match(input.a, [], \"x\")", new string('{', 10_000)), StringComparison.Ordinal);
    }

    [Fact]
    public void A_yaml_bomb_is_refused()
    {
        var bomb = "a0: &a0 [x]\n" + string.Concat(Enumerable.Range(1, 20).Select(level => $"a{level}: &a{level} [{string.Join(", ", Enumerable.Repeat($"*a{level - 1}", 10))}]\n"));
        Assert.Contains("excessive aliasing", Evaluate.Call("yaml.unmarshal(input.a)", bomb), StringComparison.Ordinal);
    }

    [Fact]
    public void A_value_that_shares_its_parts_is_measured_before_it_is_written()
    {
        const string Doubled = "json.marshal([x | a := [[1, 1], [1, 1]]; b := [a, a, a, a, a, a, a, a]; c := [b, b, b, b, b, b, b, b]; d := [c, c, c, c, c, c, c, c]; e := [d, d, d, d, d, d, d, d]; f := [e, e, e, e, e, e, e, e]; g := [f, f, f, f, f, f, f, f]; h := [g, g, g, g, g, g, g, g]; x := [h, h, h, h, h, h, h, h]])";
        Assert.StartsWith("eval_budget_error", Evaluate.Expression(Doubled), StringComparison.Ordinal);
    }

    [Fact]
    public void A_schema_that_refers_to_itself_ends() =>
        Assert.StartsWith("eval_budget_error", Evaluate.Expression("json.match_schema({}, {\"$ref\": \"#/definitions/a\", \"definitions\": {\"a\": {\"allOf\": [{\"$ref\": \"#/definitions/a\"}]}}})"), StringComparison.Ordinal);

    [Fact]
    public void Garbage_is_refused_by_every_reader_without_an_exception()
    {
        var chance = new Seeded(21);
        string[] calls =
        [
            "crypto.x509.parse_certificates(input.a)", "crypto.x509.parse_certificate_request(input.a)", "crypto.x509.parse_keypair(input.a, input.b)",
            "crypto.parse_private_keys(input.b)", "crypto.x509.parse_rsa_private_key(input.b)", "io.jwt.verify_rs256(input.c, input.b)", "io.jwt.verify_es256(input.c, input.b)",
            "io.jwt.decode(input.c)", "io.jwt.decode_verify(input.c, {\"cert\": input.b})", "yaml.unmarshal(input.b)", "time.parse_ns(input.b, input.c)",
            "json.verify_schema(input.b)", "uuid.parse(input.b)", "base64.decode(input.a)", "urlquery.decode_object(input.b)", "sprintf(input.b, [1, \"x\", 2.5])",
            "regex.template_match(input.b, input.c, \"{\", \"}\")", "strings.render_template(input.b, {\"a\": 1})", "semver.compare(input.b, input.c)", "crypto.x509.parse_and_verify_certificates(input.b)",
        ];
        var environment = new EvaluationEnvironment { Clock = TimeProvider.System };
        for (var round = 0; round < 60; round++)
        {
            var der = chance.Bytes(chance.Below(300));
            if (der.Length > 4)
            {
                (der[0], der[1]) = (0x30, (byte)Math.Min(der.Length - 2, 127));
            }

            var encoded = Convert.ToBase64String(der);
            var text = chance.Below(3) switch
            {
                0 => $"-----BEGIN CERTIFICATE-----\n{encoded}\n-----END CERTIFICATE-----\n",
                1 => $"-----BEGIN PUBLIC KEY-----\n{encoded}\n-----END PUBLIC KEY-----",
                _ => new string([.. Enumerable.Range(0, chance.Below(60)).Select(_ => "%{}[]()*&!|>'\"`@:,.-+ \n\t0aZ$\\é😀"[chance.Below(32)])]),
            };
            var token = $"{Convert.ToBase64String("{\"alg\":\"RS256\"}"u8).TrimEnd('=')}.{encoded.TrimEnd('=').Replace('+', '-').Replace('/', '_')}.{encoded.Length}";
            foreach (var call in calls)
            {
                var answer = Evaluate.Expression(call, $"{{\"a\": {Quoted(encoded)}, \"b\": {Quoted(text)}, \"c\": {Quoted(token)}}}", environment);
                Assert.DoesNotContain("eval_internal_error", answer, StringComparison.Ordinal);
            }
        }
    }

    private static string Quoted(string text) => new Assay.Rego.Values.RegoString(text).ToJson();
}

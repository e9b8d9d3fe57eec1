using System.Security.Cryptography;
using System.Text;
using Assay.Rego.Builtins;

namespace Assay.Tests.Rego.Builtins;

/// <summary>Tokens: what is signed verifies, and what an attacker makes of a token or a key does not.</summary>
public class TokenTests
{
    private static readonly EvaluationEnvironment s_environment = new() { Clock = TimeProvider.System, Random = memory => RandomNumberGenerator.Fill(memory.Span) };

    [Theory]
    [InlineData("HS256")]
    [InlineData("HS512")]
    [InlineData("RS256")]
    [InlineData("PS384")]
    [InlineData("ES256")]
    [InlineData("ES384")]
    [InlineData("ES512")]
    public void What_a_key_signs_it_verifies_and_no_changed_byte_does(string algorithm)
    {
        var (secret, key) = Keys(algorithm);
        var token = Sign(algorithm, secret, "{\"sub\": \"a\"}");
        var verify = $"io.jwt.verify_{algorithm.ToLowerInvariant()}(input.token, input.key)";
        Assert.Equal("true", Evaluate.Expression(verify, Input(token, key)));
        for (var at = 0; at < token.Length; at += 7)
        {
            var changed = token[..at] + (token[at] == 'A' ? 'B' : 'A') + token[(at + 1)..];
            Assert.NotEqual("true", Evaluate.Expression(verify, Input(changed, key)) is "true" && Spare(token, changed) ? "spare bits" : Evaluate.Expression(verify, Input(changed, key)));
        }
    }

    [Fact]
    public void A_public_key_is_no_HMAC_secret()
    {
        var (_, key) = Keys("RS256");
        // The attacker signs with HS256, taking the text of the public key as the secret.
        var parts = Encode("{\"alg\":\"HS256\"}") + "." + Encode("{\"sub\":\"root\"}");
        var forged = parts + "." + Url(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.ASCII.GetBytes(parts)));
        Assert.Equal("false", Evaluate.Expression("io.jwt.verify_rs256(input.token, input.key)", Input(forged, key)));
        Assert.Equal("[false,{},{}]", Evaluate.Expression("io.jwt.decode_verify(input.token, {\"cert\": input.key})", Input(forged, key), s_environment));
    }

    [Theory]
    [InlineData("{\"alg\":\"none\"}")]
    [InlineData("{\"alg\":\"HS256\",\"crit\":[\"exp\"]}")]
    [InlineData("{\"typ\":\"JWT\"}")]
    [InlineData("{\"alg\":\"HS384\"}")]
    public void A_header_that_is_not_as_it_should_be_never_verifies(string header)
    {
        var parts = Encode(header) + "." + Encode("{}");
        var token = parts + "." + Url(HMACSHA256.HashData("s"u8, Encoding.ASCII.GetBytes(parts)));
        Assert.DoesNotContain("true", Evaluate.Expression("io.jwt.decode_verify(input.token, {\"secret\": \"s\"})", Input(token, ""), s_environment), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{\"exp\": 100}", "{\"secret\": \"s\", \"time\": 99000000000}", true)]
    [InlineData("{\"exp\": 100}", "{\"secret\": \"s\", \"time\": 100000000000}", false)]
    [InlineData("{\"nbf\": 100}", "{\"secret\": \"s\", \"time\": 99999999999}", false)]
    [InlineData("{\"aud\": \"x\"}", "{\"secret\": \"s\"}", false)]
    [InlineData("{\"aud\": [\"x\", \"y\"]}", "{\"secret\": \"s\", \"aud\": \"y\"}", true)]
    [InlineData("{}", "{\"secret\": \"s\", \"aud\": \"y\"}", false)]
    [InlineData("{\"iss\": \"a\"}", "{\"secret\": \"s\", \"iss\": \"b\"}", false)]
    [InlineData("{}", "{\"secret\": \"t\"}", false)]
    [InlineData("{}", "{\"secret\": \"s\", \"alg\": \"HS512\"}", false)]
    public void Claims_are_held_to_the_constraints(string claims, string constraints, bool holds)
    {
        var answer = Evaluate.Expression($"io.jwt.decode_verify(io.jwt.encode_sign({{\"alg\": \"HS256\"}}, {claims}, {{\"kty\": \"oct\", \"k\": \"cw\"}}), {constraints})[0]");
        Assert.Equal(holds ? "true" : "false", answer);
    }

    [Theory]
    [InlineData("{\"secret\": \"s\", \"cert\": \"c\"}")]
    [InlineData("{}")]
    [InlineData("{\"secret\": \"s\", \"nope\": 1}")]
    public void Constraints_that_make_no_sense_are_errors(string constraints) =>
        Assert.StartsWith("eval_builtin_error", Evaluate.Expression($"io.jwt.decode_verify(\"e30.e30.e30\", {constraints})"), StringComparison.Ordinal);

    [Fact]
    public void An_expiry_without_a_clock_is_an_error_and_not_a_pass() =>
        Assert.Contains("no clock", Evaluate.Expression("io.jwt.decode_verify(io.jwt.encode_sign({\"alg\": \"HS256\"}, {\"exp\": 9999999999}, {\"kty\": \"oct\", \"k\": \"cw\"}), {\"secret\": \"s\"})"), StringComparison.Ordinal);

    [Fact]
    public void Signing_that_needs_randomness_needs_the_callers() =>
        Assert.Contains("no source of randomness", Evaluate.Expression("io.jwt.encode_sign({\"alg\": \"ES256\"}, {}, input.key)", "{\"key\": " + Keys("ES256").Secret + "}"), StringComparison.Ordinal);

    private static string Sign(string algorithm, string secret, string claims)
    {
        var token = Evaluate.Expression("io.jwt.encode_sign(input.header, input.claims, input.key)", $"{{\"header\": {{\"alg\": \"{algorithm}\"}}, \"claims\": {claims}, \"key\": {secret}}}", s_environment);
        Assert.Equal(3, token.Split('.').Length);
        return token.Trim('"');
    }

    // The last character of each part may carry bits that belong to no byte; changing only those leaves the same token.
    private static bool Spare(string token, string changed) => token.Split('.').Zip(changed.Split('.')).All(pair => Bytes(pair.First).AsSpan().SequenceEqual(Bytes(pair.Second)));

    private static byte[] Bytes(string part) => Convert.FromBase64String(part.Replace('-', '+').Replace('_', '/').PadRight((part.Length + 3) / 4 * 4, '='));

    private static string Input(string token, string key) =>
        new Assay.Rego.Values.RegoString(token).ToJson() is var t && new Assay.Rego.Values.RegoString(key).ToJson() is var k ? $"{{\"token\": {t}, \"key\": {k}}}" : "";

    private static (string Secret, string Public) Keys(string algorithm)
    {
        switch (algorithm[..2])
        {
            case "HS":
                return ("{\"kty\": \"oct\", \"k\": \"c2VjcmV0\"}", "secret");
            case "ES":
                var curve = algorithm switch { "ES256" => ECCurve.NamedCurves.nistP256, "ES384" => ECCurve.NamedCurves.nistP384, _ => ECCurve.NamedCurves.nistP521 };
                using (var ec = ECDsa.Create(curve))
                {
                    var p = ec.ExportParameters(true);
                    var name = algorithm switch { "ES256" => "P-256", "ES384" => "P-384", _ => "P-521" };
                    return ($"{{\"kty\": \"EC\", \"crv\": \"{name}\", \"x\": \"{Url(p.Q.X!)}\", \"y\": \"{Url(p.Q.Y!)}\", \"d\": \"{Url(p.D!)}\"}}", ec.ExportSubjectPublicKeyInfoPem());
                }

            default:
                using (var rsa = RSA.Create(2048))
                {
                    var p = rsa.ExportParameters(true);
                    return ($"{{\"kty\": \"RSA\", \"n\": \"{Url(p.Modulus!)}\", \"e\": \"{Url(p.Exponent!)}\", \"d\": \"{Url(p.D!)}\", \"p\": \"{Url(p.P!)}\", \"q\": \"{Url(p.Q!)}\", \"dp\": \"{Url(p.DP!)}\", \"dq\": \"{Url(p.DQ!)}\", \"qi\": \"{Url(p.InverseQ!)}\"}}", rsa.ExportSubjectPublicKeyInfoPem());
                }
        }
    }

    private static string Encode(string text) => Url(Encoding.UTF8.GetBytes(text));

    private static string Url(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=').Replace('+', '-').Replace('/', '_');
}

using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Tests.Regressions;

/// <summary>10: a million digits of a number, or openings of PEM without an end, kept an evaluation for a minute that no cancellation ended.</summary>
public sealed class Bug0010_AMillionDigitsTests
{
    [Theory]
    [InlineData("sprintf(\"%.999999f\", [1.5])", "1.5", 1_000_001)]
    [InlineData("sprintf(\"%.999999e\", [0.1])", "1.000000000000000055511151231257827021181583404541015625000000", 1_000_005)]
    [InlineData("strings.render_template(\"{{printf \\\"%.999999f\\\" .x}}\", {\"x\": 1.5})", "1.5", 1_000_001)]
    public void Digits_that_a_double_does_not_have_are_zeros(string query, string start, int length)
    {
        var text = Assert.IsType<RegoString>(Evaluate(query).Value).Value;

        Assert.Equal(length, text.Length);
        Assert.StartsWith(start, text, StringComparison.Ordinal);
        Assert.True(text.Split('e')[0][start.Length..].All(digit => digit == '0'));
    }

    [Fact]
    public void Digits_that_a_double_has_are_all_there()
    {
        // 2^-1074, exactly: 751 digits behind 323 zeros.
        var text = Assert.IsType<RegoString>(Evaluate("sprintf(\"%.1074f\", [5e-324])").Value).Value;

        Assert.EndsWith("5625", text, StringComparison.Ordinal);
        Assert.Equal(751, text[2..].TrimStart('0').Length);
    }

    [Theory]
    [InlineData("-----BEGIN ")]
    [InlineData("-----BEGIN A-----\\n")]
    [InlineData("\\n-----BEGIN CERTIFICATE-----\\n")]
    public void Openings_without_an_end_hold_no_certificate(string opening)
    {
        var result = Evaluate($"crypto.x509.parse_certificates(concat(\"\", [\"{opening}\" | some i in numbers.range(1, 100000)]))");

        Assert.Null(result.Value);
        Assert.Null(result.Error);
    }

    [Fact]
    public void An_opening_without_an_end_hides_no_certificate_behind_it()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=a", key, System.Security.Cryptography.HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(1));
        var pem = "-----BEGIN nothing\n" + certificate.ExportCertificatePem() + "\n" + certificate.ExportCertificatePem();

        Assert.Equal("2", Evaluate("count(crypto.x509.parse_certificates(input))", new RegoString(pem)).Value?.ToJson());
    }

    private static EvaluationResult Evaluate(string query, RegoValue? input = null)
    {
        Assert.True(CompiledPolicy.TryCompile([], null, out var policy, out _));
        Assert.True(policy.TryPrepare(query, out var prepared, out var errors), string.Join('\n', errors));
        return prepared.Evaluate(input, cancellation: TestContext.Current.CancellationToken);
    }
}

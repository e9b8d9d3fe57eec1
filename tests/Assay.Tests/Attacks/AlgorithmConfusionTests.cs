using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Checks;
using Assay.Tests.Tokens;
using Assay.Tokens;
using Assay.Trust.Jose;

namespace Assay.Tests.Attacks;

/// <summary>The attacker has the public key set and a key of his own, and wants a token accepted under an algorithm of his choice (RFC 8725 §2.1).</summary>
public sealed class AlgorithmConfusionTests(TokenFixture fixture, RsaKeyTests.Pair pair) : IClassFixture<TokenFixture>, IClassFixture<RsaKeyTests.Pair>
{
    private string KeyId => fixture.RsaKey.PublicKey.KeyId;

    public static TheoryData<string> Forms { get; } = ["machine", "nvidia-ear", "trustee-ear"];

    [Theory]
    [MemberData(nameof(Forms))]
    public void A_token_under_an_RSA_key_of_the_set_is_accepted(string form)
    {
        var (accepted, findings) = Verify(form, Token(form, fixture.RsaKey));

        Assert.True(accepted, string.Join('\n', findings));
        Assert.True(fixture.Verify(fixture.Bundle(key: fixture.RsaKey)).Accepted);
    }

    [Theory]
    [MemberData(nameof(Forms))]
    public void An_RSA_key_that_is_not_in_the_set_is_not_known(string form)
    {
        Assert.Equal(["token.key.known"], Failed(form, Token(form, pair.Key)));
        // Under the name of one that is.
        Assert.Equal(["token.signature.valid"], Failed(form, Signed(form, "RS256", KeyId, pair.Key.Sign)));
        // Without a name the key that made it is looked for, among the set's.
        Assert.Equal(["token.key.known"], Failed(form, Signed(form, "RS256", null, pair.Key.Sign)));
        Assert.Empty(Failed(form, Signed(form, "RS256", null, fixture.RsaKey.Sign)));
    }

    [Theory]
    [InlineData("RS256", false)]
    [InlineData("ES384", true)]
    [InlineData("ES256", true)]
    public void The_header_does_not_choose_the_algorithm_of_a_key(string algorithm, bool isRsa)
    {
        var key = isRsa ? fixture.RsaKey : fixture.Key;
        foreach (var form in Forms)
        {
            Assert.Equal(["token.key.algorithm"], Failed(form.Data, Signed(form.Data, algorithm, key.PublicKey.KeyId, key.Sign)));
            // The attacker's own signature of the kind that the header names.
            Assert.Equal(["token.key.algorithm"], Failed(form.Data, Signed(form.Data, algorithm, key.PublicKey.KeyId, isRsa ? fixture.Stranger.Sign : pair.Key.Sign)));
        }
    }

    [Fact]
    public void A_MAC_under_any_spelling_of_the_public_RSA_key_is_refused_by_name()
    {
        using var rsa = RSA.Create(new RSAParameters { Modulus = Modulus(), Exponent = [1, 0, 1] });
        byte[][] secrets =
        [
            Encoding.ASCII.GetBytes(rsa.ExportSubjectPublicKeyInfoPem()), Encoding.ASCII.GetBytes(rsa.ExportSubjectPublicKeyInfoPem() + "\n"), Encoding.ASCII.GetBytes(rsa.ExportRSAPublicKeyPem()),
            rsa.ExportSubjectPublicKeyInfo(), rsa.ExportRSAPublicKey(), Modulus(), fixture.Keys.ToJson(),
        ];
        foreach (var secret in secrets)
        {
            foreach (var form in Forms)
            {
                Assert.Equal(["token.algorithm.allowed", "token.key.algorithm"], Failed(form.Data, Signed(form.Data, "HS256", KeyId, content => HMACSHA256.HashData(secret, content))));
                // Nor is it an RS256 signature.
                Assert.Equal(["token.signature.valid"], Failed(form.Data, Signed(form.Data, "RS256", KeyId, content => HMACSHA256.HashData(secret, content))));
            }
        }
    }

    [Theory]
    [InlineData("PS256")]
    [InlineData("RS384")]
    [InlineData("RS512")]
    [InlineData("rs256")]
    [InlineData("RS256 ")]
    [InlineData("RSA1_5")]
    public void Other_algorithms_of_an_RSA_key_are_refused_by_name(string algorithm)
    {
        var found = Verify("machine", Signed("machine", algorithm, KeyId, fixture.RsaKey.Sign)).Findings;

        Assert.Contains(found, finding => finding is { Id: "token.algorithm.allowed", State: CheckState.Failed } && finding.Reason!.Contains("ES384, ES256 or RS256 is expected", StringComparison.Ordinal));
    }

    [Fact]
    public void A_signature_of_another_padding_hash_or_length_is_not_RS256()
    {
        using var rsa = pair.Rsa.ExportParameters(includePrivateParameters: true) is var numbers ? RSA.Create(numbers) : null;
        var set = JsonWebKeySet.Of(pair.Key.PublicKey);
        (string Name, Signer Sign)[] others =
        [
            ("PSS", content => rsa!.SignData(content, HashAlgorithmName.SHA256, RSASignaturePadding.Pss)),
            ("SHA-1", content => rsa!.SignData(content, HashAlgorithmName.SHA1, RSASignaturePadding.Pkcs1)),
            ("SHA-384", content => rsa!.SignData(content, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1)),
            ("a zero before it", content => [0, .. pair.Key.Sign(content)]),
            ("a zero behind it", content => [.. pair.Key.Sign(content), 0]),
            ("cut", content => pair.Key.Sign(content)[..^1]),
            ("nothing", _ => []),
            ("zeros", _ => new byte[256]),
            ("one", _ => [.. new byte[255], 1]),
            ("the modulus", _ => pair.Rsa.ExportParameters(false).Modulus!),
        ];
        foreach (var (name, sign) in others)
        {
            var (accepted, findings) = Verify("machine", Signed("machine", "RS256", pair.Key.PublicKey.KeyId, sign), set);
            Assert.False(accepted, name);
            Assert.Equal(["token.signature.valid"], findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
        }

        Assert.True(Verify("machine", Signed("machine", "RS256", pair.Key.PublicKey.KeyId, pair.Key.Sign), set).Accepted);
    }

    // Bleichenbacher's forgery of 2006 needs e = 3 and a reader that looks for the hash without the end: no set has such a key.
    [Theory]
    [InlineData("Aw")]
    [InlineData("AQ")]
    public void A_key_with_a_small_exponent_never_enters_a_set(string exponent)
    {
        var set = JsonNode.Parse(fixture.Keys.ToJson())!;
        set["keys"]![2]!["e"] = exponent;

        Assert.True(JsonWebKeySet.TryParse(Encoding.UTF8.GetBytes(set.ToJsonString()), out var keys, out _));
        Assert.Equal(["token.key.known"], Verify("machine", Token("machine", fixture.RsaKey), keys).Findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    [Fact]
    public void A_weak_key_never_enters_a_set()
    {
        using var weak = RSA.Create(1024);
        var set = JsonNode.Parse(fixture.Keys.ToJson())!;
        (set["keys"]![2]!["n"], set["keys"]![2]!["kid"]) = (Base64Url.EncodeToString(weak.ExportParameters(false).Modulus), "weak");
        Assert.True(JsonWebKeySet.TryParse(Encoding.UTF8.GetBytes(set.ToJsonString()), out var keys, out _));

        var token = Signed("machine", "RS256", "weak", content => weak.SignData(content, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));

        Assert.Equal(["token.key.known"], Verify("machine", token, keys).Findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id));
    }

    [Fact]
    public void A_key_in_the_header_is_compared_and_never_used()
    {
        var own = JsonNode.Parse(JsonWebKeySet.Of(pair.Key.PublicKey).ToJson())!["keys"]![0]!;
        var known = JsonNode.Parse(JsonWebKeySet.Of(fixture.RsaKey.PublicKey).ToJson())!["keys"]![0]!;

        Assert.Equal(["token.key.known"], Failed("trustee-ear", Signed("trustee-ear", "RS256", null, pair.Key.Sign, own)));
        Assert.Equal(["token.signature.valid"], Failed("trustee-ear", Signed("trustee-ear", "RS256", null, pair.Key.Sign, known)));
        Assert.Equal(["token.header.known"], Failed("trustee-ear", Signed("trustee-ear", "RS256", KeyId, fixture.RsaKey.Sign, own)));
        Assert.Empty(Failed("trustee-ear", Signed("trustee-ear", "RS256", null, fixture.RsaKey.Sign, known)));
    }

    private byte[] Modulus() =>
        Base64Url.DecodeFromChars(JsonNode.Parse(JsonWebKeySet.Of(fixture.RsaKey.PublicKey).ToJson())!["keys"]![0]!["n"]!.GetValue<string>());

    private string Token(string form, SigningKey key)
    {
        string? token;
        Wire.ParseFault? fault;
        var written = form switch
        {
            "machine" => EatWriter.TryWrite(fixture.Pass, TokenFixture.Terms, key, RandomNumberGenerator.Fill, out token, out fault),
            "nvidia-ear" => NvidiaEar.TryWrite(fixture.Pass, TokenFixture.Terms, key, RandomNumberGenerator.Fill, out token, out fault),
            _ => TrusteeEar.TryWrite(fixture.Pass, TokenFixture.Terms, key, RandomNumberGenerator.Fill, out token, out fault),
        };
        Assert.True(written, fault?.ToString());
        return token!;
    }

    private string Signed(string form, string algorithm, string? keyId, Signer sign, JsonNode? jwk = null)
    {
        var header = new JsonObject { ["alg"] = algorithm, ["typ"] = "JWT" };
        if (keyId is not null)
        {
            header["kid"] = keyId;
        }

        if (jwk is not null)
        {
            header["jwk"] = jwk.DeepClone();
        }

        var content = $"{Reforged.Url(header.ToJsonString())}.{Token(form, fixture.Key).Split('.')[1]}";
        return $"{content}.{Base64Url.EncodeToString(sign(Encoding.ASCII.GetBytes(content)))}";
    }

    private IEnumerable<string> Failed(string form, string token) => Verify(form, token).Findings.Where(finding => finding.State is CheckState.Failed).Select(finding => finding.Id);

    private (bool Accepted, ImmutableArray<Finding> Findings) Verify(string form, string token, JsonWebKeySet? keys = null)
    {
        ImmutableArray<Finding> findings;
        var accepted = form == "machine"
            ? EatReader.TryVerify(token, keys ?? fixture.Keys, TokenFixture.Expected, out _, out findings)
            : EarReader.TryVerify(token, keys ?? fixture.Keys, TokenFixture.Expected, out _, out findings);
        return (accepted, findings);
    }

    private delegate byte[] Signer(ReadOnlySpan<byte> content);
}

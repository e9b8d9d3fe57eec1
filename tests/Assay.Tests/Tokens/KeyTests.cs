using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Trust.Jose;

namespace Assay.Tests.Tokens;

/// <summary>Keys are read strictly, named by their thumbprint, and show their public half only.</summary>
public sealed class KeyTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    [Theory]
    [InlineData("PKCS#8")]
    [InlineData("SEC1")]
    public void Both_forms_of_a_private_key_are_the_same_key(string form)
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var pem = form == "SEC1" ? ecdsa.ExportECPrivateKeyPem() : ecdsa.ExportPkcs8PrivateKeyPem();

        Assert.True(SigningKey.TryParse(Encoding.ASCII.GetBytes(pem + "\n"), out var key, out var fault), fault?.ToString());
        using (key)
        {
            var point = ecdsa.ExportParameters(false).Q;
            Assert.Contains(System.Buffers.Text.Base64Url.EncodeToString(point.X), Encoding.ASCII.GetString(JsonWebKeySet.Of(key.PublicKey).ToJson()));
            Assert.Equal(key.PublicKey.Thumbprint, key.PublicKey.KeyId);
        }
    }

    [Fact]
    public void A_key_that_is_none_of_ours_is_refused()
    {
        using var p521 = ECDsa.Create(ECCurve.NamedCurves.nistP521);
        using var p384 = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var good = p384.ExportPkcs8PrivateKeyPem();
        // secp384r1 with one bit changed names a curve that no platform has.
        var unknown = p384.ExportPkcs8PrivateKey();
        unknown[unknown.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x2B, 0x81, 0x04, 0x00, 0x22]) + 4] = 0x7F;
        string[] wrong =
        [
            "", "x", PemEncoding.WriteString("PRIVATE KEY", unknown), p521.ExportPkcs8PrivateKeyPem(), p384.ExportSubjectPublicKeyInfoPem(),
            p384.ExportEncryptedPkcs8PrivateKeyPem("x", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1)),
            good + "\n" + good, good + "x", "x" + good, good[..^10], good.Replace("PRIVATE KEY", "EC PRIVATE KEY", StringComparison.Ordinal),
            "-----BEGIN EC PARAMETERS-----\nBgUrgQQAIg==\n-----END EC PARAMETERS-----\n" + p384.ExportECPrivateKeyPem(),
        ];

        Assert.All(wrong, pem =>
        {
            Assert.False(SigningKey.TryParse(Encoding.ASCII.GetBytes(pem), out var key, out var fault), pem);
            Assert.Null(key);
            Assert.NotNull(fault);
        });
    }

    [Fact]
    public void A_private_key_with_the_public_half_of_another_is_refused()
    {
        using var one = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        using var other = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var der = one.ExportPkcs8PrivateKey();
        var own = one.ExportParameters(false).Q;
        var at = der.AsSpan().IndexOf(own.X);
        other.ExportParameters(false).Q.X!.CopyTo(der, at);
        other.ExportParameters(false).Q.Y!.CopyTo(der, at + 48);

        Assert.False(SigningKey.TryParse(Encoding.ASCII.GetBytes(PemEncoding.WriteString("PRIVATE KEY", der)), out _, out _));
    }

    [Fact]
    public void A_signing_key_shows_nothing_of_itself() => Assert.Equal("Assay.Trust.Jose.SigningKey", fixture.Key.ToString());

    [Fact]
    public void Thumbprints_are_those_that_jose_computes()
    {
        using var vectors = JsonDocument.Parse(Recorded.Bytes("formats/jwk-thumbprint.json"));
        var seen = 0;
        foreach (var vector in vectors.RootElement.GetProperty("vectors").EnumerateArray())
        {
            var jwk = JsonNode.Parse(vector.GetProperty("jwk").GetRawText())!.AsObject();
            if (jwk["crv"]?.GetValue<string>() is not ("P-384" or "P-256") && jwk["kty"]!.GetValue<string>() is not "RSA")
            {
                continue;
            }

            jwk["kid"] = "k";
            Assert.True(Read(new JsonObject { ["keys"] = new JsonArray(jwk) }, out var set));
            Assert.Equal(vector.GetProperty("sha256").GetString(), set!.Keys.Single().Thumbprint);
            seen++;
        }

        Assert.Equal(4, seen);
    }

    [Fact]
    public void A_set_that_was_written_is_read_as_the_same()
    {
        Assert.True(JsonWebKeySet.TryParse(fixture.Keys.ToJson(), out var set, out var fault), fault?.ToString());

        Assert.Equal(fixture.Keys.Keys.Select(key => key.KeyId), set.Keys.Select(key => key.KeyId));
        Assert.Equal(fixture.Keys.ToJson(), set.ToJson());
        Assert.DoesNotContain("\"d\"", Encoding.ASCII.GetString(set.ToJson()));
    }

    [Fact]
    public void Keys_for_other_purposes_are_left_out()
    {
        var set = Set();
        var keys = set["keys"]!.AsArray();
        keys.Add(new JsonObject { ["kty"] = "OKP", ["kid"] = "o", ["crv"] = "Ed25519", ["x"] = "AA" });
        keys.Add(With(set, key => (key["use"], key["kid"]) = ("enc", "e")));
        keys.Add(With(set, key => (key["alg"], key["kid"]) = ("ECDH-ES", "d")));
        keys.Add(With(set, key => (key["key_ops"], key["kid"]) = (new JsonArray("sign"), "s")));

        Assert.True(Read(set, out var read));
        Assert.Equal([fixture.Key.PublicKey.KeyId], read!.Keys.Select(key => key.KeyId));
    }

    [Fact]
    public void A_set_with_a_fault_is_refused_as_a_whole()
    {
        (string Defect, Action<JsonObject, JsonArray> Spoil)[] defects =
        [
            ("a private key", (key, _) => key["d"] = "AA"),
            ("a symmetric key", (_, keys) => keys.Add(new JsonObject { ["kty"] = "oct", ["kid"] = "h", ["k"] = "AA" })),
            ("the same kid twice", (key, keys) => keys.Add(key.DeepClone())),
            ("the same kid on a key that is left out", (key, keys) => keys.Add(new JsonObject { ["kty"] = "RSA", ["kid"] = key["kid"]!.GetValue<string>() })),
            ("a kid that is no text", (key, _) => key["kid"] = 7),
            ("an empty kid", (key, _) => key["kid"] = ""),
            ("an algorithm of another curve", (key, _) => key["alg"] = "ES256"),
            ("a curve of another length", (key, _) => (key["crv"], key["alg"]) = ("P-256", "ES256")),
            ("a short coordinate", (key, _) => key["x"] = "AAAA"),
            ("a point off the curve", (key, _) => key["x"] = key["y"]!.GetValue<string>()),
            ("padding", (key, _) => key["x"] = key["x"]!.GetValue<string>() + "="),
            ("a certificate of another key", (key, _) => key["x5c"] = new JsonArray(Certificate(ECDsa.Create(ECCurve.NamedCurves.nistP384)))),
            ("an empty chain", (key, _) => key["x5c"] = new JsonArray()),
            ("no type", (key, _) => key.Remove("kty")),
            ("nothing usable", (key, _) => key["use"] = "enc"),
            ("nothing", (_, keys) => keys.Clear()),
        ];
        foreach (var (defect, spoil) in defects)
        {
            var set = Set();
            spoil(set["keys"]![0]!.AsObject(), set["keys"]!.AsArray());

            Assert.False(Read(set, out _), defect);
        }

        Assert.False(JsonWebKeySet.TryParse("{\"keys\":[],\"keys\":[]}"u8, out _, out _));
        Assert.False(JsonWebKeySet.TryParse([.. fixture.Keys.ToJson(), (byte)'x'], out _, out _));
        Assert.False(JsonWebKeySet.TryParse(new byte[Wire.Limits.KeySetBytes + 1], out _, out _));
    }

    [Fact]
    public void A_certificate_beside_its_own_key_is_no_fault()
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.True(SigningKey.TryParse(Encoding.ASCII.GetBytes(ecdsa.ExportPkcs8PrivateKeyPem()), out var key, out _));
        using (key)
        {
            var set = JsonNode.Parse(JsonWebKeySet.Of(key.PublicKey).ToJson())!.AsObject();
            set["keys"]![0]!["x5c"] = new JsonArray(Certificate(ecdsa));

            Assert.True(Read(set, out _));
        }
    }

    private static string Certificate(ECDsa key)
    {
        using var certificate = new CertificateRequest("CN=issuer", key, HashAlgorithmName.SHA384).CreateSelfSigned(TokenFixture.Now, TokenFixture.Now.AddDays(1));
        return Convert.ToBase64String(certificate.RawData);
    }

    private JsonObject Set() => JsonNode.Parse(JsonWebKeySet.Of(fixture.Key.PublicKey).ToJson())!.AsObject();

    private static JsonObject With(JsonObject set, Action<JsonObject> change)
    {
        var key = set["keys"]![0]!.DeepClone().AsObject();
        change(key);
        return key;
    }

    private static bool Read(JsonObject set, out JsonWebKeySet? read) => JsonWebKeySet.TryParse(Encoding.UTF8.GetBytes(set.ToJsonString()), out read, out _);
}

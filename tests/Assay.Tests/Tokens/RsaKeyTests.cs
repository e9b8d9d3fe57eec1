using System.Buffers.Text;
using System.Numerics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Reference.Manifest;
using Assay.Tests.Cli;
using Assay.Tests.Cpu;
using Assay.Tests.Reference.Manifest;
using Assay.Trust;
using Assay.Trust.Jose;

namespace Assay.Tests.Tokens;

/// <summary>RSA keys sign and verify RS256 tokens, in sizes and spellings that leave no choice, and nothing else (S-22).</summary>
public sealed class RsaKeyTests(TokenFixture fixture, RsaKeyTests.Pair pair) : IClassFixture<TokenFixture>, IClassFixture<RsaKeyTests.Pair>
{
    [Theory]
    [InlineData(2048)]
    [InlineData(3072)]
    [InlineData(4096)]
    public void Both_forms_of_a_private_key_are_the_same_key(int bits)
    {
        using var rsa = bits == 2048 ? null : RSA.Create(bits);
        var made = rsa ?? pair.Rsa;
        using var eight = Read(made.ExportPkcs8PrivateKeyPem());
        using var one = Read(made.ExportRSAPrivateKeyPem() + "\n");

        Assert.Equal(eight.PublicKey.Thumbprint, one.PublicKey.KeyId);
        Assert.Equal(("RS256", SignatureAlgorithm.RsaPkcs1Sha256), (one.PublicKey.AlgorithmName, one.PublicKey.Algorithm));
        var signature = one.Sign("content"u8);
        Assert.Equal(bits / 8, signature.Length);
        Assert.True(eight.PublicKey.Verifies("content"u8, signature));
        Assert.True(made.VerifyData("content"u8, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1));
        Assert.False(eight.PublicKey.Verifies("Content"u8, signature));
    }

    [Fact]
    public void A_private_key_of_another_size_or_exponent_is_refused()
    {
        using var small = RSA.Create(1024);
        using var nearly = RSA.Create(2040);
        using var large = RSA.Create(4104);
        using var cubic = Cubic();
        foreach (var rsa in (RSA[])[small, nearly, large, cubic])
        {
            foreach (var pem in (string[])[rsa.ExportPkcs8PrivateKeyPem(), rsa.ExportRSAPrivateKeyPem()])
            {
                Assert.False(SigningKey.TryParse(Encoding.ASCII.GetBytes(pem), out _, out var fault));
                Assert.Contains("2048 to 4096 bits", fault.Problem, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public void A_private_key_in_another_form_is_refused()
    {
        var (eight, one) = (pair.Rsa.ExportPkcs8PrivateKeyPem(), pair.Rsa.ExportRSAPrivateKeyPem());
        // rsaEncryption becomes id-RSASSA-PSS: a key for another algorithm.
        var pss = pair.Rsa.ExportPkcs8PrivateKey();
        pss[pss.AsSpan().IndexOf((ReadOnlySpan<byte>)[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]) + 8] = 0x0A;
        // Tokens under a modulus of another key's would never verify.
        var swapped = pair.Rsa.ExportRSAPrivateKey();
        using var other = RSA.Create(2048);
        other.ExportParameters(false).Modulus!.CopyTo(swapped, swapped.AsSpan().IndexOf(pair.Rsa.ExportParameters(false).Modulus));
        string[] wrong =
        [
            PemEncoding.WriteString("PRIVATE KEY", pss), PemEncoding.WriteString("RSA PRIVATE KEY", swapped),
            one.Replace("RSA PRIVATE KEY", "EC PRIVATE KEY", StringComparison.Ordinal), one.Replace("RSA PRIVATE KEY", "PRIVATE KEY", StringComparison.Ordinal),
            eight.Replace("PRIVATE KEY", "RSA PRIVATE KEY", StringComparison.Ordinal), one + "\n" + one, one + "x",
            PemEncoding.WriteString("RSA PRIVATE KEY", (byte[])[.. pair.Rsa.ExportRSAPrivateKey(), 0]), PemEncoding.WriteString("PRIVATE KEY", (byte[])[.. pair.Rsa.ExportPkcs8PrivateKey(), 0]),
            pair.Rsa.ExportRSAPublicKeyPem(), pair.Rsa.ExportSubjectPublicKeyInfoPem(),
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        ];

        Assert.All(wrong, pem =>
        {
            Assert.False(SigningKey.TryParse(Encoding.ASCII.GetBytes(pem), out var key, out var fault), pem);
            Assert.Null(key);
            Assert.NotNull(fault);
        });
    }

    [Fact]
    public void A_set_that_was_written_is_read_as_the_same_and_has_no_private_number()
    {
        var json = JsonWebKeySet.Of(pair.Key.PublicKey).ToJson();

        Assert.True(JsonWebKeySet.TryParse(json, out var set, out var fault), fault?.ToString());

        Assert.Equal(json, set.ToJson());
        var key = JsonNode.Parse(json)!["keys"]![0]!.AsObject();
        Assert.Equal(["kty", "n", "e", "use", "alg", "kid"], key.Select(member => member.Key));
        Assert.Equal(("RSA", "AQAB", "sig", "RS256"), (key["kty"]!.GetValue<string>(), key["e"]!.GetValue<string>(), key["use"]!.GetValue<string>(), key["alg"]!.GetValue<string>()));
        Assert.Equal(Base64Url.EncodeToString(pair.Rsa.ExportParameters(false).Modulus), key["n"]!.GetValue<string>());
    }

    [Fact]
    public void Keys_of_other_sizes_exponents_and_uses_are_left_out()
    {
        var modulus = pair.Rsa.ExportParameters(false).Modulus!;
        byte[] even = [.. modulus[..^1], (byte)(modulus[^1] & 0xFE)];
        byte[] short_ = [0x7F, .. modulus[1..]];
        using var small = RSA.Create(1024);
        Action<JsonObject>[] changes =
        [
            key => key["n"] = Base64Url.EncodeToString(small.ExportParameters(false).Modulus),
            key => key["n"] = Base64Url.EncodeToString(short_),
            key => key["n"] = Base64Url.EncodeToString(even),
            key => key["n"] = Base64Url.EncodeToString((byte[])[1, .. modulus]),
            key => key["n"] = Base64Url.EncodeToString((byte[])[.. modulus, .. modulus, 1]),
            key => key["e"] = "Aw",
            key => key["e"] = "AQABAQ",
            key => key["alg"] = "PS256",
            key => key["alg"] = "RS384",
            key => key["alg"] = "RSA-OAEP",
            key => key["alg"] = "ES384",
            key => key["alg"] = 256,
            key => key["use"] = "enc",
            key => key["key_ops"] = new JsonArray("sign"),
        ];
        foreach (var (index, change) in changes.Index())
        {
            var set = Set();
            change(set["keys"]![0]!.AsObject());
            Assert.False(Parse(set, out _), $"change {index}");

            // Nor does it disturb the keys beside it.
            set["keys"]!.AsArray().Add(JsonNode.Parse(JsonWebKeySet.Of(fixture.Key.PublicKey).ToJson())!["keys"]![0]!.DeepClone());
            Assert.True(Parse(set, out var read), $"change {index}");
            Assert.Equal([fixture.Key.PublicKey.KeyId], read!.Keys.Select(key => key.KeyId));
        }
    }

    [Fact]
    public void A_set_with_a_malformed_key_is_refused_as_a_whole()
    {
        using var other = RSA.Create(2048);
        (string Defect, Action<JsonObject> Spoil)[] defects =
        [
            ("a leading zero in n", key => key["n"] = Base64Url.EncodeToString((byte[])[0, .. pair.Rsa.ExportParameters(false).Modulus!])),
            ("a leading zero in e", key => key["e"] = "AAEAAQ"),
            ("padding", key => key["n"] = key["n"]!.GetValue<string>() + "=="),
            ("the standard alphabet", key => key["n"] = "+" + key["n"]!.GetValue<string>()[1..]),
            ("stray bits", key => key["e"] = "AR"),
            ("an empty n", key => key["n"] = ""),
            ("no n", key => key.Remove("n")),
            ("no e", key => key.Remove("e")),
            ("an e that is a number", key => key["e"] = 65537),
            ("a private exponent", key => key["d"] = "AA"),
            ("a prime", key => key["p"] = "AA"),
            ("another prime", key => key["qi"] = "AA"),
            ("a kid that is no text", key => key["kid"] = 7),
            ("a certificate of another key", key => key["x5c"] = new JsonArray(Certificate(other))),
            ("a certificate of a key on a curve", key => key["x5c"] = new JsonArray(Certificate(ECDsa.Create(ECCurve.NamedCurves.nistP384)))),
        ];
        foreach (var (defect, spoil) in defects)
        {
            var set = Set();
            spoil(set["keys"]![0]!.AsObject());
            set["keys"]!.AsArray().Add(JsonNode.Parse(JsonWebKeySet.Of(fixture.Key.PublicKey).ToJson())!["keys"]![0]!.DeepClone());

            Assert.False(Parse(set, out _), defect);
        }

        var own = Set();
        own["keys"]![0]!["x5c"] = new JsonArray(Certificate(pair.Rsa));
        Assert.True(Parse(own, out _));
    }

    [Fact]
    public void Neither_reference_values_nor_bundles_are_signed_by_it()
    {
        Assert.Throws<ArgumentException>(() => AuthenticReferenceManifest.Write(ManifestWorld.Whole, pair.Key));
        var (assay, key, quote) = (new AssayCommand(), Path.Combine(fixture.Folder, "rsa.pem"), Path.Combine(fixture.Folder, "quote.bin"));
        File.WriteAllText(key, pair.Rsa.ExportPkcs8PrivateKeyPem());
        File.WriteAllBytes(quote, SimulatedCpu.Tdx(4, false).Quote);
        var measured = assay.Says(2, "measure", "--from", quote, "--name", "n", "--image-version", "1", "--sequence", "1", "--valid-for", "1", "--signing-key", key, "--out", Path.Combine(fixture.Folder, "out.jws"));
        Assert.Contains("cli.signing-key", measured, StringComparison.Ordinal);
        Assert.Contains("signs only tokens", measured, StringComparison.Ordinal);
        Assert.False(File.Exists(Path.Combine(fixture.Folder, "out.jws")));
        Assert.Contains("bundles are signed with ES384", assay.Says(2, "bundle", "create", "--for", quote, "--key", key, "--sequence", "1", "--intel-url", "none", "--out", Path.Combine(fixture.Folder, "out.bundle")), StringComparison.Ordinal);

        // Nor is a manifest of another's make believed, whose key is in the set.
        var header = $$"""{"alg":"RS256","kid":"{{pair.Key.PublicKey.KeyId}}","typ":"{{ReferenceManifest.TypeName}}"}""";
        var content = $"{Reforged.Url(header)}.{Base64Url.EncodeToString(ManifestWorld.Whole.ToCanonicalJson())}";
        var file = Encoding.ASCII.GetBytes($"{content}.{Base64Url.EncodeToString(pair.Key.Sign(Encoding.ASCII.GetBytes(content)))}");
        Assert.False(AuthenticReferenceManifest.TryAuthenticate(file, JsonWebKeySet.Of(pair.Key.PublicKey), ManifestWorld.Clock, 0, out _, out var findings));
        Assert.Equal("reference.algorithm.allowed", ManifestWorld.Failed(findings));
        Assert.Contains("ES384 or ES256 is expected", findings.Single(finding => finding.Id == "reference.algorithm.allowed").Reason, StringComparison.Ordinal);
    }

    private static SigningKey Read(string pem) =>
        SigningKey.TryParse(Encoding.ASCII.GetBytes(pem), out var key, out var fault) ? key : throw new InvalidOperationException(fault.ToString());

    // The platform makes no key with another exponent, so the numbers are made here.
    private static RSA Cubic()
    {
        while (true)
        {
            using var rsa = RSA.Create(2048);
            var numbers = rsa.ExportParameters(includePrivateParameters: true);
            var (p, q) = (Number(numbers.P!), Number(numbers.Q!));
            var order = (p - 1) * (q - 1);
            if (order % 3 == 0)
            {
                continue;
            }

            // 3·d = 1 + k·order for the one k of 1 and 2 that makes it whole.
            var d = order % 3 == 2 ? (1 + order) / 3 : (1 + (2 * order)) / 3;
            (numbers.Exponent, numbers.D) = ([3], Bytes(d, 256));
            (numbers.DP, numbers.DQ) = (Bytes(d % (p - 1), 128), Bytes(d % (q - 1), 128));
            return RSA.Create(numbers);
        }

        static BigInteger Number(byte[] bytes) => new(bytes, isUnsigned: true, isBigEndian: true);

        static byte[] Bytes(BigInteger number, int size)
        {
            var bytes = number.ToByteArray(isUnsigned: true, isBigEndian: true);
            return [.. new byte[size - bytes.Length], .. bytes];
        }
    }

    private static string Certificate(AsymmetricAlgorithm key)
    {
        var request = key is RSA rsa ? new CertificateRequest("CN=issuer", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1) : new CertificateRequest("CN=issuer", (ECDsa)key, HashAlgorithmName.SHA256);
        using var certificate = request.CreateSelfSigned(TokenFixture.Now, TokenFixture.Now.AddDays(1));
        return Convert.ToBase64String(certificate.RawData);
    }

    private JsonObject Set() => JsonNode.Parse(JsonWebKeySet.Of(pair.Key.PublicKey).ToJson())!.AsObject();

    private static bool Parse(JsonObject set, out JsonWebKeySet? read) => JsonWebKeySet.TryParse(Encoding.UTF8.GetBytes(set.ToJsonString()), out read, out _);

    /// <summary>One key as the platform has it, and as we read it.</summary>
    public sealed class Pair : IDisposable
    {
        public Pair() => Key = Read(Rsa.ExportPkcs8PrivateKeyPem());

        public RSA Rsa { get; } = RSA.Create(2048);

        public SigningKey Key { get; }

        public void Dispose()
        {
            Key.Dispose();
            Rsa.Dispose();
        }
    }
}

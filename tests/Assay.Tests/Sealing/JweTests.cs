using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Assay.Sealing.Jose;
using Assay.Sealing.Keys;
using Base64Url = System.Buffers.Text.Base64Url;

namespace Assay.Tests.Sealing;

/// <summary>JWE: published tokens open, what is refused by name is refused, and any changed character opens nothing.</summary>
public sealed class JweTests
{
    private static readonly byte[] s_secret = "a data key"u8.ToArray();

    [Fact]
    public void Tokens_of_npm_jose_with_published_keys_open()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/jwe.json"));
        var opened = 0;
        foreach (var token in document.RootElement.GetProperty("compact").EnumerateArray().Where(token => token.Text("alg").StartsWith("ECDH-ES", StringComparison.Ordinal)))
        {
            using var pair = TestKeys.OfJwk(token.GetProperty("recipient"));
            Assert.True(Jwe.TryOpen(pair, Encoding.ASCII.GetBytes(token.Text("compact")), out var plaintext, out var fault), fault?.ToString());
            Assert.Equal(token.Text("plaintext"), Convert.ToHexStringLower(plaintext.Bytes()));
            opened++;
        }

        Assert.Equal(12, opened);
        var flattened = document.RootElement.GetProperty("flattened_with_aad");
        using var flat = TestKeys.OfJwk(flattened.GetProperty("recipient"));
        Assert.True(Jwe.TryOpen(flat, Encoding.UTF8.GetBytes(flattened.GetProperty("jwe").GetRawText()), out _, out var whyNot), whyNot?.ToString());
    }

    [Fact]
    public void Other_algorithms_are_refused_by_name()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/jwe.json"));
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        foreach (var token in document.RootElement.GetProperty("compact").EnumerateArray().Where(token => token.Text("alg") is "RSA-OAEP" or "dir" or "A256KW"))
        {
            Assert.Equal("sealing.jwe.algorithm", FaultOf(pair, token.Text("compact")));
        }

        foreach (var name in (string[])["RSA1_5", "none", "dir", "A256KW", "HS256", "PBES2-HS512+A256KW", "RSA-OAEP", "ECDH-ES+A128KW", "ecdh-es", ""])
        {
            Assert.Equal("sealing.jwe.algorithm", FaultOf(pair, Forged(pair, header => header["alg"] = name)));
        }

        Assert.Contains("RSA1_5 is refused", Fault(pair, Forged(pair, header => header["alg"] = "RSA1_5"))!.Problem, StringComparison.Ordinal);
        foreach (var name in (string[])["A128GCM", "A256CBC-HS512", "none", ""])
        {
            Assert.Equal("sealing.jwe.algorithm", FaultOf(pair, Forged(pair, header => header["enc"] = name)));
        }
    }

    [Fact]
    public void A_header_is_read_strictly()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        using var p256 = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P256);

        Assert.Equal("sealing.jwe.algorithm", FaultOf(pair, Forged(pair, header => header["crit"] = new JsonArray("b64"))));
        Assert.Equal("sealing.jwe.algorithm", FaultOf(pair, Forged(pair, header => header["zip"] = "DEF")));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Forged(pair, header => header.Remove("epk"))));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Forged(pair, header => header["epk"]!["d"] = "AA")));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Forged(pair, header => header["epk"]!["x"] = Base64Url.EncodeToString(new byte[47]))));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Forged(pair, header => header["epk"]!["y"] = Base64Url.EncodeToString(new byte[48]))));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Forged(pair, header => header["epk"]!["crv"] = "P-256")));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Forged(pair, header => header["apu"] = "AB=")));
        // A point of another curve than the key's is told before anything is computed.
        Assert.Equal("sealing.jwe.algorithm", FaultOf(pair, Jwe.SealCompact(p256.PublicKey, s_secret)));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Raw(pair, header => header.Replace("{\"alg\":", "{\"alg\":\"ECDH-ES\",\"alg\":", StringComparison.Ordinal))));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Raw(pair, header => header.Replace("{\"alg\":", "{\"\\u0061lg\":\"ECDH-ES\",\"alg\":", StringComparison.Ordinal))));
        Assert.Equal("sealing.jwe.form", FaultOf(pair, Raw(pair, header => header + " {}")));
        // The same header in another order is another text.
        Assert.Equal("sealing.not-opened", FaultOf(pair, Forged(pair, header => { var kid = header["kid"]!.DeepClone(); header.Remove("kid"); header["kid"] = kid; })));
    }

    [Theory]
    [InlineData(KeyKind.P256)]
    [InlineData(KeyKind.P384)]
    [InlineData(KeyKind.P521)]
    [InlineData(KeyKind.Rsa3072)]
    public void What_is_sealed_opens_with_its_key_and_with_no_other(KeyKind kind)
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);
        using var other = SealingKeyPair.GenerateEphemeralKeyPair(kind);
        var terms = new JweTerms { PartyU = new byte[] { 1, 2 }, PartyV = new byte[] { 3 }, Type = "test" };
        foreach (var text in (string[])[Jwe.SealCompact(pair.PublicKey, s_secret, terms), Jwe.SealFlattened(pair.PublicKey, s_secret, "beside"u8, terms), Jwe.SealFlattened(pair.PublicKey, [], [])])
        {
            Assert.True(Jwe.TryOpen(pair, Encoding.ASCII.GetBytes(text), out var plaintext, out var fault), fault?.ToString());
            Assert.True(plaintext.Length == 0 || plaintext.Equals(s_secret));
            Assert.Equal("sealing.not-opened", FaultOf(other, text));
        }
    }

    [Theory]
    [InlineData(KeyKind.P384, JweAlgorithm.EcdhEs)]
    [InlineData(KeyKind.P384, JweAlgorithm.EcdhEsA256Kw)]
    [InlineData(KeyKind.Rsa3072, JweAlgorithm.RsaOaep256)]
    public void Any_changed_character_is_refused_and_tells_nothing_about_secrets(KeyKind kind, JweAlgorithm algorithm)
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(kind);
        var text = Encoding.ASCII.GetBytes(Jwe.SealCompact(pair.PublicKey, s_secret, new JweTerms { Algorithm = algorithm }));
        var header = Array.IndexOf(text, (byte)'.');
        for (var at = 0; at < text.Length; at++)
        {
            // RSA is slow: of the encrypted key every seventh character.
            if (kind is KeyKind.Rsa3072 && at > header && at % 7 != 0)
            {
                continue;
            }

            var changed = (byte[])text.Clone();
            changed[at] = changed[at] == (byte)'A' ? (byte)'B' : (byte)'A';
            Assert.False(Jwe.TryOpen(pair, changed, out _, out var fault), $"character {at}");
            Assert.True(at <= header || fault.Id is "sealing.not-opened" or "sealing.jwe.form", fault.ToString());
            if (fault.Id == "sealing.not-opened")
            {
                Assert.Same(Assay.Sealing.SealingFaults.NotThisKey, fault);
            }
        }
    }

    [Fact]
    public void Texts_that_are_no_jwe_are_refused()
    {
        using var pair = SealingKeyPair.GenerateEphemeralKeyPair(KeyKind.P384);
        var good = Jwe.SealCompact(pair.PublicKey, s_secret);
        var flat = Jwe.SealFlattened(pair.PublicKey, s_secret, []);
        string[] wrong =
        [
            "", ".", "....", ".....", good + ".", good + "=", good + " ", " " + good, good.Replace(".", "..", StringComparison.Ordinal), "{}", "[]", "{", "null",
            flat.Replace("{\"protected\"", "{\"recipients\":[],\"protected\"", StringComparison.Ordinal),
            flat.Replace("{\"protected\"", "{\"more\":\"x\",\"protected\"", StringComparison.Ordinal),
            flat.Replace("{\"protected\"", "{\"tag\":\"AA\",\"protected\"", StringComparison.Ordinal),
            flat.Replace("{\"protected\"", "{\"header\":{\"alg\":\"ECDH-ES\"},\"protected\"", StringComparison.Ordinal),
            flat.Replace("{\"protected\"", "{\"unprotected\":[],\"protected\"", StringComparison.Ordinal),
            flat.Replace("\"iv\":\"", "\"iv\":\"AAAA", StringComparison.Ordinal),
            new('A', (1 << 20) + 1),
        ];

        Assert.All(wrong, text => Assert.Equal("sealing.jwe.form", FaultOf(pair, text)));
        // The last character of a part has bits beyond the last byte: one spelling is accepted, and it is the canonical one.
        Assert.Equal("sealing.jwe.form", FaultOf(pair, good[..^1] + (char)(good[^1] + 1)));
    }

    [Fact]
    public void Thumbprints_are_those_of_the_published_documents()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/jwk-thumbprint.json"));
        var (read, refused) = (0, 0);
        foreach (var vector in document.RootElement.GetProperty("vectors").EnumerateArray())
        {
            var jwk = vector.GetProperty("jwk");
            if (SealingPublicKey.TryParse(Encoding.UTF8.GetBytes(jwk.GetRawText()), out var key, out var fault))
            {
                Assert.Equal(vector.Text("sha256"), key.Thumbprint);
                read++;
            }
            else
            {
                Assert.Equal("sealing.key", fault.Id);
                Assert.True(jwk.Text("kty") is "OKP" or "oct" || jwk.Text("n").Length < 512, fault.ToString());
                refused++;
            }
        }

        Assert.Equal(7, read + refused);
        Assert.InRange(read, 3, 7);
    }

    private static string Forged(SealingKeyPair pair, Action<JsonObject> change) => Raw(pair, text =>
    {
        var header = JsonNode.Parse(text)!.AsObject();
        change(header);
        return header.ToJsonString();
    });

    private static string Raw(SealingKeyPair pair, Func<string, string> change)
    {
        var parts = Jwe.SealCompact(pair.PublicKey, s_secret).Split('.');
        parts[0] = Base64Url.EncodeToString(Encoding.UTF8.GetBytes(change(Encoding.UTF8.GetString(Base64Url.DecodeFromChars(parts[0])))));
        return string.Join('.', parts);
    }

    private static string? FaultOf(SealingKeyPair pair, string text) => Fault(pair, text)?.Id;

    private static Assay.Sealing.SealingFault? Fault(SealingKeyPair pair, string text) => Jwe.TryOpen(pair, Encoding.UTF8.GetBytes(text), out _, out var fault) ? null : fault;
}

using System.Text.Json;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Assay.Sealing.Wrapping;

namespace Assay.Tests.Sealing;

/// <summary>Wycheproof: what is valid opens to what it should, what is invalid is refused, and nothing throws.</summary>
public sealed class WycheproofSealingTests
{
    [Fact]
    public void Aes_key_wrap_with_padding()
    {
        var (valid, invalid) = (0, 0);
        foreach (var test in Tests("aes_kwp_test.json"))
        {
            using var key = TestKeys.Secret(test.Hex("key"));
            var (message, wrapped) = (test.Hex("msg"), test.Hex("ct"));
            var opened = AesKeyWrap.TryUnwrap(key, wrapped, out var secret, out var fault);
            if (test.Text("result") == "valid")
            {
                Assert.True(opened, $"{test.GetProperty("tcId")}: {fault}");
                Assert.Equal(message, secret!.Bytes());
                using var again = TestKeys.Secret(message);
                Assert.Equal(wrapped, AesKeyWrap.Wrap(key, again));
                valid++;
            }
            else
            {
                Assert.False(opened, $"{test.GetProperty("tcId")}");
                invalid++;
            }
        }

        Assert.Equal((77, 177), (valid, invalid));
    }

    [Fact]
    public void Ecdh_on_p384()
    {
        var (valid, refused) = (0, 0);
        foreach (var test in Tests("ecdh_secp384r1_ecpoint_test.json"))
        {
            var scalar = test.Hex("private").AsSpan().TrimStart((byte)0);
            byte[] fixedSize = [.. new byte[48 - scalar.Length], .. scalar];
            using var pair = TestKeys.OfScalar(KeyKind.P384, fixedSize);
            using var agreement = pair.Agree(test.Hex("public"));
            if (agreement is null)
            {
                // Compressed points are acceptable to Wycheproof, and have no place in HPKE or JOSE.
                Assert.NotEqual("valid", test.Text("result"));
                refused++;
            }
            else
            {
                Assert.Equal("valid", test.Text("result"));
                Assert.Equal(test.Text("shared"), Convert.ToHexStringLower(agreement.Bytes()));
                valid++;
            }
        }

        Assert.Equal((771, 19), (valid, refused));
    }

    [Fact]
    public void Rsa_oaep_with_sha256()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("wycheproof/rsa_oaep_2048_sha256_mgf1sha256_test.json"));
        var group = document.RootElement.GetProperty("testGroups")[0];
        using var pair = TestKeys.OfPkcs8(group.Hex("privateKeyPkcs8"), 256);
        var (valid, labeled, invalid) = (0, 0, 0);
        foreach (var test in group.GetProperty("tests").EnumerateArray())
        {
            using var opened = pair.Decrypt(test.Hex("ct"));
            if (test.Text("label").Length > 0)
            {
                // We know no labels: what has one is refused, valid or not.
                Assert.Null(opened);
                labeled++;
            }
            else if (test.Text("result") == "valid")
            {
                Assert.Equal(test.Text("msg"), Convert.ToHexStringLower(opened!.Bytes()));
                valid++;
            }
            else
            {
                Assert.Null(opened);
                invalid++;
            }
        }

        Assert.Equal((10, 8, 19), (valid, labeled, invalid));
    }

    [Fact]
    public void A_scalar_that_is_zero_or_not_below_the_order_is_no_key()
    {
        var order = Convert.FromHexString("ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973");
        byte[] below = [.. order[..^1], 0x72];
        foreach (var scalar in (byte[][])[new byte[48], order, [.. Enumerable.Repeat((byte)0xFF, 48)], new byte[47], []])
        {
            using var secret = TestKeys.Secret(scalar);
            Assert.False(SealingKeyPair.TryOfScalar(KeyKind.P384, secret, out _, out var fault));
            Assert.Equal("sealing.key", fault.Id);
        }

        using var pair = TestKeys.OfScalar(KeyKind.P384, below);
        Assert.NotNull(pair);
    }

    [Fact]
    public void Key_wraps_of_published_documents()
    {
        using var document = JsonDocument.Parse(Recorded.Bytes("formats/aeskw.json"));
        foreach (var vector in document.RootElement.GetProperty("vectors").EnumerateArray())
        {
            using var key = TestKeys.Secret(vector.Hex("kek"));
            using var secret = TestKeys.Secret(vector.Hex("plain"));
            var padded = vector.Text("alg") == "KWP";
            Assert.Equal(vector.Text("wrapped"), Convert.ToHexStringLower(padded ? AesKeyWrap.Wrap(key, secret) : AesKeyWrap.WrapWhole(key, secret)));
            using var whole = AesKeyWrap.UnwrapWhole(key, vector.Hex("wrapped"), SecretMemory.Locked);
            // Each refuses what the other wrapped.
            Assert.Equal(!padded, whole is not null);
            Assert.Equal(padded, AesKeyWrap.TryUnwrap(key, vector.Hex("wrapped"), out var opened, out _));
            Assert.Equal(vector.Text("plain"), Convert.ToHexStringLower((opened ?? whole)!.Bytes()));
        }

        foreach (var vector in document.RootElement.GetProperty("must_reject").EnumerateArray())
        {
            using var key = TestKeys.Secret(vector.Hex("kek"));
            Assert.False(AesKeyWrap.TryUnwrap(key, vector.Hex("wrapped"), out _, out _), vector.Text("why"));
        }
    }

    private static JsonElement[] Tests(string file)
    {
        using var document = JsonDocument.Parse(Recorded.Bytes($"wycheproof/{file}"));
        return [.. document.RootElement.GetProperty("testGroups").EnumerateArray().SelectMany(group => group.GetProperty("tests").EnumerateArray()).Select(test => test.Clone())];
    }
}

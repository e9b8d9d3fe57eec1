using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Broker.DataKeys;
using Assay.Broker.Release;
using Assay.Wire;

namespace Assay.Tests.Service;

/// <summary>Ciphertexts of keys that encrypt data keys, and the contexts that they are bound to.</summary>
public sealed class DataKeyTests
{
    private static readonly SecretName s_name = new("demo", "records", 1);

    [Fact]
    public void A_context_has_the_digest_of_its_canonical_form_in_any_order()
    {
        (string Key, string Value)[] pairs = [("b", "2"), ("a", "1"), ("\u00e9", "\u0000\u001f\"\\/\b\f\n\r\t\u007f"), ("\U0001F600", "\u2028"), ("\uFB33", "x"), ("A", "\u00c4")];
        var expected = SHA384.HashData(CanonicalJson.Write(JsonSerializer.SerializeToElement(pairs.ToDictionary(pair => pair.Key, pair => pair.Value))));
        foreach (var order in (IEnumerable<(string Key, string Value)>[])[pairs, pairs.Reverse(), pairs.OrderBy(pair => pair.Value, StringComparer.Ordinal)])
        {
            Assert.True(EncryptionContext.TryOf(order.ToDictionary(pair => pair.Key, pair => pair.Value), out var context));
            Assert.Equal(Convert.ToHexStringLower(expected), context.Digest.ToString());
        }

        Assert.True(EncryptionContext.TryOf(null, out var none));
        Assert.Equal(Convert.ToHexStringLower(SHA384.HashData("{}"u8)), none.Digest.ToString());
        foreach (var (key, value) in (IEnumerable<(string, string)>)[("", "a"), ("a", ""), ("a", "\ud800"), ("\udc00", "a"), ("a", new string('x', 8192))])
        {
            Assert.False(EncryptionContext.TryOf(new Dictionary<string, string> { [key] = value }, out _));
        }
    }

    [Fact]
    public void Every_flipped_bit_and_every_proper_prefix_of_a_ciphertext_is_refused()
    {
        Assert.True(EncryptionContext.TryOf(null, out var context));
        var secret = RandomNumberGenerator.GetBytes(32);
        var blob = DataKeyBlob.Seal([.. secret], s_name, context, "content"u8);
        Assert.Equal("content"u8.ToArray(), Open(blob, secret, s_name, context));

        for (var bit = 0; bit < blob.Length * 8; bit++)
        {
            var changed = (byte[])blob.Clone();
            changed[bit / 8] ^= (byte)(1 << (bit % 8));
            Assert.Null(Open(changed, secret, s_name, context));
        }

        Assert.All(Enumerable.Range(0, blob.Length), length => Assert.Null(Open(blob[..length], secret, s_name, context)));
        Assert.Null(Open([.. blob, 0], secret, s_name, context));
    }

    [Fact]
    public void A_ciphertext_is_of_one_secret_tenant_key_version_and_context()
    {
        Assert.True(EncryptionContext.TryOf(null, out var context));
        Assert.True(EncryptionContext.TryOf(new Dictionary<string, string> { ["a"] = "b" }, out var other));
        var secret = RandomNumberGenerator.GetBytes(32);
        var blob = DataKeyBlob.Seal([.. secret], s_name, context, "content"u8);

        Assert.Null(Open(blob, RandomNumberGenerator.GetBytes(32), s_name, context));
        Assert.All((SecretName[])[s_name with { Tenant = "next" }, s_name with { Key = "record" }, s_name with { Version = 2 }], name => Assert.Null(Open(blob, secret, name, context)));
        Assert.Null(Open(blob, secret, s_name, other));
        Assert.NotEqual(blob, DataKeyBlob.Seal([.. secret], s_name, context, "content"u8));
    }

    /// <summary>As docs/reference/broker.md describes it, by other code: what is kept for years must be readable without ours.</summary>
    [Fact]
    public void The_format_is_what_the_page_says()
    {
        Assert.True(EncryptionContext.TryOf(null, out var context));
        var secret = RandomNumberGenerator.GetBytes(40);
        var blob = DataKeyBlob.Seal([.. secret], s_name, context, "content"u8);

        Assert.Equal("AKB1\u0007records\0\0\0\0\0\0\0\u0001", Encoding.ASCII.GetString(blob, 0, 20));
        var (salt, commitment, text, tag) = (blob[20..44], blob[44..76], blob[76..^16], blob[^16..]);
        var associated = Encoding.ASCII.GetBytes($"assay-kms/v1/demo/records/1/{Convert.ToHexStringLower(SHA384.HashData("{}"u8))}");
        var derived = HKDF.DeriveKey(HashAlgorithmName.SHA384, secret, 76, [], [.. "assay record v1"u8, .. salt, .. associated]);
        Assert.Equal(commitment, derived[44..]);
        var content = new byte[text.Length];
        using var gcm = new AesGcm(derived[..32], 16);
        gcm.Decrypt(derived[32..44], text, tag, content, associated);
        Assert.Equal("content"u8.ToArray(), content);
    }

    private static byte[]? Open(byte[] bytes, byte[] secret, SecretName name, EncryptionContext context) =>
        DataKeyBlob.TryParse(bytes, out var blob) ? blob.Open([.. secret], name, context) : null;
}

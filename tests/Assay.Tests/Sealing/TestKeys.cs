using System.Text.Json;
using Assay.Sealing.Keys;
using Assay.Sealing.Memory;
using Base64Url = System.Buffers.Text.Base64Url;

namespace Assay.Tests.Sealing;

/// <summary>Private keys out of published vectors. The library itself takes in no RSA key: it makes them.</summary>
internal static unsafe class TestKeys
{
    public static SecretBuffer Secret(ReadOnlySpan<byte> bytes) => SecretMemory.Locked.Take(bytes.ToArray());

    public static SecretBuffer Secret(string hex) => Secret(Convert.FromHexString(hex));

    public static byte[] Bytes(this SecretBuffer secret) => secret.Use(lease => lease.Bytes.ToArray());

    public static byte[] Hex(this JsonElement element, string member) => Convert.FromHexString(element.GetProperty(member).GetString()!);

    public static string Text(this JsonElement element, string member) => element.GetProperty(member).GetString()!;

    public static SealingKeyPair OfScalar(KeyKind kind, ReadOnlySpan<byte> scalar)
    {
        using var secret = Secret(scalar);
        Assert.True(SealingKeyPair.TryOfScalar(kind, secret, out var pair, out var fault), fault?.ToString());
        return pair;
    }

    public static SealingKeyPair OfJwk(JsonElement jwk) => OfScalar(KindOf(jwk.Text("crv")), Base64Url.DecodeFromChars(jwk.Text("d")));

    public static KeyKind KindOf(string curve) => curve switch
    {
        "P-256" => KeyKind.P256,
        "P-384" => KeyKind.P384,
        "P-521" => KeyKind.P521,
        _ => KeyKind.None,
    };

    public static SealingKeyPair OfPkcs8(ReadOnlySpan<byte> der, int modulusBytes)
    {
        Libcrypto.Require();
        fixed (byte* start = der)
        {
            var at = start;
            using var key = new Libcrypto.Key(Libcrypto.d2i_AutoPrivateKey(0, &at, der.Length));
            Assert.False(key.IsInvalid);
            var (secret, modulus) = RsaKey.Take(key, modulusBytes, SecretMemory.Locked);
            return new SealingKeyPair(new SealingPublicKey(modulusBytes == 512 ? KeyKind.Rsa4096 : KeyKind.Rsa3072, modulus), secret, SecretMemory.Locked);
        }
    }

    /// <summary>A private key of ours for other programs, as PKCS#8 PEM and as JWK. Nothing in the library can do this.</summary>
    public static (string Pem, string Jwk) Export(SealingKeyPair pair)
    {
        if (pair.PublicKey.Curve is not null)
        {
            var scalar = pair.Private.Bytes();
            scalar.AsSpan().Reverse();
            using var key = System.Security.Cryptography.ECDiffieHellman.Create(new System.Security.Cryptography.ECParameters { Curve = System.Security.Cryptography.ECCurve.CreateFromValue(pair.PublicKey.Curve.Oid), D = scalar });
            return (key.ExportPkcs8PrivateKeyPem(), pair.PublicKey.Jwk[..^1] + $",\"d\":\"{Base64Url.EncodeToString(scalar)}\"}}");
        }

        var (n, slots, size) = (pair.PublicKey.Bytes.ToArray(), pair.Private.Bytes(), pair.PublicKey.Bytes.Length);
        byte[] Slot(int index)
        {
            var slot = index == 0 ? slots[..size] : slots.AsSpan(size + ((index - 1) * size / 2), size / 2).ToArray();
            slot.AsSpan().Reverse();
            return slot;
        }

        using var rsa = System.Security.Cryptography.RSA.Create(new System.Security.Cryptography.RSAParameters { Modulus = n, Exponent = [1, 0, 1], D = Slot(0), P = Slot(1), Q = Slot(2), DP = Slot(3), DQ = Slot(4), InverseQ = Slot(5) });
        string[] names = ["d", "p", "q", "dp", "dq", "qi"];
        return (rsa.ExportPkcs8PrivateKeyPem(), pair.PublicKey.Jwk[..^1] + string.Concat(names.Select((name, index) => $",\"{name}\":\"{Base64Url.EncodeToString(Slot(index))}\"")) + "}");
    }
}

using System.Security.Cryptography;
using System.Text;
using Assay.Rego.Builtins.Crypto;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>Hashes and HMACs in lower hexadecimal, private keys as JSON.</summary>
internal static class CryptoBuiltins
{
    public static readonly Builtin[] All =
    [
        Hash("crypto.md5", MD5.HashData),
        Hash("crypto.sha1", SHA1.HashData),
        Hash("crypto.sha256", SHA256.HashData),
        Hmac("crypto.hmac.md5", HMACMD5.HashData),
        Hmac("crypto.hmac.sha1", HMACSHA1.HashData),
        Hmac("crypto.hmac.sha256", HMACSHA256.HashData),
        Hmac("crypto.hmac.sha512", HMACSHA512.HashData),
        new("crypto.hmac.equal", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, Same),
        new("crypto.parse_private_keys", [RegoTypes.String], RegoTypes.Null | RegoTypes.Array, ParsePrivateKeys),
        new("crypto.x509.parse_rsa_private_key", [RegoTypes.String], RegoTypes.Object, ParseRsaPrivateKey),
    ];

    private delegate byte[] HashData(ReadOnlySpan<byte> source);

    private delegate byte[] HmacData(ReadOnlySpan<byte> key, ReadOnlySpan<byte> source);

    private static Builtin Hash(string name, HashData hash) =>
        new(name, [RegoTypes.String], RegoTypes.String, (context, arguments) =>
        {
            if (!context.TryString(arguments, 0, out var text))
            {
                return null;
            }

            context.Tick(1 + (text.Value.Length / 64));
            return Operands.Text(context, Convert.ToHexStringLower(hash(text.ToUtf8())));
        });

    private static Builtin Hmac(string name, HmacData hmac) =>
        new(name, [RegoTypes.String, RegoTypes.String], RegoTypes.String, (context, arguments) =>
        {
            if (!context.TryString(arguments, 0, out var message) || !context.TryString(arguments, 1, out var key))
            {
                return null;
            }

            context.Tick(1 + ((message.Value.Length + key.Value.Length) / 64));
            return Operands.Text(context, Convert.ToHexStringLower(hmac(key.ToUtf8(), message.ToUtf8())));
        });

    private static RegoValue? Same(BuiltinContext context, ReadOnlySpan<RegoValue> arguments) =>
        context.TryString(arguments, 0, out var left) && context.TryString(arguments, 1, out var right)
            ? RegoBoolean.Of(CryptographicOperations.FixedTimeEquals(left.ToUtf8(), right.ToUtf8()))
            : null;

    private static RegoValue? ParsePrivateKeys(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        if (text.Value.Length == 0)
        {
            return RegoNull.Value;
        }

        context.Tick(1 + (text.Value.Length / 16));
        context.Charge(8L * text.Value.Length);
        var keys = new List<RegoValue>();
        foreach (var block in PemText.Blocks(Decoded(text.Value)))
        {
            using var rsa = PrivateKeys.TryReadRsa(block);
            using var ec = rsa is null ? PrivateKeys.TryReadEc(block) : null;
            if (rsa is not null)
            {
                keys.Add(PrivateKeys.GoRsa(rsa.ExportParameters(true)));
            }
            else if (ec is not null)
            {
                keys.Add(PrivateKeys.GoEc(ec.ExportParameters(true)));
            }
            else if (block.Label.EndsWith("PRIVATE KEY", StringComparison.Ordinal))
            {
                return context.Fail("failed to parse private key");
            }
        }

        return RegoArray.From(keys);
    }

    private static string Decoded(string text) =>
        !text.Contains("-----BEGIN", StringComparison.Ordinal) && Base64Text.TryDecode(text, out var bytes, out _) ? Encoding.UTF8.GetString(bytes) : text;

    private static RegoValue? ParseRsaPrivateKey(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var text))
        {
            return null;
        }

        if (text.Value.Length == 0)
        {
            return context.Fail("input PEM data was empty");
        }

        context.Tick(1 + (text.Value.Length / 16));
        context.Charge(8L * text.Value.Length);
        var pem = text.Value;
        if (!pem.Contains("-----BEGIN", StringComparison.Ordinal))
        {
            if (!Base64Text.TryDecode(pem, out var bytes, out var fault))
            {
                return context.Fail(fault);
            }

            pem = Encoding.UTF8.GetString(bytes);
        }

        foreach (var block in PemText.Blocks(pem))
        {
            using var rsa = PrivateKeys.TryReadRsa(block);
            if (rsa is not null)
            {
                return PrivateKeys.Jwk(rsa.ExportParameters(true));
            }
        }

        return context.Fail("no RSA private key found in the PEM data");
    }
}

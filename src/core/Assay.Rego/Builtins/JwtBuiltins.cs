using System.Security.Cryptography;
using System.Text;
using Assay.Rego.Builtins.Crypto;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>JSON Web Tokens: reading them, checking them, and making them.</summary>
internal static class JwtBuiltins
{
    // How often a token may hold another.
    private const int MaxNesting = 16;

    public static readonly Builtin[] All =
    [
        new("io.jwt.decode", [RegoTypes.String], RegoTypes.Array, Decode),
        .. Verifiers("rs", "RS"),
        .. Verifiers("ps", "PS"),
        .. Verifiers("es", "ES"),
        .. Verifiers("hs", "HS"),
        new("io.jwt.verify_eddsa", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, (context, _) => context.Fail("EdDSA is not available: the framework has no Edwards curves")),
        new("io.jwt.decode_verify", [RegoTypes.String, RegoTypes.Object], RegoTypes.Array, JwtValidation.DecodeVerify) { Nondeterministic = true },
        new("io.jwt.encode_sign", [RegoTypes.Object, RegoTypes.Object, RegoTypes.Object], RegoTypes.String, EncodeSign) { Nondeterministic = true },
        new("io.jwt.encode_sign_raw", [RegoTypes.String, RegoTypes.String, RegoTypes.String], RegoTypes.String, EncodeSignRaw) { Nondeterministic = true },
    ];

    private static IEnumerable<Builtin> Verifiers(string name, string family)
    {
        foreach (var size in new[] { "256", "384", "512" })
        {
            yield return new Builtin($"io.jwt.verify_{name}{size}", [RegoTypes.String, RegoTypes.String], RegoTypes.Boolean, Verifier(family + size));
        }
    }

    private static BuiltinFunction Verifier(string name)
    {
        var algorithm = JwtAlgorithm.Find(name)!.Value;
        return (context, arguments) =>
        {
            if (!context.TryString(arguments, 0, out var text) || !context.TryString(arguments, 1, out var key))
            {
                return null;
            }

            Count(context, text.Value.Length + key.Value.Length);
            List<VerificationKey>? keys = null;
            if (algorithm.Family is not JwtFamily.Hs && !VerificationKey.TryReadAll(key.Value, out keys, out var fault))
            {
                return context.Fail(fault);
            }

            if (!Jwt.TryParse(text.Value, out var token, out fault) || !token.TrySignature(out var signature, out fault))
            {
                return context.Fail(fault);
            }

            return RegoBoolean.Of(keys is null ? token.IsSignedBy(key.ToUtf8(), algorithm, signature) : token.IsSignedBy(keys, algorithm, signature));
        };
    }

    /// <summary>Work with keys and signatures is dear next to evaluation; it counts so.</summary>
    public static void Count(BuiltinContext context, int characters)
    {
        context.Tick(2_000 + (characters / 8));
        context.Charge(1_024 + (8L * characters));
    }

    private static RegoValue? Decode(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var operand))
        {
            return null;
        }

        var text = operand.Value;
        for (var level = 0; level < MaxNesting; level++)
        {
            Count(context, text.Length);
            if (!Jwt.TryParse(text, out var token, out var fault) || !token.TryPayload(out var payload, out fault))
            {
                return context.Fail(fault);
            }

            if (token.IsNested)
            {
                text = Encoding.UTF8.GetString(payload).Trim('"');
                continue;
            }

            return token.TryClaims(out var claims, out fault) && token.TrySignature(out var signature, out fault)
                ? RegoArray.Of(token.Header, claims, new RegoString(Convert.ToHexStringLower(signature)))
                : context.Fail(fault);
        }

        return context.Fail($"a token that holds more than {MaxNesting} others");
    }

    private static RegoValue? EncodeSign(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryObject(arguments, 0, out var headers) || !context.TryObject(arguments, 1, out var payload) || !context.TryObject(arguments, 2, out var key))
        {
            return null;
        }

        return Sign(context, JsonBuiltins.ToText(context, headers), JsonBuiltins.ToText(context, payload), key);
    }

    private static RegoValue? EncodeSignRaw(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var headers) || !context.TryString(arguments, 1, out var payload) || !context.TryString(arguments, 2, out var text))
        {
            return null;
        }

        return JsonBuiltins.TryRead(context, text, out var value, out var problem) && value is RegoObject key
            ? Sign(context, headers.Value, payload.Value, key)
            : context.Fail($"failed to parse a JWK key (set): {problem}");
    }

    private static RegoValue? Sign(BuiltinContext context, string headers, string payload, RegoObject key)
    {
        Count(context, headers.Length + payload.Length);
        if (headers.Length == 0)
        {
            return context.Fail("missing or invalid 'alg' header: cannot parse JSON: cannot parse empty string");
        }

        if (!RegoJson.TryRead(headers, out var value, out var problem) || value is not RegoObject header)
        {
            return context.Fail($"missing or invalid 'alg' header: cannot parse JSON: {problem}");
        }

        var name = JsonWebKey.Text(header, "alg");
        if (name.Length == 0)
        {
            return context.Fail("missing or invalid 'alg' header: jwsbb: header \"alg\" not found");
        }

        if (JwtAlgorithm.Find(name) is not { } algorithm)
        {
            return context.Fail($"unknown JWS algorithm: {name}");
        }

        var type = JsonWebKey.Text(header, "typ");
        if ((type is "" or "JWT") && !RegoJson.TryRead(payload, out _, out _))
        {
            return context.Fail("type is JWT but payload is not JSON");
        }

        var signed = Base64Text.EncodeUrl(new RegoString(headers).ToUtf8(), false) + "." + Base64Text.EncodeUrl(new RegoString(payload).ToUtf8(), false);
        if ((algorithm.Family is JwtFamily.Ps or JwtFamily.Es) && context.Environment.Random is null)
        {
            return context.Fail($"no source of randomness was given to this evaluation, which {name} needs");
        }

        return Signature(key, algorithm, Encoding.ASCII.GetBytes(signed)) is { } signature
            ? Operands.Text(context, signed + "." + Base64Text.EncodeUrl(signature, false))
            : context.Fail($"the key cannot sign with {name}");
    }

    private static byte[]? Signature(RegoObject key, JwtAlgorithm algorithm, byte[] signed)
    {
        try
        {
            switch (algorithm.Family, JsonWebKey.Text(key, "kty"))
            {
                case (JwtFamily.Hs, "oct") when JsonWebKey.Bytes(key, "k") is { } secret:
                    return CryptographicOperations.HmacData(algorithm.Hash, secret, signed);
                case (JwtFamily.Rs or JwtFamily.Ps, "RSA") when JsonWebKey.ReadPrivateRsa(key) is { } parameters:
                    using (var rsa = RSA.Create(parameters))
                    {
                        return rsa.SignData(signed, algorithm.Hash, algorithm.Family is JwtFamily.Rs ? RSASignaturePadding.Pkcs1 : RSASignaturePadding.Pss);
                    }

                case (JwtFamily.Es, "EC") when JsonWebKey.ReadEc(key) is { D: not null } parameters:
                    using (var ec = ECDsa.Create(parameters))
                    {
                        return ec.SignData(signed, algorithm.Hash, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
                    }

                default:
                    return null;
            }
        }
        catch (CryptographicException)
        {
            // A key that the framework will not work with signs nothing.
            return null;
        }
    }
}

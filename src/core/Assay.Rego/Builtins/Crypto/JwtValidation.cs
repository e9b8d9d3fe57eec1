using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Crypto;

/// <summary>io.jwt.decode_verify: signature, then the registered claims against what the policy asks for.</summary>
internal static class JwtValidation
{
    private const int MaxNesting = 16;
    private const double NanosecondsPerSecond = 1e9;

    private static readonly RegoArray s_refused = RegoArray.Of(RegoBoolean.False, RegoObject.Empty, RegoObject.Empty);

    public static RegoValue? DecodeVerify(BuiltinContext context, ReadOnlySpan<RegoValue> arguments)
    {
        if (!context.TryString(arguments, 0, out var operand) || !context.TryObject(arguments, 1, out var given))
        {
            return null;
        }

        if (!Constraints.TryRead(context, given, out var constraints))
        {
            return null;
        }

        var text = operand.Value;
        for (var level = 0; level < MaxNesting; level++)
        {
            JwtBuiltins.Count(context, text.Length);
            if (!Jwt.TryParse(text, out var token, out var fault))
            {
                return context.Fail(fault);
            }

            // A critical extension is one that we would have to understand (RFC 7515, section 4.1.11); none is understood.
            if (token.Algorithm.Length == 0 || token.Header.TryGetValue("crit", out _) || (constraints.Algorithm is { } wanted && wanted != token.Algorithm))
            {
                return s_refused;
            }

            if (JwtAlgorithm.Find(token.Algorithm) is not { } algorithm)
            {
                return context.Fail($"unknown JWS algorithm: {token.Algorithm}");
            }

            if (!token.TrySignature(out var signature, out fault) || !token.TryPayload(out var payload, out fault))
            {
                return context.Fail(fault);
            }

            if (!constraints.Verify(token, algorithm, signature))
            {
                return s_refused;
            }

            if (token.IsNested)
            {
                text = Encoding.UTF8.GetString(payload);
                continue;
            }

            return token.TryClaims(out var claims, out fault) ? Judge(context, constraints, token.Header, claims) : context.Fail(fault);
        }

        return context.Fail($"a token that holds more than {MaxNesting} others");
    }

    private static RegoValue? Judge(BuiltinContext context, Constraints constraints, RegoObject header, RegoObject claims)
    {
        if (constraints.Issuer is { } issuer && !(claims.TryGetValue("iss", out var iss) && iss is RegoString name && name.Value == issuer))
        {
            return s_refused;
        }

        if (claims.TryGetValue("aud", out var aud) ? !IsFor(aud, constraints.Audience) : constraints.Audience is not null)
        {
            return s_refused;
        }

        var (expires, begins) = (claims.Lookup(new RegoString("exp")), claims.Lookup(new RegoString("nbf")));
        if (expires is null && begins is null)
        {
            return RegoArray.Of(RegoBoolean.True, header, claims);
        }

        if (expires is not (null or RegoNumber) || begins is not (null or RegoNumber))
        {
            return context.Fail($"{(expires is not (null or RegoNumber) ? "exp" : "nbf")} value must be a number");
        }

        if ((constraints.Time ?? context.NowNanoseconds()) is not { } time)
        {
            return null;
        }

        // Seconds as OPA holds them: the nearest double, by its shortest text.
        var now = RegoNumber.Of(time / NanosecondsPerSecond);
        var valid = (expires is null || now.CompareTo(expires) < 0) && (begins is null || now.CompareTo(begins) >= 0);
        return valid ? RegoArray.Of(RegoBoolean.True, header, claims) : s_refused;
    }

    private static bool IsFor(RegoValue claim, string? audience) => audience is not null && claim switch
    {
        RegoString one => one.Value == audience,
        RegoArray several => several.Any(item => item is RegoString one && one.Value == audience),
        _ => false,
    };

    private sealed record Constraints(List<VerificationKey>? Keys, byte[]? Secret, string? Algorithm, string? Issuer, string? Audience, double? Time)
    {
        public static bool TryRead(BuiltinContext context, RegoObject given, out Constraints constraints)
        {
            constraints = new Constraints(null, null, null, null, null, null);
            foreach (var (key, value) in given)
            {
                if (!TryAdd(context, (key as RegoString)?.Value ?? key.ToString(), value, ref constraints))
                {
                    return false;
                }
            }

            if (constraints.Keys is null == constraints.Secret is null)
            {
                context.Fail(constraints.Keys is null ? "no key constraint" : "duplicate key constraints");
                return false;
            }

            return true;
        }

        /// <summary>The kind of key decides: a secret never checks an RSA algorithm, nor a public key an HMAC.</summary>
        public bool Verify(Jwt token, JwtAlgorithm algorithm, byte[] signature) => algorithm.Family is JwtFamily.Hs
            ? Secret is not null && token.IsSignedBy(Secret, algorithm, signature)
            : Keys is not null && token.IsSignedBy(Keys, algorithm, signature);

        private static bool TryAdd(BuiltinContext context, string name, RegoValue value, ref Constraints constraints)
        {
            if (name == "time")
            {
                if (value is not RegoNumber time)
                {
                    context.Fail("token time constraint: must be a number");
                    return false;
                }

                constraints = constraints with { Time = time.ToDouble() };
                return true;
            }

            if (name is not ("cert" or "secret" or "alg" or "iss" or "aud"))
            {
                context.Fail($"unknown token validation constraint: {name}");
                return false;
            }

            if (value is not RegoString text)
            {
                context.Fail($"{name} constraint: must be a string");
                return false;
            }

            List<VerificationKey>? keys = null;
            if (name == "cert")
            {
                JwtBuiltins.Count(context, text.Value.Length);
                if (!VerificationKey.TryReadAll(text.Value, out keys, out var fault))
                {
                    context.Fail(fault);
                    return false;
                }
            }

            constraints = name switch
            {
                "cert" => constraints with { Keys = keys },
                "secret" => constraints with { Secret = text.ToUtf8() },
                "alg" => constraints with { Algorithm = text.Value },
                "iss" => constraints with { Issuer = text.Value },
                _ => constraints with { Audience = text.Value },
            };
            return true;
        }
    }
}

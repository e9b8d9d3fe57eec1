using Assay.Service.Http;
using Assay.Service.Keys;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Attestation.Oidc;

/// <summary>
/// OpenID Connect Discovery 1.0 §3, with every member that AWS, Google Cloud, Entra and Vault need, and the key set. Anyone may read both. There is no
/// login here: the endpoint of authorization is one that some validators insist on.
/// </summary>
internal static class DiscoveryEndpoints
{
    public const string ConfigurationPath = "/.well-known/openid-configuration";
    public const string KeysPath = "/.well-known/jwks.json";

    private static readonly string[] s_responses = ["id_token"];
    private static readonly string[] s_subjects = ["public"];
    private static readonly string[] s_scopes = ["openid"];
    private static readonly string[] s_claims =
        ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "eat_nonce", "eat_profile", "cnf", "submods", "x-assay-verdict", "x-assay-gpu-binding", "x-assay-policy", "x-nvidia-overall-att-result"];

    public static void MapDiscovery(this IEndpointRouteBuilder routes)
    {
        // NVIDIA's clients ask for the keys at the host's root, OIDC's below the issuer's path.
        routes.MapGet(ConfigurationPath, Configuration).AllowAnonymous().WithMetadata(new AlwaysAnswered()).WithTags("Discovery").WithSummary("The issuer's description.");
        routes.MapGet(KeysPath, Keys).AllowAnonymous().WithMetadata(new AlwaysAnswered()).WithTags("Discovery").WithSummary("The keys that verify tokens.");
    }

    private static JsonHttpResult<Dictionary<string, object>> Configuration(HttpContext context, AttestationTerms terms, SigningKeyTerms keys)
    {
        Cache(context, keys);
        var issuer = terms.Issuer.ToString();
        return TypedResults.Json(new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["issuer"] = issuer,
            ["jwks_uri"] = issuer.TrimEnd('/') + KeysPath,
            ["authorization_endpoint"] = "urn:assay:no-authorization-endpoint",
            ["response_types_supported"] = s_responses,
            ["subject_types_supported"] = s_subjects,
            ["id_token_signing_alg_values_supported"] = SigningKeys.Algorithms,
            ["scopes_supported"] = s_scopes,
            ["claims_supported"] = s_claims,
        });
    }

    private static FileContentHttpResult Keys(HttpContext context, SigningKeys keys, SigningKeyTerms terms)
    {
        Cache(context, terms);
        return TypedResults.Bytes(keys.PublishedJson(), "application/json");
    }

    // A copy must be gone before a key that it lacks signs.
    private static void Cache(HttpContext context, SigningKeyTerms keys) =>
        context.Response.Headers.CacheControl = $"public, max-age={(long)Math.Min(900, keys.Lead.TotalSeconds / 2)}";
}

using System.Buffers.Text;
using System.Collections.Immutable;
using System.Text;
using System.Text.Json;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Trust.Jose;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Attestation.Appraisals;

/// <summary>Whether a token still holds (RFC 7662).</summary>
/// <param name="Active">Whether this service wrote it, it lives, and it was not revoked.</param>
/// <param name="Jti">Its id; null where it is not active.</param>
/// <param name="Exp">When it ends; null where it is not active.</param>
/// <param name="Revoked">Why it was revoked; null: it was not.</param>
public sealed record IntrospectionAnswer(bool Active, string? Jti, long? Exp, string? Revoked);

/// <summary>A revoked token that would still live.</summary>
public sealed record RevokedToken(string Jti, long RevokedAt, long Exp, string Why);

/// <summary>The list of revoked tokens, and the question about one.</summary>
internal static class TokenEndpoints
{
    public static void MapTokens(this IEndpointRouteBuilder routes)
    {
        // The list tells ids that are random and mean nothing to others: relying parties read it without a key, and a copy of it serves many.
        routes.MapGet("/v1/revoked-tokens", ListAsync).AllowAnonymous().WithTags("Tokens").WithSummary("Tokens that were revoked before their end.");
        routes.MapPost("/v1/introspect", IntrospectAsync).RequireScope(Scopes.Read).DisableAntiforgery().WithTags("Tokens").WithSummary("Whether a token still holds (RFC 7662): form field token.")
            .Accepts<IFormCollection>("application/x-www-form-urlencoded");
    }

    private static async Task<Ok<ImmutableArray<RevokedToken>>> ListAsync(HttpContext context, AppraisalStore appraisals, CancellationToken cancellation)
    {
        context.Response.Headers.CacheControl = "public, max-age=10";
        return TypedResults.Ok(ImmutableArray.CreateRange((await appraisals.RevokedAsync(cancellation).ConfigureAwait(false)).Select(row => new RevokedToken(row.TokenId!, row.RevokedAt!.Value / 1000, row.TokenEnds!.Value / 1000, row.RevokedWhy ?? ""))));
    }

    private static async Task<Results<Ok<IntrospectionAnswer>, ProblemHttpResult>> IntrospectAsync(HttpContext context, AppraisalStore appraisals, SigningKeys keys, TimeProvider clock, CancellationToken cancellation)
    {
        if (!context.Request.HasFormContentType)
        {
            return Problems.Of(Problems.MediaType, "application/x-www-form-urlencoded is expected (RFC 7662 §2.1)");
        }

        var form = await context.Request.ReadFormAsync(cancellation).ConfigureAwait(false);
        if (form["token"] is not [{ Length: > 0 } token])
        {
            return Problems.Of(Problems.BadRequest, "token: one is expected");
        }

        // Whatever does not verify under a published key is not active, and the answer says no more than that.
        if (!SignedToken.TryReadId(token, keys.Published(), out var id) || await appraisals.FindTokenAsync(id, cancellation).ConfigureAwait(false) is not { } row)
        {
            return TypedResults.Ok(new IntrospectionAnswer(false, null, null, null));
        }

        var lives = row.TokenEnds > clock.GetUtcNow().ToUnixTimeMilliseconds() && row.RevokedAt is null;
        return TypedResults.Ok(lives ? new IntrospectionAnswer(true, row.TokenId, row.TokenEnds / 1000, null) : new IntrospectionAnswer(false, null, null, row.RevokedWhy));
    }
}

/// <summary>The id of a token that a key of ours signed.</summary>
internal static class SignedToken
{
    /// <summary>Verifies the signature of a JWS, or of a bundle's overall one, and reads its <c>jti</c>.</summary>
    public static bool TryReadId(string token, JsonWebKeySet keys, out string id)
    {
        id = "";
        try
        {
            var jws = token.StartsWith('[') ? JsonElement.Parse(Encoding.UTF8.GetBytes(token))[0][1].GetString() ?? "" : token;
            if (!CompactJws.TryParse(jws, out var read, out _) || !read.IsSignedBy(keys))
            {
                return false;
            }

            id = read.Payload.GetProperty("jti").GetString() ?? "";
            return id.Length > 0;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or KeyNotFoundException or IndexOutOfRangeException)
        {
            return false;
        }
    }
}

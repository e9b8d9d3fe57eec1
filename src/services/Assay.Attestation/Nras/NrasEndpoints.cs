using System.Security.Claims;
using System.Text.Json;
using Assay.Attestation.Appraisals;
using Assay.Evidence.Files;
using Assay.Service.Audit;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Tokens;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Attestation.Nras;

/// <summary>
/// NVIDIA's Remote Attestation Service as its clients know it: <c>POST /v3|v4/attest/gpu|switch</c> with
/// <c>{"nonce","arch","claims_version","evidence_list":[{"evidence","certificate"}]}</c>, answered by a detached EAT bundle. The caller chose the nonce, so
/// tokens say that (<c>x-assay-freshness: caller</c>), name no key and have an audience of their own (S-20). A header that asks to overlook a held certificate
/// is not followed: the caller chooses nothing (S-19).
/// </summary>
internal static class NrasEndpoints
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromHours(1);

    public static void MapNras(this IEndpointRouteBuilder routes, AttestationTerms terms)
    {
        foreach (var version in (string[])["v3", "v4"])
        {
            foreach (var (kind, archs) in ((string, string[])[])[("gpu", ["HOPPER", "BLACKWELL"]), ("switch", ["LS10"])])
            {
                // Kestrel matches without case, NVIDIA's clients write these.
                var endpoint = routes.MapPost($"/{version}/attest/{kind}", (HttpContext context, ClaimsPrincipal user, AttestationService service, SigningKeys keys, TenantStore tenants, Service.Storage.GroupCommit commits, AttestationMeters meters) =>
                    AttestAsync(context, user, new Shape(version, kind, archs), terms, service, keys, tenants, commits, meters))
                    .WithMetadata(new BodyLimit(Limits.EvidenceFileBytes)).WithTags("NVIDIA").WithSummary($"NVIDIA's remote attestation of {kind} evidence, {version}.").Accepts<JsonElement>("application/json").Produces<JsonElement>();
                if (terms.NrasAnonymousTenant is null)
                {
                    endpoint.RequireScope(Scopes.Attest);
                }
                else
                {
                    endpoint.AllowAnonymous();
                }
            }
        }

        routes.MapGet("/health", () => TypedResults.Ok()).AllowAnonymous().WithMetadata(new AlwaysAnswered()).ExcludeFromDescription();
    }

    private static async Task<Results<ContentHttpResult, ProblemHttpResult>> AttestAsync(
        HttpContext context, ClaimsPrincipal user, Shape shape, AttestationTerms terms, AttestationService service, SigningKeys keys, TenantStore tenants, Service.Storage.GroupCommit commits, AttestationMeters meters)
    {
        var caller = user.Identity is { IsAuthenticated: true } ? Caller.Of(user) : new Caller(terms.NrasAnonymousTenant!, "anonymous");
        var body = await ReadAsync(context).ConfigureAwait(false);
        if (shape.WhyNot(body, out var nonce, out var claims) is { } wrong)
        {
            return Problems.Of(Problems.BadRequest, wrong);
        }

        if (!EvidenceFile.TryParse(body.Span, "request", out var devices, out var fault))
        {
            return Problems.Of(AttestationProblems.EvidenceMalformed, fault!.ToString());
        }

        if (await AppraisalRoad.IsOverQuotaAsync(caller.Tenant, tenants, context.RequestAborted).ConfigureAwait(false))
        {
            return Problems.Of(Problems.QuotaUsedUp);
        }

        var (verdict, unbound) = await service.JudgeNrasAsync(devices, nonce!, context.RequestAborted).ConfigureAwait(false);
        if (verdict is null)
        {
            return Problems.Of(AttestationProblems.EvidenceMalformed, unbound);
        }

        var id = new AttestationService.TokenId();
        var token = new TokenTerms { Issuer = terms.Issuer, IssuedAt = service.Now().Instant, Audience = AttestationService.NrasAudience, Lifetime = s_lifetime, Claims = claims, IsCallersNonce = true };
        if (!NrasBundleWriter.TryWrite(verdict, nonce!, token, keys.Current("ES384"), id.Fill, out var bundle, out var unwritten))
        {
            return Problems.Of(AttestationProblems.TokenNotWritten, unwritten.ToString());
        }

        await commits.CommitAsync(
            new AuditEvent("nras", caller.Tenant, caller.Subject, verdict.NvidiaOverallResult ? AuditOutcome.Allowed : AuditOutcome.Denied)
                .With("path", $"{shape.Version}/{shape.Kind}").With("overall", verdict.NvidiaOverallResult ? "true" : "false").With("verdict", verdict.Word).With("token", id.Last)
                .With("devices", devices.Length).With("verifier", terms.Issuer.ToString()).With("request", context.TraceIdentifier),
            rows: null, context.RequestAborted).ConfigureAwait(false);
        meters.Count(verdict.Word, "nras");
        return TypedResults.Content(System.Text.Encoding.UTF8.GetString(bundle), "application/json");
    }

    private static async Task<ReadOnlyMemory<byte>> ReadAsync(HttpContext context)
    {
        if (context.Request.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) is not true)
        {
            throw new BadHttpRequestException("application/json is expected", StatusCodes.Status415UnsupportedMediaType);
        }

        return await RequestBody.ReadAsync(context).ConfigureAwait(false);
    }

    /// <summary>One of the four paths.</summary>
    private sealed record Shape(string Version, string Kind, string[] Archs)
    {
        private static readonly JsonDocumentOptions s_strict = new() { AllowDuplicateProperties = false, MaxDepth = 16 };

        /// <summary>What is asked, or why it is not NVIDIA's request.</summary>
        public string? WhyNot(ReadOnlyMemory<byte> body, out Nonce? nonce, out Appraisal.Devices.ClaimsVersion claims)
        {
            (nonce, claims) = (null, default);
            try
            {
                using var document = JsonDocument.Parse(body, s_strict);
                var root = document.RootElement;
                if (root.ValueKind is not JsonValueKind.Object || !root.TryGetProperty("evidence_list", out _))
                {
                    return "evidence_list: an object with nonce, arch and evidence_list is expected";
                }

                if (!Nonce.TryParse(Text(root, "nonce"), out nonce, out _))
                {
                    return "nonce: 64 hexadecimal digits are expected";
                }

                if (!Archs.Contains(Text(root, "arch"), StringComparer.OrdinalIgnoreCase))
                {
                    return $"arch: {string.Join(" or ", Archs)} is expected at /{Version}/attest/{Kind}";
                }

                // What each version of the service answers when it is not asked for another: its Python clients of v3 know 2.0 alone.
                var word = root.TryGetProperty("claims_version", out _) ? Text(root, "claims_version") : Version == "v3" ? "2.0" : "3.0";
                if (AttestationService.ClaimsOf(word) is not { } known)
                {
                    return "claims_version: \"2.0\", \"3.0\" or \"4.0\" is expected";
                }

                // Switches have no later version than 3.0.
                claims = Kind == "switch" && known is Appraisal.Devices.ClaimsVersion.V4 ? Appraisal.Devices.ClaimsVersion.V3 : known;
                return null;
            }
            catch (JsonException exception)
            {
                return $"malformed JSON in line {exception.LineNumber + 1}";
            }
        }

        private static string? Text(JsonElement root, string name) => root.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString() : null;
    }
}

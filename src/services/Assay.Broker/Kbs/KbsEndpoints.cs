using System.Globalization;
using System.Text.Json;
using Assay.Broker.Keys;
using Assay.Broker.Release;
using Assay.Evidence.Files;
using Assay.Service;
using Assay.Service.Http;
using Assay.Service.Identity;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Kbs;

/// <summary>
/// Trustee's KBS protocol 0.4.0, so that guests of Confidential Containers get keys unmodified: <c>auth</c> asks, <c>attest</c> is answered, <c>resource</c>
/// hands over. It has no logins and one tenant; every resource goes the road of every other release, under the policy of its key.
/// </summary>
internal static class KbsEndpoints
{
    private const string Protocol = "kbs";
    private const string Cookie = "kbs-session-id";
    private const string Bearer = "Bearer ";
    private const string Resources = "resource";

    public static void MapKbs(this IEndpointRouteBuilder routes)
    {
        var kbs = routes.MapGroup("/kbs/v0").WithTags("KBS").AllowAnonymous().WithMetadata(new KbsError.Form());
        kbs.MapPost("/auth", AuthAsync).WithMetadata(new BodyLimit(KbsMessages.MostRequestBytes)).WithSummary("A challenge, and a session for its answer (KBS 0.4.0).").Accepts<JsonElement>("application/json").Produces<JsonElement>();
        kbs.MapPost("/attest", AttestAsync).WithMetadata(new BodyLimit(KbsMessages.MostEvidenceBytes)).WithSummary("The answer: evidence over the session's nonce and a key (KBS 0.4.0).").Accepts<JsonElement>("application/json").Produces<JsonElement>();
        kbs.MapGet("/resource/{repository}/{type}/{tag}", ResourceAsync).WithSummary("A key, as a JWE to the session's (KBS 0.4.0).").Produces<JsonElement>();
        kbs.MapGet("/{plugin}/{**rest}", (string plugin) => plugin == Resources
            ? KbsError.Of(KbsError.Path, $"the path is invalid: {ResourcePath.Expected}")
            : KbsError.Of(KbsError.Plugin, "only resources are served")).ExcludeFromDescription();
    }

    private static async Task<ContentHttpResult> AuthAsync(HttpContext context, BrokerTerms terms, KbsSessions sessions)
    {
        var body = await RequestBody.ReadAsync(context).ConfigureAwait(false);
        if (KbsMessages.TeeOf(body, terms.Trust.Kind, out var fault) is not { } tee)
        {
            return KbsError.Of(KbsError.Attestation, fault!);
        }

        if (await sessions.BeginAsync(tee, AddressOf(context), terms.Kbs!, context.RequestAborted).ConfigureAwait(false) is not { } session)
        {
            return KbsError.Of(KbsError.Attestation, "there are as many sessions as may be: come again in a few minutes");
        }

        SetCookie(context, session);
        // The empty text is what the protocol has where nothing is chosen.
        return Json($$"""{"nonce":"{{session.Challenge.Nonce}}","extra-params":""}""");
    }

    private static async Task<ContentHttpResult> AttestAsync(HttpContext context, BrokerTerms terms, KbsSessions sessions, KbsAttestation attestation)
    {
        // A body is read of those who began a session, and of no others.
        if (await sessions.FindAsync(context.Request.Cookies[Cookie], context.RequestAborted).ConfigureAwait(false) is not { } session)
        {
            return KbsError.Of(KbsError.Attestation, "the session is not known, or ended: begin with auth");
        }

        var token = session.Token;
        if (token is null)
        {
            var body = await RequestBody.ReadAsync(context).ConfigureAwait(false);
            // Before anything is parsed: an attempt uses the challenge up, whatever comes of it.
            if (!await sessions.TryAsync(session.Id, context.RequestAborted).ConfigureAwait(false))
            {
                return KbsError.Of(KbsError.Attestation, "the session's challenge was answered before: begin with auth");
            }

            if (!KbsMessages.TryReadEvidence(body, session.Challenge, terms.Trust.Kind, out var evidence, out var fault))
            {
                return KbsError.Of(KbsError.Attestation, fault);
            }

            (token, fault) = await attestation.AttestAsync(session, evidence, context.RequestAborted).ConfigureAwait(false);
            if (token is null)
            {
                return KbsError.Of(KbsError.Attestation, fault!);
            }

            await sessions.KeepAsync(session.Id, token, body, context.RequestAborted).ConfigureAwait(false);
        }

        SetCookie(context, session);
        return Json($$"""{"token":"{{token}}"}""");
    }

    private static async Task<ContentHttpResult> ResourceAsync(string repository, string type, string tag, HttpContext context, BrokerTerms terms, KbsSessions sessions, KbsAttestation attestation, KeyStore keys, ReleaseRoad road)
    {
        var path = $"{repository}/{type}/{tag}";
        if (!ResourcePath.IsValid(path))
        {
            return KbsError.Of(KbsError.Path, $"the path is invalid: {ResourcePath.Expected}");
        }

        // Here the token first, as Trustee's broker has it: who shows one means it.
        var shown = context.Request.Headers.Authorization.ToString();
        var id = shown.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? attestation.SessionOf(shown[Bearer.Length..].Trim()) : context.Request.Cookies[Cookie];
        if (await sessions.FindAsync(id, context.RequestAborted).ConfigureAwait(false) is not { Evidence: { } kept } session)
        {
            return shown.Length > 0 ? KbsError.Of(KbsError.Token, "the token is not of this broker's sessions, or ended") : KbsError.Of(KbsError.NoToken, "no session with evidence: attest first");
        }

        if (!KbsMessages.TryReadEvidence(kept, session.Challenge, terms.Trust.Kind, out var evidence, out var fault))
        {
            throw new ServiceException("service.broker.session", $"the evidence of a KBS session no longer reads: {fault}");
        }

        var ask = new ReleaseAsk
        {
            // What no key has as its resource is denied like a key that is not released: who may not have it does not learn which there are.
            Key = await keys.FindResourceAsync(terms.Kbs!.Tenant, path, context.RequestAborted).ConfigureAwait(false) ?? "",
            Evidence = evidence,
            EvidenceDigest = ReleaseAsk.DigestOf(kept),
            Challenge = session.Challenge.Nonce,
            Form = new KbsForm(),
            Protocol = Protocol,
            Resource = path,
            Address = AddressOf(context),
        };
        var (outcome, unjudged) = await road.ReleaseAsync(ask, new Caller(terms.Kbs.Tenant, Protocol), context.TraceIdentifier, context.RequestAborted).ConfigureAwait(false);
        return outcome is null ? KbsError.Of(KbsError.Attestation, unjudged!)
            : outcome.IsOutage ? KbsError.Of(KbsError.Outage, "the key encryption key does not answer: nothing was decided, come again")
            : outcome.Sealed is { Jwe: { } jwe } ? Json(jwe)
            : KbsError.Of(KbsError.Denied, "the resource is not released to this machine now; the broker's log says why");
    }

    private static void SetCookie(HttpContext context, KbsSession session) =>
        context.Response.Headers.SetCookie = $"{Cookie}={session.Id}; Expires={session.ExpiresAt.UtcDateTime.ToString("R", CultureInfo.InvariantCulture)}";

    private static string AddressOf(HttpContext context) => RequestLimits.AddressOf(context.Connection.RemoteIpAddress);

    private static ContentHttpResult Json(string text) => TypedResults.Content(text, "application/json");
}

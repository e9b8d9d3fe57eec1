using System.Collections.Immutable;
using System.Security.Claims;
using Assay.Service.Audit;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Dapper;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Service.Administration;

/// <summary>A tenant to make or to change.</summary>
/// <param name="Id">1 to 40 of a–z, 0–9 and hyphen.</param>
/// <param name="DailyAppraisals">Its quota; null: none.</param>
/// <param name="Disabled">Whether its keys and logins are refused.</param>
public sealed record TenantRequest(string Id, long? DailyAppraisals = null, bool Disabled = false);

/// <summary>An API key to make.</summary>
/// <param name="Name">What for, in words.</param>
/// <param name="Scopes">What it may do.</param>
/// <param name="Days">How long it lives; null: until it is revoked.</param>
/// <param name="Tenant">Of the operator alone: whose it is to be; null: the caller's.</param>
public sealed record ApiKeyRequest(string Name, ImmutableArray<string> Scopes, int? Days = null, string? Tenant = null);

/// <summary>A key that was made. Its text is shown this once.</summary>
public sealed record ApiKeyAnswer(string Key, ApiKey Description);

/// <summary>A signing key to make.</summary>
/// <param name="Algorithm">One of <see cref="SigningKeys.Algorithms"/>.</param>
public sealed record RotationRequest(string Algorithm);

/// <summary>The signing key that was made.</summary>
public sealed record RotationAnswer(string Key);

/// <summary>An audit entry.</summary>
public sealed record AuditAnswer(string Writer, long Position, DateTimeOffset At, string Tenant, string Kind, System.Text.Json.JsonElement Event);

/// <summary>What a walk over the audit log found.</summary>
/// <param name="Intact">Whether nothing was changed, or removed but for the last entries of a writer.</param>
/// <param name="Faults">What was, in words.</param>
public sealed record AuditVerification(bool Intact, IReadOnlyList<string> Faults);

/// <summary>Tenants, keys and the audit log.</summary>
public static class AdministrationEndpoints
{
    private const int MostListed = 1000;

    /// <summary>Maps them.</summary>
    public static void MapAdministration(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        var tenants = routes.MapGroup("/v1/tenants").WithTags("Administration");
        tenants.MapGet("", ListTenantsAsync).RequireScope(Scopes.Operator).WithSummary("All tenants.");
        tenants.MapPut("", PutTenantAsync).RequireScope(Scopes.Operator).WithSummary("Makes a tenant, or changes it.");
        var keys = routes.MapGroup("/v1/api-keys").WithTags("Administration");
        keys.MapGet("", ListKeysAsync).RequireScope(Scopes.Keys).WithSummary("The API keys of the tenant, without their secrets.");
        keys.MapPost("", CreateKeyAsync).RequireAuthorization(policy => policy.RequireAssertion(context => Caller.MayMakeKeys(context.User))).WithMetadata(new RequiredScope(Scopes.Keys)).WithSummary("Makes an API key. Its text is in this answer and nowhere else.");
        keys.MapDelete("/{id}", RevokeKeyAsync).RequireScope(Scopes.Keys).WithSummary("Revokes an API key: it holds everywhere after five seconds.");
        var signing = routes.MapGroup("/v1/signing-keys").WithTags("Administration");
        signing.MapPost("/rotate", RotateAsync).RequireScope(Scopes.Operator).WithSummary("Makes the next signing key of an algorithm: published now, signing later.");
        signing.MapPost("/{id}/withdraw", WithdrawAsync).RequireScope(Scopes.Operator).WithSummary("Withdraws a signing key that may be in other hands. Nothing that it signed verifies any more.");
        routes.MapGet("/v1/audit", ListAuditAsync).RequireScope(Scopes.Audit).WithTags("Administration").WithSummary("The audit entries of the tenant, newest first.");
        routes.MapGet("/v1/audit/ocsf", ListOcsfAsync).RequireScope(Scopes.Audit).WithTags("Administration").WithSummary("The same as OCSF events, a line of JSON each, oldest first from a time on: what a SIEM reads.").Produces<string>(contentType: "application/x-ndjson");
        routes.MapGet("/v1/audit/verify", VerifyAuditAsync).RequireScope(Scopes.Operator).WithTags("Administration").WithSummary("Whether any audit entry was changed, or removed other than from the end of its writer's.");
    }

    private static async Task<Ok<ImmutableArray<Tenant>>> ListTenantsAsync(TenantStore tenants, CancellationToken cancellation) => TypedResults.Ok(await tenants.ListAsync(cancellation).ConfigureAwait(false));

    private static async Task<Results<NoContent, ProblemHttpResult>> PutTenantAsync(TenantRequest request, ClaimsPrincipal user, TenantStore tenants, CancellationToken cancellation)
    {
        if (!TenantStore.IsId(request.Id) || request.DailyAppraisals < 0)
        {
            return Problems.Of(Problems.BadRequest, "id: 1 to 40 of a-z, 0-9 and hyphen are expected; dailyAppraisals: not below 0");
        }

        var actor = Caller.Of(user).Subject;
        if (!await tenants.CreateAsync(request.Id, request.DailyAppraisals, actor, cancellation).ConfigureAwait(false) || request.Disabled)
        {
            await tenants.ChangeAsync(new Tenant(request.Id, request.DailyAppraisals, request.Disabled), actor, cancellation).ConfigureAwait(false);
        }

        return TypedResults.NoContent();
    }

    private static async Task<Ok<ImmutableArray<ApiKey>>> ListKeysAsync(ClaimsPrincipal user, ApiKeyStore keys, CancellationToken cancellation) =>
        TypedResults.Ok(await keys.ListAsync(Caller.Of(user).Tenant, cancellation).ConfigureAwait(false));

    private static async Task<Results<Created<ApiKeyAnswer>, ProblemHttpResult>> CreateKeyAsync(ApiKeyRequest request, ClaimsPrincipal user, ApiKeyStore keys, TenantStore tenants, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        var isOperator = user.HasClaim(Caller.ScopeClaim, Scopes.Operator);
        var tenant = request.Tenant ?? caller.Tenant;
        var unknown = request.Scopes.IsDefaultOrEmpty ? "none" : request.Scopes.FirstOrDefault(scope => !Scopes.All.Contains(scope));
        if (unknown is not null || request.Name.Length is 0 or > 100 || request.Days is <= 0 or > 3650)
        {
            return Problems.Of(Problems.BadRequest, $"name: 1 to 100 characters; scopes: at least one of {string.Join(", ", Scopes.All)}; days: 1 to 3650");
        }

        // Nobody makes a key that may do more than he may, or for another tenant; the operator alone makes first keys for tenants.
        var own = tenant == caller.Tenant && request.Scopes.All(scope => user.HasClaim(Caller.ScopeClaim, scope));
        if (!own && !(isOperator && (tenant == caller.Tenant || !request.Scopes.Contains(Scopes.Operator))))
        {
            return Problems.Of(Problems.Forbidden, "a key may not do more than its maker, and is of the maker's tenant");
        }

        if (await tenants.FindAsync(tenant, cancellation).ConfigureAwait(false) is null)
        {
            return Problems.Of(Problems.NotFound, "there is no such tenant");
        }

        var (text, description) = await keys.CreateAsync(tenant, request.Name, request.Scopes, request.Days is { } days ? TimeSpan.FromDays(days) : null, caller.Subject, cancellation).ConfigureAwait(false);
        return TypedResults.Created((string?)null, new ApiKeyAnswer(text, description));
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> RevokeKeyAsync(string id, ClaimsPrincipal user, ApiKeyStore keys, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        return await keys.RevokeAsync(id, caller.Tenant, caller.Subject, cancellation).ConfigureAwait(false) ? TypedResults.NoContent() : Problems.Of(Problems.NotFound);
    }

    private static async Task<Results<Ok<RotationAnswer>, ProblemHttpResult>> RotateAsync(RotationRequest request, ClaimsPrincipal user, SigningKeys keys, CancellationToken cancellation) =>
        SigningKeys.Algorithms.Contains(request.Algorithm)
            ? TypedResults.Ok(new RotationAnswer(await keys.RotateAsync(request.Algorithm, Caller.Of(user).Subject, cancellation).ConfigureAwait(false)))
            : Problems.Of(Problems.BadRequest, $"algorithm: one of {string.Join(", ", SigningKeys.Algorithms)} is expected");

    private static async Task<Results<NoContent, ProblemHttpResult>> WithdrawAsync(string id, ClaimsPrincipal user, SigningKeys keys, CancellationToken cancellation) =>
        await keys.WithdrawAsync(id, Caller.Of(user).Subject, cancellation).ConfigureAwait(false) ? TypedResults.NoContent() : Problems.Of(Problems.NotFound);

    private static async Task<Ok<ImmutableArray<AuditAnswer>>> ListAuditAsync(ClaimsPrincipal user, ServiceDatabase database, CancellationToken cancellation, int most = 100, long? before = null)
    {
        var tenant = Caller.Of(user).Tenant;
        var rows = await database.ReadAsync(
            connection => connection.QueryAsync<AuditRow>(new CommandDefinition(
                "SELECT writer, position, at, tenant, kind, event FROM audit WHERE tenant = @tenant AND at < @before ORDER BY at DESC, position DESC LIMIT @most",
                new { tenant, before = before ?? long.MaxValue, most = Math.Clamp(most, 1, MostListed) }, cancellationToken: cancellation)),
            cancellation).ConfigureAwait(false);
        return TypedResults.Ok(ImmutableArray.CreateRange(rows.Select(row => new AuditAnswer(row.Writer, row.Position, DateTimeOffset.FromUnixTimeMilliseconds(row.At), row.Tenant, row.Kind, System.Text.Json.JsonElement.Parse(row.Event)))));
    }

    private static async Task<ContentHttpResult> ListOcsfAsync(ClaimsPrincipal user, ServiceDatabase database, CancellationToken cancellation, long since = 0, int most = MostListed)
    {
        var tenant = Caller.Of(user).Tenant;
        var rows = await database.ReadAsync(
            connection => connection.QueryAsync<AuditRow>(new CommandDefinition(
                "SELECT writer, position, at, tenant, kind, event FROM audit WHERE tenant = @tenant AND at >= @since ORDER BY at, writer, position LIMIT @most",
                new { tenant, since, most = Math.Clamp(most, 1, MostListed) }, cancellationToken: cancellation)),
            cancellation).ConfigureAwait(false);
        return TypedResults.Content(string.Concat(rows.Select(row => OcsfEvent.Of(row).ToJsonString() + "\n")), "application/x-ndjson");
    }

    private static async Task<Ok<AuditVerification>> VerifyAuditAsync(ServiceDatabase database, KeyEncryptionKey kek, CancellationToken cancellation)
    {
        var faults = await AuditLog.VerifyAsync(database, kek, cancellation).ConfigureAwait(false);
        return TypedResults.Ok(new AuditVerification(faults.Count == 0, faults));
    }
}

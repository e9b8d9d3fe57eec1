using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Broker.Approvals;
using Assay.Broker.Release;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Keys;

/// <summary>A key to make.</summary>
/// <param name="Id">1 to 64 of a–z, 0–9, hyphen and dot.</param>
/// <param name="Bytes">How many random bytes, 16 to 4096; null with a secret.</param>
/// <param name="Secret">Bytes of the caller, at most 4096; null: generated here, and never visible outside an attested machine.</param>
/// <param name="Derived">Whether each image of the policy gets a key of its own, of 32 bytes, derived from this secret, which itself is never released.</param>
/// <param name="Use"><c>data-keys</c>: it encrypts data keys, and is itself never released, for good. Null: it is released.</param>
/// <param name="Approval"><c>two-person</c>: every change but disabling waits for a second person, for good. Null: one person is enough.</param>
/// <param name="Resource">Where guests of Confidential Containers find it, REPOSITORY/TYPE/TAG, for good; null: nowhere.</param>
public sealed record KeyRequest(string Id, int? Bytes = null, byte[]? Secret = null, bool Derived = false, string? Use = null, string? Approval = null, string? Resource = null);

/// <summary>A further version.</summary>
/// <param name="Revision">The revision that the caller has read.</param>
/// <param name="Bytes">As in <see cref="KeyRequest"/>.</param>
/// <param name="Secret">As in <see cref="KeyRequest"/>.</param>
public sealed record RotateRequest(long Revision, int? Bytes = null, byte[]? Secret = null);

/// <summary>A state to come to.</summary>
/// <param name="Revision">The revision that the caller has read.</param>
/// <param name="State"><c>enabled</c>, <c>disabled</c> or <c>destroyed</c>.</param>
public sealed record StateRequest(long Revision, string State);

/// <summary>A release policy.</summary>
/// <param name="Revision">The revision that the caller has read.</param>
/// <param name="Policy">The document (docs/reference/broker.md).</param>
public sealed record PolicyRequest(long Revision, JsonElement Policy);

/// <summary>Keys and their policies. No answer has a secret.</summary>
internal static class KeyEndpoints
{
    private const int MostBytes = 4096;
    private const int LeastBytes = 16;

    public static void MapKeys(this IEndpointRouteBuilder routes)
    {
        var keys = routes.MapGroup("/v1/keys").WithTags("Keys");
        keys.MapPost("", CreateAsync).RequireScope(Scopes.Broker).WithSummary("Makes or imports a key. It is not released until it has a policy.");
        keys.MapGet("", ListAsync).RequireScope(Scopes.Read).WithSummary("The keys of the tenant, without their secrets.");
        keys.MapGet("/{id}", FindAsync).RequireScope(Scopes.Read).WithSummary("One key, without its secret.");
        keys.MapPost("/{id}/rotate", RotateAsync).RequireScope(Scopes.Broker).WithSummary("Makes or imports a further version, which is released from now on.");
        keys.MapPost("/{id}/state", SetStateAsync).RequireScope(Scopes.Broker).WithSummary("Enables or disables a key, or destroys it after a wait.");
        keys.MapGet("/{id}/policy", PolicyAsync).RequireScope(Scopes.Read).WithSummary("The release policy in force, as it was set.");
        keys.MapPost("/{id}/policy", SetPolicyAsync).RequireScope(Scopes.Broker).WithMetadata(new BodyLimit(1024 * 1024)).WithSummary("Sets the release policy.");
    }

    private static async Task<Results<Created<KeyDescription>, ProblemHttpResult>> CreateAsync(KeyRequest request, ClaimsPrincipal user, KeyStore keys, PersonLogins persons, CancellationToken cancellation)
    {
        if (!ResourceName.IsValid(request.Id))
        {
            return Problems.Of(Problems.BadRequest, $"id: {ResourceName.Expected}");
        }

        if (!TryBytes(request.Bytes, request.Secret, out var secret))
        {
            return Problems.Of(Problems.BadRequest, $"exactly one of bytes ({LeastBytes} to {MostBytes}) and secret (1 to {MostBytes} bytes in base64) is expected");
        }

        if (request.Use is not (null or KeyStore.DataKeys) || (request.Use is not null && (request.Derived || request.Resource is not null)))
        {
            return Problems.Of(Problems.BadRequest, $"use: {KeyStore.DataKeys}, or nothing, is expected, and nothing with derived or resource, because such a key is never released");
        }

        if ((request.Derived || request.Use is not null) && secret.Length < DerivedKey.LeastSecret)
        {
            return Refused(new KeyChange(KeyChange.SecretTooShort));
        }

        if (request.Approval is not (null or KeyStore.TwoPerson))
        {
            return Problems.Of(Problems.BadRequest, $"approval: {KeyStore.TwoPerson}, or nothing, is expected");
        }

        if (request.Resource is { } resource && !ResourcePath.IsValid(resource))
        {
            return Problems.Of(Problems.BadRequest, $"resource: {ResourcePath.Expected}");
        }

        var caller = Caller.Of(user);
        try
        {
            return await keys.CreateAsync(caller.Tenant, request.Id, secret, new NewKey(request.Derived, request.Use, request.Approval, request.Resource) { IsImported = request.Secret is not null }, caller.Subject, cancellation).ConfigureAwait(false)
                ? TypedResults.Created((string?)null, (await keys.FindAsync(caller.Tenant, request.Id, cancellation).ConfigureAwait(false))! with { Persons = request.Approval is null ? null : persons.Of(caller.Tenant) })
                : Problems.Of(BrokerProblems.KeyExists);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    private static async Task<Ok<ImmutableArray<KeyDescription>>> ListAsync(ClaimsPrincipal user, KeyStore keys, FreezeStore freezes, CancellationToken cancellation)
    {
        var tenant = Caller.Of(user).Tenant;
        var held = await freezes.ListAsync(tenant, cancellation).ConfigureAwait(false);
        return TypedResults.Ok(ImmutableArray.CreateRange((await keys.ListAsync(tenant, cancellation).ConfigureAwait(false)).Select(key => key with { Frozen = held.Any(freeze => freeze.Covers(key.Id)) })));
    }

    private static async Task<Results<Ok<KeyDescription>, ProblemHttpResult>> FindAsync(string id, ClaimsPrincipal user, KeyStore keys, FreezeStore freezes, CancellationToken cancellation)
    {
        var tenant = Caller.Of(user).Tenant;
        return await keys.FindAsync(tenant, id, cancellation).ConfigureAwait(false) is { } key
            ? TypedResults.Ok(key with { Frozen = (await freezes.ListAsync(tenant, cancellation).ConfigureAwait(false)).Any(freeze => freeze.Covers(id)) }) : Problems.Of(Problems.NotFound);
    }

    private static async Task<Results<Ok<PolicyAnswer>, ProblemHttpResult>> PolicyAsync(string id, ClaimsPrincipal user, KeyStore keys, CancellationToken cancellation) =>
        await keys.PolicyAsync(Caller.Of(user).Tenant, id, cancellation).ConfigureAwait(false) is { } policy ? TypedResults.Ok(policy)
            : Problems.Of(Problems.NotFound, $"the tenant has no key {Printable.Of(id)}, or the key has no policy yet");

    private static async Task<Results<NoContent, Accepted<ApprovalAnswer>, ProblemHttpResult>> RotateAsync(string id, RotateRequest request, ClaimsPrincipal user, KeyStore keys, ApprovalStore approvals, CancellationToken cancellation)
    {
        if (!TryBytes(request.Bytes, request.Secret, out var secret))
        {
            return Problems.Of(Problems.BadRequest, $"exactly one of bytes ({LeastBytes} to {MostBytes}) and secret (1 to {MostBytes} bytes in base64) is expected");
        }

        var caller = Caller.Of(user);
        if (secret.Length < DerivedKey.LeastSecret && await keys.FindAsync(caller.Tenant, id, cancellation).ConfigureAwait(false) is { Derived: true } or { Use: not null })
        {
            return Refused(new KeyChange(KeyChange.SecretTooShort));
        }

        try
        {
            var act = new ApprovalAct { Act = BrokerEntries.Rotate, Key = id, Revision = request.Revision, Bytes = secret.Length, Import = request.Secret is not null };
            return await ProposedAsync(caller, keys, approvals, act, request.Secret, cancellation).ConfigureAwait(false)
                ?? Answer(await keys.RotateAsync(caller.Tenant, id, request.Revision, new NewVersion(secret, request.Secret is not null), caller.Subject, approved: null, cancellation).ConfigureAwait(false));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(secret);
        }
    }

    private static async Task<Results<NoContent, Accepted<ApprovalAnswer>, ProblemHttpResult>> SetStateAsync(string id, StateRequest request, ClaimsPrincipal user, KeyStore keys, ApprovalStore approvals, CancellationToken cancellation)
    {
        if (request.State is not (KeyStore.Enabled or KeyStore.Disabled or KeyStore.Destroyed))
        {
            return Problems.Of(Problems.BadRequest, "state: enabled, disabled or destroyed is expected");
        }

        var caller = Caller.Of(user);
        var act = new ApprovalAct { Act = BrokerEntries.State, Key = id, Revision = request.Revision, State = request.State };
        return await ProposedAsync(caller, keys, approvals, act, null, cancellation).ConfigureAwait(false)
            ?? Answer(await keys.SetStateAsync(caller.Tenant, id, request.Revision, request.State, caller.Subject, approved: null, cancellation).ConfigureAwait(false));
    }

    private static async Task<Results<NoContent, Accepted<ApprovalAnswer>, ProblemHttpResult>> SetPolicyAsync(string id, PolicyRequest request, ClaimsPrincipal user, KeyStore keys, ApprovalStore approvals, ReleaseTrial trial, CancellationToken cancellation)
    {
        var json = JsonMarshal.GetRawUtf8Value(request.Policy).ToArray();
        if (!ReleasePolicy.TryCompile(json, out var policy, out var fault, isNew: true))
        {
            return Problems.Of(BrokerProblems.PolicyRefused, fault);
        }

        var caller = Caller.Of(user);
        if (policy.Expectations.Document.ReferenceValues is null && await keys.FindAsync(caller.Tenant, id, cancellation).ConfigureAwait(false) is { Derived: true })
        {
            return Problems.Of(BrokerProblems.PolicyRefused, "$.expect.referenceValues: they are expected, because the key is derived: each image that they name gets one of its own");
        }

        if (await trial.TestAsync(id, policy, cancellation).ConfigureAwait(false) is { Passed: false } report)
        {
            return Problems.Of(BrokerProblems.PolicyTestsFailed, null, ("tests", report.Tests));
        }

        var act = new ApprovalAct { Act = BrokerEntries.Policy, Key = id, Revision = request.Revision, Policy = Encoding.UTF8.GetString(json) };
        return await ProposedAsync(caller, keys, approvals, act, null, cancellation).ConfigureAwait(false)
            ?? Answer(await keys.SetPolicyAsync(caller.Tenant, id, request.Revision, act.Policy, caller.Subject, approved: null, cancellation).ConfigureAwait(false));
    }

    // Null where one person is enough, or where there is no such key. Whether two are needed never changes, and the transaction asks again.
    private static async Task<Results<NoContent, Accepted<ApprovalAnswer>, ProblemHttpResult>?> ProposedAsync(Caller caller, KeyStore keys, ApprovalStore approvals, ApprovalAct act, byte[]? secret, CancellationToken cancellation)
    {
        if (await keys.FindAsync(caller.Tenant, act.Key, cancellation).ConfigureAwait(false) is not { Approval: KeyStore.TwoPerson } key || (act.State is KeyStore.Disabled && key.State is not KeyStore.Destroying))
        {
            return null;
        }

        return key.Revision != act.Revision ? Problems.Of(BrokerProblems.KeyChanged)
            : key.State == KeyStore.Destroyed || (key.State == KeyStore.Destroying && act.State is not KeyStore.Disabled) ? Problems.Of(BrokerProblems.KeyState, KeyChange.OfState(key.State))
            : await ApprovalEndpoints.ProposeAsync(caller, approvals, act, secret, cancellation).ConfigureAwait(false) is { } waiting ? TypedResults.Accepted((string?)null, waiting)
            : ApprovalEndpoints.NotProposed(caller);
    }

    private static Results<NoContent, Accepted<ApprovalAnswer>, ProblemHttpResult> Answer(KeyChange done) => done.IsDone ? TypedResults.NoContent() : Refused(done);

    /// <summary>Why a change was not made.</summary>
    internal static ProblemHttpResult Refused(KeyChange change) => change.WhyNot switch
    {
        KeyChange.NoSuchKey => Problems.Of(Problems.NotFound),
        KeyChange.SecretTooShort => Problems.Of(Problems.BadRequest, $"at least {DerivedKey.LeastSecret} bytes to derive from are expected"),
        "key-destroying" => Problems.Of(BrokerProblems.KeyState, KeyChange.OfState(KeyStore.Destroying)),
        "key-destroyed" => Problems.Of(BrokerProblems.KeyState, KeyChange.OfState(KeyStore.Destroyed)),
        _ => Problems.Of(BrokerProblems.KeyChanged),
    };

    private static bool TryBytes(int? bytes, byte[]? given, out byte[] secret)
    {
        secret = given ?? (bytes is { } count and >= LeastBytes and <= MostBytes ? RandomNumberGenerator.GetBytes(count) : []);
        return bytes is null != given is null && secret.Length is > 0 and <= MostBytes;
    }
}

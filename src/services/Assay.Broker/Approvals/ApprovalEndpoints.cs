using System.Collections.Immutable;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using Assay.Broker.Keys;
using Assay.Service.Http;
using Assay.Service.Identity;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Approvals;

/// <summary>An act that waits for a second person.</summary>
/// <param name="Id">Which.</param>
/// <param name="Of">The kind of its entry in the log.</param>
/// <param name="Key">Which key; empty for a freeze of all keys.</param>
/// <param name="ProposedBy">Who proposed it.</param>
/// <param name="ExpiresAt">When it can no longer be approved.</param>
/// <param name="Act">What will be done, whole, as text.</param>
/// <param name="Digest">SHA-384 of that text in UTF-8: the approval names it.</param>
public sealed record ApprovalAnswer(string Id, string Of, string Key, string ProposedBy, DateTimeOffset ExpiresAt, string Act, string Digest);

/// <summary>An approval.</summary>
/// <param name="Digest">Of the act, as its reader computed it.</param>
public sealed record ApprovalRequest(string Digest);

/// <summary>Acts that wait for a second person. Persons log in by OIDC or client certificate; who may create identities may not approve.</summary>
internal static class ApprovalEndpoints
{
    public static void MapApprovals(this IEndpointRouteBuilder routes)
    {
        var approvals = routes.MapGroup("/v1/approvals").WithTags("Keys");
        approvals.MapGet("", ListAsync).RequireScope(Scopes.Read).WithSummary("The acts that wait for a second person.");
        approvals.MapPost("/{id}", ApproveAsync).RequireScope(Scopes.Broker).WithSummary("Approves an act over its digest, as the second person: it is done at once.");
        approvals.MapDelete("/{id}", WithdrawAsync).RequireScope(Scopes.Broker).WithSummary("Takes an act back.");
    }

    /// <summary>Lets an act wait; null where its proposer is no person, or too many acts wait: <see cref="NotProposed"/> tells which.</summary>
    public static async Task<ApprovalAnswer?> ProposeAsync(Caller caller, ApprovalStore approvals, ApprovalAct act, byte[]? secret, CancellationToken cancellation) =>
        caller.IsPerson && await approvals.ProposeAsync(caller, act, secret, cancellation).ConfigureAwait(false) is { } pending ? Describe(pending) : null;

    public static ProblemHttpResult NotProposed(Caller caller) =>
        caller.IsPerson ? Problems.Of(Problems.BadRequest, "as many acts of the tenant wait for a second person as can: approve or withdraw some") : Problems.Of(BrokerProblems.SecondPerson);

    private static async Task<Ok<ImmutableArray<ApprovalAnswer>>> ListAsync(ClaimsPrincipal user, ApprovalStore approvals, CancellationToken cancellation) =>
        TypedResults.Ok(ImmutableArray.CreateRange((await approvals.ListAsync(Caller.Of(user).Tenant, cancellation).ConfigureAwait(false)).Select(Describe)));

    private static async Task<Results<NoContent, ProblemHttpResult>> ApproveAsync(
        string id, ApprovalRequest request, ClaimsPrincipal user, ApprovalStore approvals, KeyStore keys, FreezeStore freezes, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        if (!caller.IsPerson)
        {
            return Problems.Of(BrokerProblems.SecondPerson);
        }

        if (await approvals.FindAsync(caller.Tenant, id, cancellation).ConfigureAwait(false) is not { } pending)
        {
            return Problems.Of(Problems.NotFound);
        }

        var (kind, why) = caller.MayMakeIdentities ? (BrokerProblems.SecondPerson, "who may create identities may not approve")
            : caller.Person == pending.Person ? (BrokerProblems.SecondPerson, "the person who proposed an act may not approve it")
            : approvals.IsExpired(pending) ? (BrokerProblems.ApprovalRefused, "the act is expired")
            : !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(request.Digest), Encoding.UTF8.GetBytes(pending.Digest)) ? (BrokerProblems.ApprovalRefused, "the digest is another one than that of the act")
            : ((ProblemKind?)null, "");
        if (kind is not null)
        {
            await approvals.RefuseAsync(pending, caller, why, cancellation).ConfigureAwait(false);
            return Problems.Of(kind, why);
        }

        var done = await DoAsync(pending, caller, approvals, keys, freezes, cancellation).ConfigureAwait(false);
        return done.IsDone ? TypedResults.NoContent() : KeyEndpoints.Refused(done);
    }

    // The act's own words decide what is done, and nothing of the request but its digest.
    private static async Task<KeyChange> DoAsync(PendingAct pending, Caller caller, ApprovalStore approvals, KeyStore keys, FreezeStore freezes, CancellationToken cancellation)
    {
        var act = pending.Act;
        var approved = new Approved(approvals, pending);
        switch (act)
        {
            case { Act: BrokerEntries.Policy, Policy: { } policy, Revision: { } revision }:
                return await keys.SetPolicyAsync(act.Tenant, act.Key, revision, policy, caller.Subject, approved, cancellation).ConfigureAwait(false);
            case { Act: BrokerEntries.State, State: { } state, Revision: { } revision }:
                return await keys.SetStateAsync(act.Tenant, act.Key, revision, state, caller.Subject, approved, cancellation).ConfigureAwait(false);
            case { Act: BrokerEntries.Rotate, Bytes: { } bytes, Revision: { } revision }:
                var secret = act.Import is true ? await approvals.SecretAsync(pending, cancellation).ConfigureAwait(false) : RandomNumberGenerator.GetBytes(bytes);
                try
                {
                    return await keys.RotateAsync(act.Tenant, act.Key, revision, new NewVersion(secret, act.Import is true), caller.Subject, approved, cancellation).ConfigureAwait(false);
                }
                finally
                {
                    CryptographicOperations.ZeroMemory(secret);
                }

            case { Act: BrokerEntries.Unfreeze, Freeze: { } freeze }:
                return new KeyChange(await freezes.LiftAsync(act.Tenant, freeze, caller.Subject, approved, cancellation).ConfigureAwait(false) ? "" : KeyChange.ChangedBetween);
            default:
                throw new InvalidOperationException("an act that no endpoint proposes");
        }
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> WithdrawAsync(string id, ClaimsPrincipal user, ApprovalStore approvals, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        return await approvals.FindAsync(caller.Tenant, id, cancellation).ConfigureAwait(false) is { } pending && await approvals.WithdrawAsync(pending, caller, cancellation).ConfigureAwait(false)
            ? TypedResults.NoContent() : Problems.Of(Problems.NotFound);
    }

    private static ApprovalAnswer Describe(PendingAct pending) => new(
        pending.Act.Id, pending.Act.Act, pending.Act.Key, pending.Act.ProposedBy, DateTimeOffset.FromUnixTimeMilliseconds(pending.Act.ExpiresAt), pending.Text, pending.Digest);
}

using System.Collections.Immutable;
using System.Security.Claims;
using Assay.Broker.Approvals;
using Assay.Service;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Log;
using Assay.Wire;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Keys;

/// <summary>What is not to be released.</summary>
/// <param name="Reason">In words, for the log.</param>
/// <param name="Key">Which key; null: all of the tenant.</param>
public sealed record FreezeRequest(string Reason, string? Key = null);

/// <summary>A freeze.</summary>
/// <param name="Id">32 hexadecimal digits, to lift it.</param>
/// <param name="Witnessed">Whether every witness of the log has seen it, so that no database from before it releases anything; null: there are no witnesses.</param>
/// <param name="Persons">Whether the configuration lets persons of the tenant log in, two of whom lift it.</param>
public sealed record FreezeAnswer(string Id, bool? Witnessed, bool Persons);

/// <summary>Freezes: one caller makes them, and two persons lift them.</summary>
internal static class FreezeEndpoints
{
    private const int LongestReason = 200;

    public static void MapFreezes(this IEndpointRouteBuilder routes)
    {
        var freezes = routes.MapGroup("/v1/freezes").WithTags("Keys");
        freezes.MapPost("", FreezeAsync).RequireScope(Scopes.Broker).WithSummary("Freezes a key, or all keys of the tenant: when this returns nothing is released.");
        freezes.MapGet("", ListAsync).RequireScope(Scopes.Read).WithSummary("The freezes that hold.");
        freezes.MapPost("/{id}/lift", LiftAsync).RequireScope(Scopes.Broker).WithSummary("Proposes that a freeze ends. It ends when a second person approves.");
    }

    private static async Task<Results<Created<FreezeAnswer>, ProblemHttpResult>> FreezeAsync(FreezeRequest request, ClaimsPrincipal user, FreezeStore freezes, LogWitnesses witnesses, PersonLogins persons, CancellationToken cancellation)
    {
        if (request.Reason.Length is 0 or > LongestReason || (request.Key is not null && !ResourceName.WasValid(request.Key)))
        {
            return Problems.Of(Problems.BadRequest, $"reason: 1 to {LongestReason} characters are expected; key: a key's id, or nothing for all of the tenant");
        }

        var caller = Caller.Of(user);
        try
        {
            var (id, size, whyNot) = await freezes.FreezeAsync(caller.Tenant, request.Key ?? "", request.Reason, caller.Subject, cancellation).ConfigureAwait(false);
            return id is not null ? TypedResults.Created((string?)null, new FreezeAnswer(id, await witnesses.AskAsync(size, cancellation).ConfigureAwait(false), persons.Of(caller.Tenant)))
                : whyNot == FreezeStore.NoSuchKey ? Problems.Of(Problems.NotFound, $"the tenant has no key {request.Key}: nothing was frozen")
                : Problems.Of(Problems.BadRequest, "the tenant has as many freezes as can hold at once");
        }
        catch (ServiceException exception) when (LogProblems.Of(exception.Id) is { } held)
        {
            // In an emergency both must be known: that the freeze does not hold, and that nothing leaves.
            return Problems.Of(held, $"nothing was frozen, and this process of the broker releases nothing as long as that is so; freeze again when it goes on. {exception.Message}");
        }
    }

    private static async Task<Ok<ImmutableArray<Freeze>>> ListAsync(ClaimsPrincipal user, FreezeStore freezes, CancellationToken cancellation) =>
        TypedResults.Ok(await freezes.ListAsync(Caller.Of(user).Tenant, cancellation).ConfigureAwait(false));

    // A freeze of any key needs two persons to end: the first proposes it, the second approves it.
    private static async Task<Results<Accepted<ApprovalAnswer>, ProblemHttpResult>> LiftAsync(string id, ClaimsPrincipal user, FreezeStore freezes, ApprovalStore approvals, CancellationToken cancellation)
    {
        var caller = Caller.Of(user);
        if (!caller.IsPerson)
        {
            return Problems.Of(BrokerProblems.SecondPerson);
        }

        if ((await freezes.ListAsync(caller.Tenant, cancellation).ConfigureAwait(false)).FirstOrDefault(freeze => freeze.Id == id) is not { } found)
        {
            return Problems.Of(Problems.NotFound);
        }

        var act = new ApprovalAct { Act = BrokerEntries.Unfreeze, Key = found.Key, Freeze = id, Reason = Printable.Of(found.Reason) };
        return await ApprovalEndpoints.ProposeAsync(caller, approvals, act, null, cancellation).ConfigureAwait(false) is { } waiting ? TypedResults.Accepted((string?)null, waiting) : ApprovalEndpoints.NotProposed(caller);
    }
}

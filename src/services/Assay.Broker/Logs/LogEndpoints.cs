using System.Collections.Immutable;
using System.Security.Claims;
using System.Text;
using System.Text.Json;
using Assay.Log;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Log;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Logs;

/// <summary>An entry of the log with its proof.</summary>
/// <param name="Position">Where it is.</param>
/// <param name="Entry">Its bytes, as they are hashed.</param>
/// <param name="Proof">That it is in the log under the latest checkpoint (C2SP tlog-proof).</param>
public sealed record LogAnswer(long Position, byte[] Entry, string Proof);

/// <summary>Entries of a tenant, the oldest first.</summary>
/// <param name="Entries">Each with its proof, under one checkpoint.</param>
public sealed record LogPage(ImmutableArray<LogAnswer> Entries);

/// <summary>That the log still begins with what it had.</summary>
/// <param name="Checkpoint">The latest signed checkpoint.</param>
/// <param name="Path">The hashes of the consistency proof (RFC 9162 §2.1.4).</param>
public sealed record LogConsistency(string Checkpoint, ImmutableArray<byte[]> Path);

/// <summary>The transparency log: proofs of a tenant's own entries, and for the operator's auditors the whole as tiles (C2SP tlog-tiles).</summary>
internal static class LogEndpoints
{
    private const int MostListed = 100;
    private const string NotWitnessed = "no witness has cosigned a checkpoint of this log";

    public static void MapLog(this IEndpointRouteBuilder routes)
    {
        var log = routes.MapGroup("/v1/log").WithTags("Log");
        log.MapGet("/key", (TransparencyLog transparency) => TypedResults.Text(transparency.PublicKey + "\n")).RequireScope(Scopes.Audit).WithSummary("The key that signs checkpoints, as text.");
        log.MapGet("/checkpoint", async (TransparencyLog transparency, CancellationToken cancellation) => TypedResults.Text(await transparency.CheckpointAsync(cancellation).ConfigureAwait(false)))
            .RequireScope(Scopes.Audit).WithSummary("The latest signed checkpoint.");
        log.MapGet("/witnessed", WitnessedAsync).RequireScope(Scopes.Audit).WithSummary("The largest checkpoint that a witness has cosigned, with its cosignatures.").Produces<string>(200, "text/plain");
        log.MapGet("/consistency", ExtendAsync).RequireScope(Scopes.Audit).WithSummary("The latest signed checkpoint, with the proof that its log begins with the one of a size.");
        log.MapGet("/entries", ListAsync).RequireScope(Scopes.Audit).WithSummary("Entries of the tenant, each with its proof.");
        log.MapGet("/entries/{position:long}", FindAsync).RequireScope(Scopes.Audit).WithSummary("An entry of the tenant, with its proof.");
        log.MapGet("/tile/{**rest}", TileAsync).RequireScope(Scopes.Operator).WithSummary("A tile of hashes or entries, of all tenants.").Produces(200, contentType: "application/octet-stream");
    }

    private static async Task<Results<Ok<LogConsistency>, ProblemHttpResult>> ExtendAsync(long from, TransparencyLog log, CancellationToken cancellation) =>
        await log.ExtendAsync(from, cancellation).ConfigureAwait(false) is var (note, path) ? TypedResults.Ok(new LogConsistency(note, [.. path.Select(hash => hash.Bytes.ToArray())])) : Problems.Of(Problems.NotFound);

    private static async Task<Ok<LogPage>> ListAsync(ClaimsPrincipal user, TransparencyLog log, CancellationToken cancellation, long from = 0, int most = MostListed) => TypedResults.Ok(new LogPage(
        [.. (await log.ListAsync(Caller.Of(user).Tenant, from, Math.Clamp(most, 1, MostListed), cancellation).ConfigureAwait(false)).Where(found => TenantOf(found.Entry) == Caller.Of(user).Tenant).Select(found => new LogAnswer(found.Proof.Index, found.Entry, found.Proof.ToString()))]));

    private static async Task<IResult> WitnessedAsync(LogWitnesses witnesses, CancellationToken cancellation) =>
        await witnesses.LatestAsync(cancellation).ConfigureAwait(false) is { } note ? TypedResults.Text(note) : Problems.Of(Problems.NotFound, NotWitnessed);

    private static string? TenantOf(byte[] entry) => JsonElement.Parse(entry).GetProperty("tenant").GetString();

    private static async Task<Results<Ok<LogAnswer>, ProblemHttpResult>> FindAsync(long position, ClaimsPrincipal user, TransparencyLog log, LogWitnesses witnesses, CancellationToken cancellation, bool witnessed = false)
    {
        var checkpoint = witnessed ? await witnesses.LatestAsync(cancellation).ConfigureAwait(false) : null;
        return witnessed && checkpoint is null ? Problems.Of(Problems.NotFound, NotWitnessed)
            : await log.ProveAsync(position, checkpoint, cancellation).ConfigureAwait(false) is { } found && TenantOf(found.Entry) == Caller.Of(user).Tenant ? TypedResults.Ok(new LogAnswer(position, found.Entry, found.Proof.ToString()))
            : Problems.Of(Problems.NotFound, witnessed ? "there is no such entry under the checkpoint that was cosigned last" : null);
    }

    private static async Task<Results<FileContentHttpResult, ProblemHttpResult>> TileAsync(string rest, TransparencyLog log, CancellationToken cancellation) =>
        LogTile.TryParse($"tile/{rest}", out var tile) && await log.TileAsync(tile, cancellation).ConfigureAwait(false) is { } content ? TypedResults.File(content, "application/octet-stream") : Problems.Of(Problems.NotFound);
}

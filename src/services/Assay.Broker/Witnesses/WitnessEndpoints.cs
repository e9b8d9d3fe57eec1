using System.Text;
using Assay.Service.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Witnesses;

/// <summary>The paths of C2SP tlog-witness, with <c>/v1/witness</c> as both prefixes. They need no credential: a checkpoint is believed by its log's signature.</summary>
internal static class WitnessEndpoints
{
    private const int MostBytes = 72 * 1024;

    public static void MapWitness(this IEndpointRouteBuilder routes)
    {
        var witness = routes.MapGroup("/v1/witness").WithTags("Witness");
        witness.MapPost("/add-checkpoint", AddAsync).AllowAnonymous().WithMetadata(new BodyLimit(MostBytes)).WithSummary("Cosigns a checkpoint that extends the last one.").Accepts<string>("text/plain").Produces<string>(200, "text/plain");
        witness.MapGet("/key", (WitnessStore store) => TypedResults.Text(store.PublicKey + "\n")).AllowAnonymous().WithSummary("The key of its cosignatures, as text.");
        witness.MapGet("/{hash}/checkpoint", LatestAsync).AllowAnonymous().WithSummary("The checkpoint of a log that was cosigned last: the log's origin is named by its SHA-256.");
    }

    private static async Task<IResult> AddAsync(HttpRequest request, WitnessStore store, CancellationToken cancellation)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body, cancellation).ConfigureAwait(false);
        var (outcome, answer) = await store.AddAsync(body.ToArray(), cancellation).ConfigureAwait(false);
        return outcome switch
        {
            WitnessOutcome.Cosigned => TypedResults.Text(answer),
            WitnessOutcome.OtherSize => TypedResults.Text(answer + "\n", "text/x.tlog.size", Encoding.UTF8, StatusCodes.Status409Conflict),
            WitnessOutcome.Malformed => Plain(answer, StatusCodes.Status400BadRequest),
            WitnessOutcome.Untrusted => Plain(answer, StatusCodes.Status403Forbidden),
            WitnessOutcome.Unknown => Plain(answer, StatusCodes.Status404NotFound),
            _ => Plain(answer, StatusCodes.Status422UnprocessableEntity),
        };
    }

    private static async Task<IResult> LatestAsync(string hash, WitnessStore store, CancellationToken cancellation) =>
        await store.LatestAsync(hash, cancellation).ConfigureAwait(false) is { } note ? TypedResults.Text(note) : Problems.Of(Problems.NotFound);

    private static ContentHttpResult Plain(string why, int status) => TypedResults.Text(why + "\n", "text/plain", Encoding.UTF8, status);
}

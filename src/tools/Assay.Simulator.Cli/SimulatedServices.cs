using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Assay.Simulator.Cli;

/// <summary>The paths of NVIDIA's services, and two of our own: evidence for a nonce, and the anchors.</summary>
internal static class SimulatedServices
{
    private const int LargestRequest = 64 * 1024;
    private const string Json = "application/json";
    private const string Ocsp = "application/ocsp-response";

    public static void MapSimulatedServices(this IEndpointRouteBuilder routes, SimulatedWorld world)
    {
        routes.MapGet("/v1/rim/ids", () => Results.Bytes(SimulatedRimService.Ids(world.Rims), Json));
        routes.MapGet("/v1/rim/{id}", (string id) => Rim(world, id));
        routes.MapPost("/", (HttpRequest request) => OcspAsync(world, request));
        routes.MapPost("/ocsp", (HttpRequest request) => OcspAsync(world, request));
        routes.MapGet("/ocsp/{**request}", (string request) => OcspOfText(world, request));
        routes.MapGet("/crl/{**name}", (string name) => world.Crl(name[(name.LastIndexOf('/') + 1)..]) is { } crl ? Results.Bytes(crl, "application/pkix-crl") : Results.NotFound());
        routes.MapGet("/anchors.json", () => Results.Bytes(world.Anchors, Json));
        routes.MapGet("/evidence", (string? nonce) => Evidence(world, nonce));
    }

    private static IResult Rim(SimulatedWorld world, string id) => world.Rims.FirstOrDefault(rim => rim.Id == id) is { } rim
        ? Results.Bytes(SimulatedRimService.Rim(rim), Json)
        : Results.Text(SimulatedRimService.NotFound(), Json, StatusCodes.Status404NotFound);

    private static IResult Evidence(SimulatedWorld world, string? text) => text is not null && WorldOptions.TryReadNonce(text, out var nonce)
        ? Results.Bytes(SimulatedEvidence.ToJson(world.Evidence(nonce)), Json)
        : Results.Text("nonce is 32 bytes, 64 hexadecimal digits\n", statusCode: StatusCodes.Status400BadRequest);

    private static async Task<IResult> OcspAsync(SimulatedWorld world, HttpRequest request)
    {
        var buffer = new byte[LargestRequest];
        var length = await request.Body.ReadAtLeastAsync(buffer, LargestRequest, throwOnEndOfStream: false, request.HttpContext.RequestAborted).ConfigureAwait(false);
        return Results.Bytes(world.AnswerOcsp(buffer.AsMemory(0, length)), Ocsp);
    }

    // RFC 6960, appendix A.1: GET with the base64 of the request behind the path. The server leaves an escaped slash escaped.
    private static IResult OcspOfText(SimulatedWorld world, string request)
    {
        var bytes = new byte[request.Length];
        return Convert.TryFromBase64String(Uri.UnescapeDataString(request), bytes, out var length)
            ? Results.Bytes(world.AnswerOcsp(bytes.AsMemory(0, length)), Ocsp)
            : Results.Bytes(SimulatedOcsp.Refuse(OcspResponseStatus.MalformedRequest), Ocsp);
    }
}

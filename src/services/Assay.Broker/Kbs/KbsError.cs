using System.Text.Json;
using System.Text.Json.Serialization;
using Assay.Service.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Assay.Broker.Kbs;

/// <summary>
/// What a client of the protocol gets instead of an answer: <c>{"type","detail"}</c> with the names of Trustee's key broker, and the status that it sends.
/// 401 makes a guest attest anew, three times at the most; everything else ends its attempt.
/// </summary>
internal static class KbsError
{
    /// <summary>Challenge or evidence was refused.</summary>
    public const string Attestation = "AttestationError";

    /// <summary>There is no session, or it has shown nothing yet: what makes a guest attest.</summary>
    public const string NoToken = "TokenNotFound";

    /// <summary>The token shown is not ours, or ended.</summary>
    public const string Token = "TokenVerifierError";

    /// <summary>The key is not released to this machine now.</summary>
    public const string Denied = "PolicyDeny";

    /// <summary>The key encryption key does not answer: nothing was decided.</summary>
    public const string Outage = "PluginInternalError";

    /// <summary>No resource can have this path.</summary>
    public const string Path = "InvalidRequestPath";

    /// <summary>Nothing but resources is served.</summary>
    public const string Plugin = "PluginNotFound";

    private const string Prefix = "https://github.com/confidential-containers/kbs/errors/";

    public static ContentHttpResult Of(string variant, string detail, int? status = null) => TypedResults.Content(
        JsonSerializer.Serialize(new Body($"{Prefix}{variant}", detail)), "application/json", contentEncoding: null,
        status ?? (variant is Path or Plugin ? StatusCodes.Status404NotFound : StatusCodes.Status401Unauthorized));

    /// <summary>What filters and failures answer under the protocol's paths: clients read one form of refusal and no other.</summary>
    public sealed class Form : ProblemForm
    {
        public override Task WriteAsync(HttpContext context, ProblemKind kind, string? detail)
        {
            ArgumentNullException.ThrowIfNull(context);
            ArgumentNullException.ThrowIfNull(kind);
            // What the client sent is refused as the protocol refuses it; what is not the client's fault keeps its status, and ends its attempt.
            var isRefusal = kind.Status is StatusCodes.Status400BadRequest or StatusCodes.Status413PayloadTooLarge or StatusCodes.Status415UnsupportedMediaType;
            return Of(isRefusal ? Attestation : Outage, detail ?? kind.Title, isRefusal ? null : kind.Status).ExecuteAsync(context);
        }
    }

    private sealed record Body([property: JsonPropertyName("type")] string Type, [property: JsonPropertyName("detail")] string Detail);
}

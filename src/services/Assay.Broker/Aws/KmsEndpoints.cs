using System.Security.Claims;
using System.Text.Json;
using Assay.Service.Http;
using Assay.Service.Identity;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Assay.Broker.Aws;

/// <summary>
/// AWS KMS's protocol (awsJson1_1) for software that was written for its attested decryption. It chooses the operation, the key, the ciphertext and its context;
/// policy, decision and recipient are the release road's, as with every other protocol.
/// </summary>
internal static class KmsEndpoints
{
    // SDKs sign by SigV4 with a secret that is not known here, and the signature is not looked at: what they send as it is is the session token, an API key.
    private const string SessionToken = "x-amz-security-token";
    private const string Target = "x-amz-target";
    private const string Service = "TrentService.";

    public static void MapKms(this IEndpointRouteBuilder routes) => routes.MapPost("/aws/kms", AnswerAsync)
        .RequireScope([Scopes.Release, Scopes.Broker]).WithMetadata(new BodyLimit(KmsLimits.BodyBytes), new CredentialHeader(SessionToken), new KmsForm())
        .WithTags("AWS").WithSummary("AWS KMS's Decrypt, GenerateDataKey and Encrypt: what is opened is sealed to an attested machine.").Accepts<JsonElement>(KmsForm.MediaType).Produces<JsonElement>(StatusCodes.Status200OK, KmsForm.MediaType);

    private static async Task AnswerAsync(HttpContext context, ClaimsPrincipal user, KmsDesk desk, CancellationToken cancellation)
    {
        var fault = context.Request.ContentType?.Split(';')[0].Trim().Equals(KmsForm.MediaType, StringComparison.OrdinalIgnoreCase) is not true ? new KmsFault("SerializationException", $"Content-Type: {KmsForm.MediaType} is expected")
            : context.Request.Headers[Target] is [{ } target] && target.StartsWith(Service, StringComparison.Ordinal) ? await DispatchAsync(context, user, desk, target[Service.Length..], cancellation).ConfigureAwait(false)
            : Unknown();
        if (fault is not null)
        {
            await fault.WriteAsync(context).ConfigureAwait(false);
        }
    }

    private static async Task<KmsFault?> DispatchAsync(HttpContext context, ClaimsPrincipal user, KmsDesk desk, string operation, CancellationToken cancellation)
    {
        var body = await RequestBody.ReadAsync(context).ConfigureAwait(false);
        var ask = new KmsAsk(operation, Caller.Of(user), user, context);
        try
        {
            return operation switch
            {
                "Decrypt" => await desk.DecryptAsync(ask, KmsForm.Read<DecryptRequest>(body), cancellation).ConfigureAwait(false),
                "GenerateDataKey" => await desk.GenerateAsync(ask, KmsForm.Read<DataKeyRequest>(body), cancellation).ConfigureAwait(false),
                "GenerateDataKeyWithoutPlaintext" => await desk.GenerateWithoutPlaintextAsync(ask, KmsForm.Read<DataKeyRequest>(body), cancellation).ConfigureAwait(false),
                "Encrypt" => await desk.EncryptAsync(ask, KmsForm.Read<EncryptRequest>(body), cancellation).ConfigureAwait(false),
                _ => Unknown(),
            };
        }
        catch (JsonException exception)
        {
            return new KmsFault("SerializationException", StrictJsonOptions.WhyNot(exception));
        }
    }

    private static KmsFault Unknown() => new("UnknownOperationException", $"X-Amz-Target: {Service}Decrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext or Encrypt is expected");
}

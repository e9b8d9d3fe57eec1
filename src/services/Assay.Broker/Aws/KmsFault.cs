using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Assay.Service.Http;
using Microsoft.AspNetCore.Http;

namespace Assay.Broker.Aws;

/// <summary>An answer of AWS's protocol awsJson1_1 that brings nothing. SDKs make an exception of its type.</summary>
/// <param name="Type">The exception's name, one of those that AWS KMS documents.</param>
/// <param name="Message">In words.</param>
/// <param name="Status">Of HTTP: 400, and 5xx for what may be tried again.</param>
internal sealed record KmsFault(string Type, string Message, int Status = StatusCodes.Status400BadRequest)
{
    public static KmsFault Invalid(string message) => new("ValidationException", message);

    public static KmsFault Denied(string message) => new("AccessDeniedException", message);

    public static KmsFault Ciphertext { get; } = new("InvalidCiphertextException", "the ciphertext is of another key, version or encryption context, or was changed");

    /// <summary>The same of what comes before the endpoint: <see cref="Problems"/>.</summary>
    public static KmsFault Of(ProblemKind kind, string? detail)
    {
        var type = kind.Id switch
        {
            "unauthenticated" => "UnrecognizedClientException",
            "forbidden" => "AccessDeniedException",
            "too-many-requests" or "quota-used-up" or "busy" => "ThrottlingException",
            "kek-unavailable" => "DependencyTimeoutException",
            _ => kind.Status < StatusCodes.Status500InternalServerError ? "ValidationException" : "KMSInternalException",
        };
        return new KmsFault(type, detail is null ? kind.Title : $"{kind.Title} {detail}", kind.Status < StatusCodes.Status500InternalServerError ? StatusCodes.Status400BadRequest : kind.Status);
    }

    public Task WriteAsync(HttpContext context)
    {
        context.Response.Headers["x-amzn-ErrorType"] = Type;
        return KmsForm.WriteAsync(context, Status, new Body(Type, Message));
    }

    private sealed record Body([property: JsonPropertyName("__type")] string Type, [property: JsonPropertyName("message")] string Message);
}

/// <summary>How bodies of this protocol are read and written: strictly, with AWS's names.</summary>
internal sealed class KmsForm : ProblemForm
{
    public const string MediaType = "application/x-amz-json-1.1";

    private static readonly JsonSerializerOptions s_json = new(StrictJsonOptions.Value) { PropertyNamingPolicy = null, Encoder = JavaScriptEncoder.Default };

    public static T Read<T>(ReadOnlySpan<byte> body)
        where T : class => JsonSerializer.Deserialize<T>(body, s_json) ?? throw new JsonException("an object is expected");

    public static async Task WriteAsync<T>(HttpContext context, int status, T body)
    {
        var bytes = JsonSerializer.SerializeToUtf8Bytes(body, s_json);
        (context.Response.StatusCode, context.Response.ContentType, context.Response.ContentLength) = (status, MediaType, bytes.Length);
        context.Response.Headers["x-amzn-RequestId"] = context.TraceIdentifier;
        await context.Response.Body.WriteAsync(bytes, context.RequestAborted).ConfigureAwait(false);
    }

    public override Task WriteAsync(HttpContext context, ProblemKind kind, string? detail) => KmsFault.Of(kind, detail).WriteAsync(context);

    /// <summary>Which entry of the log an answer is about, for those who read it: AWS's bodies have no place for it.</summary>
    public static void Name(HttpContext context, long position) => context.Response.Headers["x-assay-log-position"] = position.ToString(CultureInfo.InvariantCulture);
}

using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Collateral.Proxy;

/// <summary>
/// Writes the problems of this proxy: type, title and status, whatever the client says that it accepts, and no trace id. Problems of other
/// types are left to the other writers of the host.
/// </summary>
internal sealed class ProblemWriter(RequestRefusals refusals) : IProblemDetailsWriter
{
    public const string ContentType = "application/problem+json";
    public const string TypePrefix = "urn:assay:collateral-";

    /// <summary>Adds it before all other writers: the framework's own takes whatever it is given.</summary>
    public static void AddTo(IServiceCollection services) =>
        services.Insert(0, ServiceDescriptor.Singleton<IProblemDetailsWriter>(provider => new ProblemWriter(provider.GetRequiredService<RequestRefusals>())));

    public bool CanWrite(ProblemDetailsContext context) => context.ProblemDetails.Type?.StartsWith(TypePrefix, StringComparison.Ordinal) ?? false;

    public async ValueTask WriteAsync(ProblemDetailsContext context)
    {
        var problem = context.ProblemDetails;
        refusals.Count(context.HttpContext, problem.Type![TypePrefix.Length..]);
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartObject();
            writer.WriteString("type", problem.Type);
            writer.WriteString("title", problem.Title);
            writer.WriteNumber("status", context.HttpContext.Response.StatusCode);
            writer.WriteEndObject();
        }

        context.HttpContext.Response.ContentType = ContentType;
        await ItemAnswers.WriteAsync(context.HttpContext, buffer.ToArray()).ConfigureAwait(false);
    }
}

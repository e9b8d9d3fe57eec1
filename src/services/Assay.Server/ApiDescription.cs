using Assay.Service.Http;
using Assay.Service.Identity;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Assay.Server;

/// <summary>The OpenAPI document: what the framework sees of the endpoints, with the credential and scope that each demands.</summary>
internal static class ApiDescription
{
    private const string Credential = "credential";

    public static void Configure(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo { Title = "Assay", Version = "1", Description = "Attestation of GPUs and confidential VMs. Errors are RFC 9457 problems with permanent types." };
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
            {
                [Credential] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "An API key (assay_…) or an OIDC token of a configured issuer." },
            };
            return Task.CompletedTask;
        });
        // What is null is left out of answers, and may be of requests.
        options.AddSchemaTransformer((schema, context, _) =>
        {
            foreach (var property in context.JsonTypeInfo.Properties.Where(property => property.IsGetNullable))
            {
                schema.Required?.Remove(property.Name);
            }

            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            if (context.Description.ActionDescriptor.EndpointMetadata.OfType<RequiredScope>().LastOrDefault() is { } required)
            {
                operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Credential, context.Document)] = [required.Scope] }];
                operation.Description = $"Scope: {required.Scope}.";
            }

            operation.Responses ??= [];
            operation.Responses["default"] = new OpenApiResponse { Description = $"A problem (RFC 9457); its type begins with {Problems.NotFound.Type[..10]}", Content = new Dictionary<string, OpenApiMediaType>(StringComparer.Ordinal) { ["application/problem+json"] = new OpenApiMediaType() } };
            return Task.CompletedTask;
        });
    }
}

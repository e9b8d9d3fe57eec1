using Microsoft.AspNetCore.Http.Metadata;

namespace Assay.Service.Http;

/// <summary>How large a body of an endpoint may be.</summary>
public sealed record BodyLimit(long? MaxRequestBodySize) : IRequestSizeLimitMetadata;

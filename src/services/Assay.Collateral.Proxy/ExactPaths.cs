using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Matching;
using Microsoft.AspNetCore.Routing.Patterns;

namespace Assay.Collateral.Proxy;

/// <summary>Marks an endpoint of ours: its path is compared exactly, and its body is bounded whatever the host allows elsewhere.</summary>
/// <param name="IsLimited">Whether the limits of <see cref="RateLimits"/> hold for it.</param>
/// <param name="HasFreeRest">
/// Whether what a catch-all takes may have empty segments, or be nothing: base64 has slashes, and the address of the fallback is any.
/// </param>
internal sealed record CollateralRoute(bool IsLimited, bool HasFreeRest = false) : IRequestSizeLimitMetadata
{
    public const int MostBodyBytes = 64 * 1024;

    public long? MaxRequestBodySize => MostBodyBytes;
}

/// <summary>
/// Routing takes <c>/V1/rim/x</c> for <c>/v1/rim/x</c>, and <c>/healthz/</c> for <c>/healthz</c>. Whoever filters addresses before this server may
/// not, and the manufacturers' services do not. So endpoints of ours match what is written as their pattern is, and nothing else.
/// </summary>
internal sealed class ExactPaths : MatcherPolicy, IEndpointSelectorPolicy
{
    public override int Order => 0;

    public bool AppliesToEndpoints(IReadOnlyList<Endpoint> endpoints) => endpoints.Any(endpoint => endpoint.Metadata.GetMetadata<CollateralRoute>() is not null);

    public Task ApplyAsync(HttpContext httpContext, CandidateSet candidates)
    {
        var path = httpContext.Request.Path.Value ?? "";
        for (var index = 0; index < candidates.Count; index++)
        {
            if (candidates.IsValidCandidate(index) && candidates[index].Endpoint is RouteEndpoint route && route.Metadata.GetMetadata<CollateralRoute>() is { } ours && !Matches(route.RoutePattern, path, ours.HasFreeRest))
            {
                candidates.SetValidity(index, false);
            }
        }

        return Task.CompletedTask;
    }

    /// <summary>Whether the path has the literals of the pattern in their case, no empty segment, and a slash at its end exactly where the pattern has one.</summary>
    internal static bool Matches(RoutePattern pattern, string path, bool hasFreeRest)
    {
        var at = 0;
        foreach (var segment in pattern.PathSegments)
        {
            if (segment.Parts is [RoutePatternParameterPart { IsCatchAll: true }])
            {
                // All that is left, behind a slash: of a free rest also nothing.
                return hasFreeRest ? at == 0 || (at < path.Length && path[at] == '/')
                    : at < path.Length && path[at] == '/' && !path.EndsWith('/') && !path.AsSpan(at).Contains("//", StringComparison.Ordinal);
            }

            if (at >= path.Length || path[at] != '/')
            {
                return false;
            }

            var end = path.IndexOf('/', at + 1) is > 0 and var slash ? slash : path.Length;
            var text = path.AsSpan(at + 1, end - at - 1);
            if (text.IsEmpty || (segment.Parts is [RoutePatternLiteralPart literal] && !text.Equals(literal.Content, StringComparison.Ordinal)))
            {
                return false;
            }

            at = end;
        }

        return path.AsSpan(at).Equals(pattern.RawText?.EndsWith('/') ?? false ? "/" : "", StringComparison.Ordinal);
    }
}

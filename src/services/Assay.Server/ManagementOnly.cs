using Assay.Service.Http;

namespace Assay.Server;

/// <summary>Marks what the management listener alone serves, and keeps everything else off it.</summary>
internal sealed record ManagementOnly
{
    private static readonly string[] s_paths = ["/metrics", "/healthz", "/readyz"];

    public static Task GuardAsync(HttpContext context, RequestDelegate next)
    {
        var isManagement = context.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionItemsFeature>()?.Items.ContainsKey(typeof(ManagementOnly)) is true;
        var path = context.Request.Path.Value ?? "";
        var allowed = isManagement ? s_paths.Contains(path, StringComparer.Ordinal) : !path.Equals("/metrics", StringComparison.OrdinalIgnoreCase);
        return allowed ? next(context) : Problems.WriteAsync(context, Problems.NotFound);
    }
}

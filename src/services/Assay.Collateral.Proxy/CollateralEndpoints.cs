using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Routing.Patterns;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Assay.Collateral.Proxy;

/// <summary>The addresses of the manufacturers' services, of key sets and of what is held, as endpoints that any host maps.</summary>
public static class CollateralEndpoints
{
    private static readonly string[] s_get = [HttpMethods.Get, HttpMethods.Head];
    private static readonly string[] s_post = [HttpMethods.Post];

    /// <summary>
    /// Maps all that clients ask. <see cref="CollateralServices.AddCollateral"/> and <see cref="CollateralServices.UseCollateral"/> come before.
    /// Paths are compared exactly, case and slashes included.
    /// </summary>
    public static RouteGroupBuilder MapCollateral(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var services = endpoints.ServiceProvider;
        var group = endpoints.MapGroup("");
        group.WithMetadata(new CollateralRoute(IsLimited: true));
        MapNvidia(group, services);
        MapIntel(group, services.GetRequiredService<IntelEndpoints>());
        MapAmd(group, services.GetRequiredService<AmdEndpoints>());
        var (lists, status) = (services.GetRequiredService<ListEndpoints>(), services.GetRequiredService<StatusEndpoints>());
        group.Get("/v1/jwks/{**name}", context => lists.KeysAsync(context, Value(context, "name")));
        group.Get("/v1/collateral", status.ListAsync);
        group.Post("/v1/chains", status.LearnAsync);
        return group;
    }

    /// <summary>Maps <c>/healthz</c>, <c>/readyz</c> and <c>/metrics</c>, for a host that serves nothing but collateral.</summary>
    public static RouteGroupBuilder MapCollateralStatus(this IEndpointRouteBuilder endpoints)
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        var group = endpoints.MapGroup("");
        group.WithMetadata(new CollateralRoute(IsLimited: false));
        MapHealth(group, "/healthz", _ => false, "ok\n");
        MapHealth(group, "/readyz", check => check.Name == ClockHealthCheck.Name, "ready\n");
        group.Get("/metrics", endpoints.ServiceProvider.GetRequiredService<StatusEndpoints>().MetricsAsync);
        return group;
    }

    private static void MapNvidia(RouteGroupBuilder group, IServiceProvider services)
    {
        var (rims, ocsp, lists) = (services.GetRequiredService<RimEndpoints>(), services.GetRequiredService<OcspEndpoints>(), services.GetRequiredService<ListEndpoints>());
        group.Get("/v1/rim/ids", rims.ListAsync);
        group.Get("/v1/rim/{**id}", context => rims.GetAsync(context, Value(context, "id")));
        // Addresses in certificates may have folders before the name.
        group.Get("/crl/{**name}", context => lists.GetAsync(context, Value(context, "name")));
        foreach (var path in (string[])["/", "/ocsp", "/ocsp/"])
        {
            group.Post(path, ocsp.PostAsync);
        }

        var base64 = new CollateralRoute(IsLimited: true, HasFreeRest: true);
        group.Get("/ocsp/{**request}", context => ocsp.GetAsync(context, isOcspOnly: true)).WithMetadata(base64);
        group.Get(RoutePatternFactory.Parse("/{**request}", defaults: null, parameterPolicies: new RouteValueDictionary { ["request"] = new OcspRequestConstraint() }), context => ocsp.GetAsync(context, isOcspOnly: false)).WithMetadata(base64);
    }

    private static void MapIntel(RouteGroupBuilder group, IntelEndpoints intel)
    {
        foreach (var technology in (string[])["sgx", "tdx"])
        {
            group.Get($"/{technology}/certification/v4/tcb", context => intel.TcbInfoAsync(context, technology));
            group.Get($"/{technology}/certification/v4/qe/identity", context => intel.QeIdentityAsync(context, technology));
        }

        group.Get("/sgx/certification/v4/pckcrl", intel.PckCrlAsync);
        group.Get("/sgx/certification/v4/rootcacrl", intel.RootCrlAsync);
        group.Get("/sgx/certification/v4/pckcert", intel.PckCertificateAsync);
    }

    private static void MapAmd(RouteGroupBuilder group, AmdEndpoints amd)
    {
        foreach (var leaf in (string[])["vcek", "vlek"])
        {
            group.Get($"/{leaf}/v1/{{product}}/cert_chain", context => amd.ChainAsync(context, leaf, Value(context, "product")));
            group.Get($"/{leaf}/v1/{{product}}/crl", context => amd.CrlAsync(context, leaf, Value(context, "product")));
        }

        group.Get("/vcek/v1/{product}/{chip}", context => amd.VcekAsync(context, Value(context, "product"), Value(context, "chip")));
    }

    private static void MapHealth(RouteGroupBuilder group, string path, Func<HealthCheckRegistration, bool> checks, string healthy) =>
        group.MapHealthChecks(path, new HealthCheckOptions
        {
            Predicate = checks,
            AllowCachingResponses = true,
            ResponseWriter = (context, report) => StatusEndpoints.HealthAsync(context, report, healthy),
        }).WithMetadata(new HttpMethodMetadata(s_get));

    // Routing does not take HEAD for GET.
    private static IEndpointConventionBuilder Get(this RouteGroupBuilder group, string pattern, RequestDelegate answer) => group.Get(RoutePatternFactory.Parse(pattern), answer);

    private static IEndpointConventionBuilder Get(this RouteGroupBuilder group, RoutePattern pattern, RequestDelegate answer) =>
        group.Map(pattern, RequestBody.Guarded(answer)).WithMetadata(new HttpMethodMetadata(s_get)).WithDisplayName($"GET {pattern.RawText}");

    private static void Post(this RouteGroupBuilder group, string pattern, RequestDelegate answer) =>
        group.Map(RoutePatternFactory.Parse(pattern), RequestBody.Guarded(answer)).WithMetadata(new HttpMethodMetadata(s_post)).WithDisplayName($"POST {pattern}");

    private static string Value(HttpContext context, string name) => context.Request.RouteValues[name] as string ?? "";

    /// <summary>
    /// An OCSP request is a DER sequence, which starts with M in base64. It is behind the root, so that without this every mistyped address
    /// of a host would be taken for one.
    /// </summary>
    private sealed class OcspRequestConstraint : IRouteConstraint
    {
        public bool Match(HttpContext? httpContext, IRouter? route, string routeKey, RouteValueDictionary values, RouteDirection routeDirection) =>
            values[routeKey] is string text && text.TrimStart('/').StartsWith('M');
    }
}

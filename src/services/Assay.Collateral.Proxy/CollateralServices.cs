using Assay.Collateral.Cache;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.RateLimiting;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Assay.Collateral.Proxy;

/// <summary>What a host adds and uses to serve collateral, before it maps the endpoints of <see cref="CollateralEndpoints"/>.</summary>
public static class CollateralServices
{
    /// <summary>The meter of refused requests; that of the cache is <see cref="CacheMeters.MeterName"/>.</summary>
    public const string MeterName = RequestRefusals.MeterName;

    /// <summary>
    /// Adds what the endpoints need. The host registers the <see cref="CollateralCache"/>, the <see cref="ItemVerification"/> of that cache,
    /// the <see cref="HttpUpstream"/> if requests are to be forwarded, and its <see cref="TimeProvider"/> if it is not the system's.
    /// </summary>
    public static IServiceCollection AddCollateral(this IServiceCollection services, ProxyOptions options)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(options);
        services.TryAddSingleton(TimeProvider.System);
        services.AddRouting().AddLogging().AddMetrics();
        services.TryAddEnumerable(ServiceDescriptor.Singleton<MatcherPolicy, ExactPaths>());
        services.AddSingleton(options).AddSingleton<RequestRefusals>();
        AddEndpoints(services, options);

        services.AddProblemDetails();
        ProblemWriter.AddTo(services);

        services.AddRateLimiter();
        services.AddSingleton<RateLimits>().AddSingleton<IConfigureOptions<RateLimiterOptions>>(provider => provider.GetRequiredService<RateLimits>());

        services.AddSingleton(provider => new ClockHealthCheck(
            provider.GetRequiredService<CollateralCache>(), provider.GetRequiredService<ILogger<ClockHealthCheck>>(), provider.GetRequiredService<TimeProvider>()));
        services.AddHealthChecks().Add(new HealthCheckRegistration(ClockHealthCheck.Name, provider => provider.GetRequiredService<ClockHealthCheck>(), HealthStatus.Unhealthy, tags: null));
        return services;
    }

    /// <summary>
    /// Adds what must come before the endpoints: requests with two lengths are refused, then routing and rate limits. It holds for all requests
    /// of the host, the limits for those to endpoints of collateral.
    /// </summary>
    public static IApplicationBuilder UseCollateral(this IApplicationBuilder application)
    {
        ArgumentNullException.ThrowIfNull(application);
        application.Use(next => context => RequestBody.HasTwoLengths(context.Request) ? RequestBody.RefuseTwoLengthsAsync(context) : next(context));
        application.UseRouting();
        application.UseRateLimiter();
        return application;
    }

    private static void AddEndpoints(IServiceCollection services, ProxyOptions options)
    {
        services.AddSingleton<ItemAnswers>().AddSingleton<ListEndpoints>().AddSingleton<IntelEndpoints>().AddSingleton<AmdEndpoints>().AddSingleton<StatusEndpoints>();
        services.AddSingleton(provider => new RimEndpoints(
            provider.GetRequiredService<ItemAnswers>(), provider.GetRequiredService<CollateralCache>(), provider.GetService<HttpUpstream>(), provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new OcspEndpoints(
            provider.GetRequiredService<ItemAnswers>(), provider.GetRequiredService<CollateralCache>(), provider.GetService<HttpUpstream>(),
            provider.GetRequiredService<ItemVerification>(), options.Nonce, provider.GetRequiredService<RequestRefusals>(), provider.GetRequiredService<TimeProvider>()));
    }
}

using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using Assay.Service.Challenges;
using Assay.Service.Http;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Assay.Service;

/// <summary>What every service stands on.</summary>
public sealed record ServiceTerms
{
    /// <summary>Where state is kept. The host disposes it.</summary>
    public required ServiceDatabase Database { get; init; }

    /// <summary>What encrypts it. The host disposes it.</summary>
    public required KeyEncryptionKey Kek { get; init; }

    /// <summary>Who may log in beside the holders of API keys.</summary>
    public ServiceAuthentication Authentication { get; init; } = new();

    /// <summary>The roots under which client certificates are believed; empty: none are.</summary>
    public X509Certificate2Collection ClientRoots { get; init; } = [];

    /// <summary>How much is taken.</summary>
    public RequestLimitTerms Limits { get; init; } = new();

    /// <summary>How signing keys follow one another.</summary>
    public SigningKeyTerms SigningKeys { get; init; } = new();
}

/// <summary>Adds the kernel to a host, and puts its parts in order before the endpoints.</summary>
public static class ServiceKernel
{
    /// <summary>Answers carry it, and logs and problems name it.</summary>
    public const string RequestIdHeader = "x-request-id";

    /// <summary>What the kernel keeps encrypted.</summary>
    public static IEnumerable<SealedColumn> SealedColumns => [SigningKeys.Sealed, LogKey.Sealed, ApiKeyStore.Sealed];

    /// <summary>Adds storage, challenges, tenants, keys, audit, authentication, limits and problems.</summary>
    public static IServiceCollection AddServiceKernel(this IServiceCollection services, ServiceTerms terms)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(terms);
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(terms.Database).AddSingleton(terms.Kek).AddSingleton(terms.SigningKeys).AddSingleton(terms.Authentication);
        services.AddSingleton(provider => new GroupCommit(terms.Database, terms.Kek, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ChallengeStore>().AddSingleton<SigningKeys>().AddSingleton<ApiKeyStore>().AddSingleton<TenantStore>();
        services.AddSingleton(new RequestLimits(terms.Limits)).AddSingleton<RequestLog>();
        services.ConfigureHttpJsonOptions(options => StrictJsonOptions.Configure(options.SerializerOptions));
        // Also what binding refuses is answered by a problem.
        services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        Problems.AddTo(services);
        ServiceLogins.AddTo(services, terms.Authentication, terms.ClientRoots);
        services.AddHostedService<Upkeep>();
        return services;
    }

    /// <summary>Request ids, failures, limits, authentication and authorization, in this order.</summary>
    public static IApplicationBuilder UseServiceKernel(this IApplicationBuilder application)
    {
        ArgumentNullException.ThrowIfNull(application);
        var limits = application.ApplicationServices.GetRequiredService<RequestLimits>();
        var log = application.ApplicationServices.GetRequiredService<RequestLog>();
        application.Use(next => context => NameAsync(context, next, log));
        application.UseExceptionHandler();
        application.UseStatusCodePages(status => Problems.WriteAsync(status.HttpContext, Problems.OfStatus(status.HttpContext.Response.StatusCode)));
        application.Use(next => context => limits.AddressesAsync(context, next));
        application.UseRouting();
        application.UseAuthentication();
        application.Use(next => context => limits.TenantsAsync(context, next));
        application.UseAuthorization();
        return application;
    }

    // Made here: a client's own would let it choose what stands in the operator's logs.
    private static async Task NameAsync(HttpContext context, RequestDelegate next, RequestLog log)
    {
        context.TraceIdentifier = Activity.Current?.TraceId.ToString() is { } trace && trace.Trim('0').Length > 0 ? trace : ActivityTraceId.CreateRandom().ToString();
        // At the last moment: whoever answers a failure clears the headers.
        context.Response.OnStarting(() =>
        {
            context.Response.Headers[RequestIdHeader] = context.TraceIdentifier;
            return Task.CompletedTask;
        });
        var begun = Stopwatch.GetTimestamp();
        await next(context).ConfigureAwait(false);
        if (context.GetEndpoint()?.Metadata.GetMetadata<AlwaysAnswered>() is null)
        {
            log.Served(context, context.User.FindFirst(Caller.TenantClaim)?.Value, Stopwatch.GetElapsedTime(begun).TotalMilliseconds);
        }
    }
}

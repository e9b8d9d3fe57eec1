using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Broker.Witnesses;

/// <summary>What a host adds and maps to witness logs, after the kernel. Its schema is that of <see cref="BrokerRole"/>.</summary>
public static class WitnessRole
{
    /// <summary>Adds the role.</summary>
    public static IServiceCollection AddWitness(this IServiceCollection services, WitnessTerms terms)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(terms);
        return services.AddSingleton(terms).AddSingleton<WitnessStore>();
    }

    /// <summary>Opens its key: before anything is served.</summary>
    public static Task PrepareWitnessAsync(this IServiceProvider services, CancellationToken cancellation) => services.GetRequiredService<WitnessStore>().PrepareAsync(cancellation);

    /// <summary>Maps its endpoints.</summary>
    public static void MapWitnessRole(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        routes.MapWitness();
    }
}

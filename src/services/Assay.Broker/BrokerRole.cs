using Assay.Broker.Approvals;
using Assay.Broker.Aws;
using Assay.Broker.DataKeys;
using Assay.Broker.Hosted;
using Assay.Broker.Kbs;
using Assay.Broker.Keys;
using Assay.Broker.Logs;
using Assay.Broker.Release;
using Assay.Broker.Witnesses;
using Assay.Service.Identity;
using Assay.Service.Keys;
using Assay.Service.Log;
using Assay.Service.Storage;
using Assay.Trust;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Assay.Broker;

/// <summary>What a host adds and maps to serve keys, after the kernel.</summary>
public static class BrokerRole
{
    /// <summary>The role's part of the schema.</summary>
    public static IEnumerable<SchemaScript> Schema => SchemaScript.OfAssembly(typeof(BrokerRole).Assembly);

    /// <summary>What the role keeps encrypted.</summary>
    public static IEnumerable<SealedColumn> SealedColumns => [.. KeyStore.SealedColumns, FreezeStore.Sealed, .. ApprovalStore.SealedColumns, .. KbsSessions.SealedColumns, WitnessStore.Sealed];

    /// <summary>Adds the role.</summary>
    public static IServiceCollection AddBroker(this IServiceCollection services, BrokerTerms terms, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(services);
        ArgumentNullException.ThrowIfNull(terms);
        services.AddSingleton(terms);
        services.AddSingleton(provider => new TransparencyLog(
            provider.GetRequiredService<ServiceDatabase>(), provider.GetRequiredService<KeyEncryptionKey>(), new TransparencyLogTerms { Origin = terms.LogOrigin }, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton(provider => new LogWitnesses(
            provider.GetRequiredService<TransparencyLog>(), provider.GetRequiredService<ServiceDatabase>(), terms.Witnesses, provider.GetRequiredService<TimeProvider>(), provider.GetRequiredService<ILogger<LogWitnesses>>()));
        services.AddSingleton<KeyStore>().AddSingleton<FreezeStore>().AddSingleton<ApprovalStore>().AddSingleton<PersonLogins>();
        services.AddSingleton(provider => new ReleaseJudge(terms, provider.GetRequiredService<SigningKeys>(), cache, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<KbsSessions>().AddSingleton<Denials>();
        services.AddSingleton(provider => new KbsAttestation(terms, provider.GetRequiredService<SigningKeys>(), cache, provider.GetRequiredService<TimeProvider>()));
        services.AddSingleton<BrokerMeters>().AddSingleton<ReleaseTrial>().AddSingleton<ReleaseRoad>().AddSingleton<DataKeyStore>().AddSingleton<KmsDesk>().AddSingleton<BrokerUpkeep>().AddHostedService(provider => provider.GetRequiredService<BrokerUpkeep>());
        return services;
    }

    /// <summary>Opens the log, or begins it, and shows it to its witnesses: before anything is served.</summary>
    public static async Task PrepareBrokerAsync(this IServiceProvider services, CancellationToken cancellation)
    {
        await services.GetRequiredService<TransparencyLog>().PrepareAsync(cancellation).ConfigureAwait(false);
        await services.GetRequiredService<LogWitnesses>().StartAsync(cancellation).ConfigureAwait(false);
        if (services.GetRequiredService<BrokerTerms>().Kbs is { } kbs)
        {
            await services.GetRequiredService<TenantStore>().CreateAsync(kbs.Tenant, null, "configuration", cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Maps its endpoints.</summary>
    public static void MapBroker(this IEndpointRouteBuilder routes, BrokerTerms terms)
    {
        ArgumentNullException.ThrowIfNull(routes);
        ArgumentNullException.ThrowIfNull(terms);
        routes.MapKeys();
        routes.MapTrials();
        routes.MapFreezes();
        routes.MapApprovals();
        routes.MapRelease();
        routes.MapKms();
        routes.MapLog();
        routes.MapManifests();
        if (terms.Kbs is not null)
        {
            routes.MapKbs();
        }

        if (terms.Hosted is not null)
        {
            routes.MapHosted();
        }
    }
}

using Assay.Attestation.Administration;
using Assay.Attestation.Appraisals;
using Assay.Attestation.Nras;
using Assay.Attestation.Oidc;
using Assay.Attestation.Policies;
using Assay.Attestation.SelfTests;
using Assay.Attestation.Tpm;
using Assay.Service.Keys;
using Assay.Service.Storage;
using Assay.Trust;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Attestation;

/// <summary>What a host adds and maps to serve attestation, after the kernel.</summary>
public static class AttestationRole
{
    /// <summary>The role's part of the schema.</summary>
    public static IEnumerable<SchemaScript> Schema => SchemaScript.OfAssembly(typeof(AttestationRole).Assembly);

    /// <summary>What the role keeps encrypted.</summary>
    public static IEnumerable<SealedColumn> SealedColumns => AppraisalStore.SealedColumns;

    /// <summary>Adds the role.</summary>
    public static IServiceCollection AddAttestation(this IServiceCollection services, AttestationTerms terms, VerifierCache cache)
    {
        ArgumentNullException.ThrowIfNull(services);
        services.AddMetrics();
        services.AddSingleton(terms).AddSingleton(cache).AddSingleton<AttestationService>().AddSingleton<AttestationMeters>();
        services.AddSingleton<PolicyStore>().AddSingleton<PolicyTrial>().AddSingleton<AppraisalStore>().AddSingleton<AppraisalRoad>().AddSingleton<SelfTest>().AddSingleton<TpmKeyStore>();
        services.AddSingleton<AttestationUpkeep>().AddHostedService(provider => provider.GetRequiredService<AttestationUpkeep>());
        return services;
    }

    /// <summary>Maps its endpoints.</summary>
    public static void MapAttestation(this IEndpointRouteBuilder routes)
    {
        ArgumentNullException.ThrowIfNull(routes);
        routes.MapAppraisals();
        routes.MapTokens();
        routes.MapPolicies();
        routes.MapAudiences();
        routes.MapNras(routes.ServiceProvider.GetRequiredService<AttestationTerms>());
        routes.MapTpm();
        routes.MapDiscovery();
    }
}

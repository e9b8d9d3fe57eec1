using System.Collections.Immutable;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Trust.Revocation;

namespace Assay.Cli.Demo;

/// <summary>The RIM service of a simulated world, without a network.</summary>
internal sealed class WorldRims(SimulatedWorld world) : ICollateralSource
{
    public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation) =>
        Task.FromResult(world.Rims.FirstOrDefault(rim => rim.Id == question.Key.Id) is { } rim ? Fetched.Item("the simulated service", rim.Xml) : Fetched.Absent("the simulated service", $"the simulated service has no {question.Key.Id}"));

    public Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) => Task.FromResult<ImmutableArray<string>>([.. world.Rims.Select(rim => rim.Id)]);
}

/// <summary>The OCSP responder of a simulated world, without a network: it reads our request and answers it.</summary>
internal sealed class WorldOcsp(SimulatedWorld world) : ICollateralSource
{
    public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation)
    {
        var query = question.Status!;
        return Task.FromResult(Fetched.Item("the simulated responder", world.AnswerOcsp(OcspRequest.Encode(query.Certificate, query.Issuer))));
    }
}

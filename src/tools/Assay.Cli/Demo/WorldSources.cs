using System.Collections.Immutable;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Cli.Demo;

/// <summary>The RIM service of a simulated world, without a network.</summary>
internal sealed class WorldRims(SimulatedWorld world) : IRimSource
{
    public Task<RimAnswer> FetchAsync(string id, CancellationToken cancellation) =>
        Task.FromResult(world.Rims.FirstOrDefault(rim => rim.Id == id) is { } rim ? RimAnswer.Of(rim.Xml) : RimAnswer.None($"the simulated service has no {id}"));

    public Task<ImmutableArray<string>> ListAsync(CancellationToken cancellation) => Task.FromResult<ImmutableArray<string>>([.. world.Rims.Select(rim => rim.Id)]);
}

/// <summary>The OCSP responder of a simulated world, without a network: it reads our request and answers it.</summary>
internal sealed class WorldOcsp(SimulatedWorld world) : IOcspSource
{
    public Task<OcspFetch> FetchAsync(RevocationQuery query, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(query);
        var request = OcspRequest.Encode(query.Certificate, query.Issuer);
        return Task.FromResult(OcspFetch.Of(new OcspItem(world.AnswerOcsp(request), ReadOnlyMemory<byte>.Empty)));
    }
}

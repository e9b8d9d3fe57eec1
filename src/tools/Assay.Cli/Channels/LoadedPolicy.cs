using System.Collections.Immutable;
using Assay.Binding;
using Assay.Cli.Verify;
using Assay.Client.Channels;
using Assay.Wire;

namespace Assay.Cli.Channels;

/// <summary>A channel policy with everything that it refers to.</summary>
/// <param name="Path">As it was given.</param>
/// <param name="Sha384">Of its bytes.</param>
/// <param name="Policy">What is demanded of servers.</param>
/// <param name="Whose">The operator, in words.</param>
/// <param name="Request">What its verify file says. Connections that exist use it as long as they like: it is never disposed of while this process serves.</param>
internal sealed record LoadedPolicy(string Path, Digest Sha384, ChannelPolicy Policy, string Whose, VerifyRequest Request) : IDisposable
{
    /// <summary>What it demands, in a line.</summary>
    public string Summary => $"level {ChannelBinding.WordOf(Policy.MinimumLevel)}, purpose {Policy.Purpose}, {Whose}";

    /// <summary>The names of what weakens a channel or its verdict and is not accepted.</summary>
    public ImmutableArray<string> Unaccepted(ImmutableArray<string> weakened) => Unaccepted(Request, weakened);

    /// <summary>The same of a verify file alone. One that says nothing of weakenings accepts none.</summary>
    public static ImmutableArray<string> Unaccepted(VerifyRequest request, ImmutableArray<string> weakened) =>
        request.FailOnWeakened is { IsEmpty: false } refused ? [.. weakened.Where(refused.Contains)] : weakened;

    /// <summary>Ends its sources.</summary>
    public void Dispose() => Request.Dispose();
}

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Assay.Binding;
using Assay.Client.Channels;
using Assay.Client.Channels.Tls;

namespace Assay.Cli.Demo;

/// <summary>
/// A thief who has the TLS key of a genuine VM, and nothing else of it. He ends the victim's TLS with the stolen key, and passes what follows to the VM over a connection of his own: he reads
/// and changes everything on the way.
/// </summary>
/// <param name="evidence">The genuine VM.</param>
/// <param name="name">The VM's name.</param>
/// <param name="whose">Its operator, whose CA signed for the stolen key.</param>
internal sealed class DemoThief(IChannelEvidenceSource evidence, string name, DemoOperator whose)
{
    /// <summary>Why the victim refuses; null where it is deceived.</summary>
    public async Task<ChannelException?> RelayAsync(ChannelPolicy policy, CancellationToken cancellation)
    {
        using var identities = new ChannelIdentities(new ChannelIdentityOptions
        {
            Purpose = policy.Purpose,
            Epoch = RandomNumberGenerator.GetBytes(ChannelBinding.EpochSize),
            Evidence = evidence,
            Names = [name],
            Issuer = whose.Authority,
        });
        var stolen = await identities.CurrentAsync(cancellation).ConfigureAwait(false);
        var genuine = new ChannelServer(new ChannelServerOptions { Identities = identities, LowestLevel = ChannelLevel.Challenge });
        var (victim, front) = await PairAsync(cancellation).ConfigureAwait(false);
        var (back, machine) = await PairAsync(cancellation).ConfigureAwait(false);
        var accepting = genuine.AcceptAsync(machine, cancellation);
        var relaying = PassAsync(front, back, stolen, cancellation);
        try
        {
            var channel = await new ChannelClient(policy).OpenAsync(victim, name, cancellation).ConfigureAwait(false);
            await channel.DisposeAsync().ConfigureAwait(false);
            return null;
        }
        catch (ChannelException exception)
        {
            await ((Task)accepting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            // A connection that broke off is no refusal: what broke it is told.
            return exception.Id is "channel.connection" ? new ChannelException(exception.Id, $"{exception.Reason} ({(accepting.Exception ?? relaying.Exception)?.InnerException?.Message})", exception) : exception;
        }
        finally
        {
            await ((Task)relaying).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            await ((Task)accepting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (accepting.IsCompletedSuccessfully)
            {
                await (await accepting.ConfigureAwait(false)).DisposeAsync().ConfigureAwait(false);
            }
        }
    }

    private async Task PassAsync(Stream front, Stream back, ChannelIdentity stolen, CancellationToken cancellation)
    {
        var near = await ManagedTlsEnd.AcceptAsync(front, stolen, null, cancellation).ConfigureAwait(false);
        await using (near.ConfigureAwait(false))
        {
            var far = await ManagedTlsEnd.ConnectAsync(back, name, _ => { }, null, cancellation).ConfigureAwait(false);
            await using (far.ConfigureAwait(false))
            {
                await new ChannelRelay(1).RunAsync(near.Stream, far.Stream, cancellation).ConfigureAwait(false);
            }
        }
    }

    private static async Task<(Stream One, Stream Other)> PairAsync(CancellationToken cancellation)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var one = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await one.ConnectAsync(listener.LocalEndPoint!, cancellation).ConfigureAwait(false);
        var other = await listener.AcceptAsync(cancellation).ConfigureAwait(false);
        other.NoDelay = true;
        return (new NetworkStream(one, ownsSocket: true), new NetworkStream(other, ownsSocket: true));
    }
}

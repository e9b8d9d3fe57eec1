using Assay.Binding;
using Assay.Client.Channels;

namespace Assay.Cli.Channels;

/// <summary>Opens channels to one server, counts them, and writes a line about each to standard error.</summary>
internal sealed class UpstreamDialer(UpstreamAddress upstream, ProxyCounts counts)
{
    private const int EpochCharacters = 8;

    /// <summary>The application's bytes of a new channel.</summary>
    /// <exception cref="ChannelException">There is none; it was told and counted.</exception>
    public async Task<Stream> DialAsync(ChannelClient client, CancellationToken cancellation)
    {
        try
        {
            var connection = await ChannelHttp.DialAsync(client, upstream.Host, upstream.Port, cancellation).ConfigureAwait(false);
            counts.CountOpened();
            Tell(connection.Peer!);
            return new CountedStream(connection, counts);
        }
        catch (ChannelException exception)
        {
            counts.CountRefused(exception.Id);
            Output.Error(exception.Id, $"{upstream}: refused: {exception.Reason}");
            throw;
        }
    }

    private void Tell(ChannelResult peer)
    {
        var weakened = peer.Weakened.IsEmpty ? "" : $", weakened by {string.Join(", ", peer.Weakened)}";
        var boot = Convert.ToHexStringLower(peer.Epoch.Span)[..EpochCharacters];
        Console.Error.WriteLine(Printable.Of($"assay: {upstream}: channel open: level {ChannelBinding.WordOf(peer.Level)}, verdict {peer.Verdict.Word}, {peer.Operator}, boot {boot}…, certificate until {Instant.Text(peer.NotAfter)}{weakened}"));
    }
}

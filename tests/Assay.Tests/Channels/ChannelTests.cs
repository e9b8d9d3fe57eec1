using System.Text;
using Assay.Binding;
using Assay.Client.Channels;
using Assay.Policy;

namespace Assay.Tests.Channels;

/// <summary>Channels between a relying party and a simulated VM, at each level.</summary>
public sealed class ChannelTests
{
    [Theory]
    [InlineData(ChannelLevel.Certificate)]
    [InlineData(ChannelLevel.Challenge)]
    [InlineData(ChannelLevel.Exporter)]
    public async Task A_channel_of_each_level_opens_and_carries_bytes_both_ways(ChannelLevel level)
    {
        await using var world = await ChannelWorld.StartAsync();
        var (client, server) = await ChannelWorld.OpenAsync(new ChannelClient(world.Policy(level)), world.Server(level));
        await using (client)
        await using (server)
        {
            Assert.Equal(level, client.Peer!.Level);
            Assert.Equal(VerdictKind.Pass, client.Peer.Verdict.Kind);
            Assert.Equal("boot-event", client.Peer.Verdict.Binding);
            Assert.Equal(world.Epoch, client.Peer.Epoch.ToArray());
            Assert.Null(server.Peer);
            var sent = Encoding.UTF8.GetBytes(new string('x', 300_000));
            var writing = client.Stream.WriteAsync(sent, TestContext.Current.CancellationToken);
            var received = new byte[sent.Length];
            await server.Stream.ReadExactlyAsync(received, TestContext.Current.CancellationToken);
            await writing;
            Assert.Equal(sent, received);
            await server.Stream.WriteAsync("answer"u8.ToArray(), TestContext.Current.CancellationToken);
            var answer = new byte[6];
            await client.Stream.ReadExactlyAsync(answer, TestContext.Current.CancellationToken);
            Assert.Equal("answer", Encoding.UTF8.GetString(answer));
        }
    }

    [Theory]
    [InlineData(ChannelLevel.Challenge)]
    [InlineData(ChannelLevel.Exporter)]
    public async Task Both_ends_can_demand_evidence_of_each_other(ChannelLevel level)
    {
        await using var world = await ChannelWorld.StartAsync();
        using var own = world.Identities(options => options with { Role = ChannelRole.Client });
        var (client, server) = await ChannelWorld.OpenAsync(new ChannelClient(world.Policy(level), own), world.Server(level, clients: world.Policy(level)));
        await using (client)
        await using (server)
        {
            Assert.Equal(level, client.Peer!.Level);
            Assert.Equal(level, server.Peer!.Level);
            Assert.NotEqual(client.Peer.Leaf.ToArray(), server.Peer.Leaf.ToArray());
        }
    }
}

using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Assay.Binding;
using Assay.Channels;
using Assay.Client.Channels;
using Assay.Client.Channels.Tls;

namespace Assay.Tests.Channels;

/// <summary>Frames of the exchange: what is announced takes no memory, and what follows a message stays unread.</summary>
public sealed class MessageTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0u)]
    [InlineData(ChannelMessage.MaximumSize + 1u)]
    [InlineData(0x7FFF_FFFFu)]
    [InlineData(0x8000_0000u)]
    [InlineData(0xFFFF_FFFFu)]
    public async Task A_message_announced_too_large_or_empty_is_refused_and_takes_no_memory(uint size)
    {
        var exchange = Over(Header(size));
        // Of this thread: what the stream gives is there already, so nothing is waited for.
        var before = GC.GetAllocatedBytesForCurrentThread();
        var receiving = exchange.ReceiveAsync(hasEvidence: true, Cancellation);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.Equal("channel.message", (await Assert.ThrowsAsync<ChannelException>(() => receiving)).Id);
        Assert.InRange(allocated, 0, 64 * 1024);
    }

    [Fact]
    public async Task A_message_that_is_announced_and_does_not_come_takes_the_memory_of_what_came()
    {
        var exchange = Over([.. Header(ChannelMessage.MaximumSize), .. new byte[1000]]);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var receiving = exchange.ReceiveAsync(hasEvidence: true, Cancellation);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        await Assert.ThrowsAsync<EndOfStreamException>(() => receiving);
        Assert.InRange(allocated, 0, 192 * 1024);
    }

    [Fact]
    public async Task A_message_of_the_largest_size_is_read_and_written_and_one_byte_more_is_not()
    {
        var largest = Answer(ChannelMessage.MaximumSize);
        Assert.Equal(ChannelMessage.MaximumSize, largest.ToJson().Length);
        using var sent = new MemoryStream();
        await new Exchange(new Fake(sent), ChannelRole.Server, null).SendAsync(largest, Cancellation);
        Assert.Equal(sizeof(uint) + ChannelMessage.MaximumSize, sent.Length);

        var read = await Over(sent.ToArray()).ReceiveAsync(hasEvidence: true, Cancellation);
        Assert.Equal(largest.Answer!.Evidence.ToArray(), read.Answer!.Evidence.ToArray());

        var refused = await Assert.ThrowsAsync<ChannelException>(() => new Exchange(new Fake(sent), ChannelRole.Server, null).SendAsync(Answer(ChannelMessage.MaximumSize + 1), Cancellation));
        Assert.Equal("channel.own-evidence", refused.Id);
        Assert.False(ChannelMessage.TryParse(Answer(ChannelMessage.MaximumSize + 1).ToJson(), out _, out var fault));
        Assert.Equal("message", fault.Field);
    }

    [Fact]
    public async Task What_follows_a_message_is_the_applications_and_is_not_read()
    {
        var json = new ChannelMessage { Accepted = true }.ToJson();
        using var stream = new MemoryStream([.. Header((uint)json.Length), .. json, .. "GET / HTTP/1.1"u8]);
        var exchange = new Exchange(new Fake(stream), ChannelRole.Server, null);

        Assert.True((await exchange.ReceiveAsync(hasEvidence: true, Cancellation)).Accepted);
        Assert.Equal(sizeof(uint) + json.Length, stream.Position);
    }

    [Fact]
    public async Task The_other_ends_reason_is_shown_without_what_controls_a_terminal()
    {
        var json = new ChannelMessage { Refused = new ChannelRefusal("channel.level", "no\u001b[2J\nno") }.ToJson();
        var refused = await Assert.ThrowsAsync<ChannelException>(() => Over([.. Header((uint)json.Length), .. json]).ReceiveAsync(hasEvidence: true, Cancellation));

        Assert.Equal("channel.refused", refused.Id);
        Assert.DoesNotContain(refused.Message, char.IsControl);
    }

    [Fact]
    public void A_digest_that_is_asked_for_twice_is_refused()
    {
        var digest = ChannelStatement.DigestOf("part"u8);
        var ask = new ChannelAsk(RandomNumberGenerator.GetBytes(ChannelBinding.ChallengeSize), ChannelLevel.Certificate, [digest, digest]);

        Assert.False(ChannelMessage.TryParse(new ChannelMessage { Ask = ask }.ToJson(), out _, out var fault));
        Assert.Equal("digests", fault.Field);
    }

    private static Exchange Over(byte[] bytes) => new(new Fake(new MemoryStream(bytes)), ChannelRole.Server, null);

    private static byte[] Header(uint size)
    {
        var header = new byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(header, size);
        return header;
    }

    private static ChannelMessage Answer(int size)
    {
        ChannelMessage Of(int letters) => new()
        {
            Answer = new ChannelAnswer { Level = ChannelLevel.Exporter, Purpose = "inference", Epoch = Enumerable.Repeat((byte)1, ChannelBinding.EpochSize).ToArray(), Evidence = Encoding.ASCII.GetBytes($$"""{"pad":"{{new string('a', letters)}}"}""") },
        };
        return Of(size - Of(0).ToJson().Length);
    }

    private sealed class Fake(Stream stream) : TlsEnd
    {
        public override bool ShowedCertificate => true;

        public override Stream Stream => stream;

        public override IReadOnlyList<byte[]> PeerChain => [];

        public override bool SpeaksChannel => true;
    }
}

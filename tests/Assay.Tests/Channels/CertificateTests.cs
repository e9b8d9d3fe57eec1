using System.Collections.Immutable;
using System.Formats.Asn1;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Channels;
using Assay.Client.Channels;
using Assay.Client.Channels.Tls;

namespace Assay.Tests.Channels;

/// <summary>Certificates of channels that are too large, too old, too long, or wrapped again.</summary>
public sealed class CertificateTests
{
    private const int LargestQuote = 16 * 1024;

    private static readonly DateTimeOffset s_now = new(2026, 11, 30, 12, 0, 0, TimeSpan.Zero);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public void An_extension_of_32_KiB_is_read_and_one_byte_more_is_not()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var largest = StatementOf(ChannelStatement.MaximumSize);
        Assert.Equal(ChannelStatement.MaximumSize, largest.Length);
        Assert.True(ChannelCertificate.TryRead(Leaf(key, s_now, s_now.AddMinutes(50), largest), out var read, out var fault), $"{fault}");
        Assert.Equal(ChannelStatement.MaximumSize, read.Statement!.ToJson().Length);

        Assert.False(ChannelCertificate.TryRead(Leaf(key, s_now, s_now.AddMinutes(50), StatementOf(ChannelStatement.MaximumSize + 1)), out _, out fault));
        Assert.Equal("certificate.extension", fault.Field);
    }

    [Fact]
    public void An_extension_that_is_there_twice_is_refused_whatever_is_in_it()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var statement = StatementOf(1024);
        var leaf = Leaf(key, s_now, s_now.AddMinutes(50), statement, "2.25.209614583920471650238419575036281947562");
        // The same certificate with the other extension's last letter changed: the platform makes none with an extension twice.
        var (from, to) = (Encoded("2.25.209614583920471650238419575036281947562"), Encoded(ChannelStatement.Oid));
        Assert.True(ChannelCertificate.TryRead(leaf, out _, out _));
        to.CopyTo(leaf, leaf.AsSpan().IndexOf(from));

        Assert.False(ChannelCertificate.TryRead(leaf, out _, out var fault));
        Assert.Equal("certificate.extension", fault.Field);
    }

    // Not before, not after, in minutes from now, and the fault.
    [Theory]
    [InlineData(-1, 59, null)]
    [InlineData(1, 61, null)]
    [InlineData(-61, 0, null)]
    [InlineData(-1, 61, "channel.certificate.life")]
    [InlineData(0, 60 * 24, "channel.certificate.life")]
    [InlineData(-50, -1, "channel.certificate.expired")]
    [InlineData(2, 50, "channel.certificate.expired")]
    public void A_certificate_lives_for_an_hour_and_counts_while_it_lives(int notBefore, int notAfter, string? expected)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        Assert.True(ChannelCertificate.TryRead(Leaf(key, s_now.AddMinutes(notBefore), s_now.AddMinutes(notAfter), null), out var peer, out _));
        var view = new ChannelView
        {
            PeerRole = ChannelRole.Server,
            Peer = peer,
            Ask = new ChannelAsk(RandomNumberGenerator.GetBytes(ChannelBinding.ChallengeSize), ChannelLevel.Challenge, []),
            Purpose = "inference",
            Now = s_now,
        };
        var answer = new ChannelAnswer { Level = ChannelLevel.Challenge, Purpose = "inference", Epoch = RandomNumberGenerator.GetBytes(ChannelBinding.EpochSize), Evidence = "{}"u8.ToArray() };

        Assert.False(view.TryRead(answer, out _, out var fault));
        // Evidence that says nothing is refused after the dates were found good.
        Assert.Equal(expected ?? "channel.evidence", fault.Id);
    }

    [Fact]
    public async Task The_largest_quote_that_is_read_passes_in_a_certificate()
    {
        await using var world = await ChannelWorld.StartAsync();
        var evidence = new PaddedEvidence(world.Evidence, LargestQuote);
        using var identities = world.Identities(options => options with { Evidence = evidence, EvidenceInCertificate = true });
        var server = new ChannelServer(new ChannelServerOptions { Identities = identities, HighestLevel = ChannelLevel.Certificate, LowestLevel = ChannelLevel.Certificate });
        var (client, accepted) = await ChannelWorld.OpenAsync(new ChannelClient(world.Policy(ChannelLevel.Certificate)), server);
        await using (client)
        await using (accepted)
        {
            Assert.Equal(ChannelLevel.Certificate, client.Peer!.Level);
            Assert.InRange((await identities.CurrentAsync(Cancellation)).Statement!.ToJson().Length, 22_000, ChannelStatement.MaximumSize);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_certificate_at_the_limit_goes_through_the_handshake_of_either_TLS(bool managed)
    {
        await using var world = await ChannelWorld.StartAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var now = TimeProvider.System.GetUtcNow();
        Assert.True(ChannelCertificate.TryRead(Leaf(key, now.AddMinutes(-1), now.AddMinutes(50), StatementOf(ChannelStatement.MaximumSize), issuer: world.Operator), out var certificate, out _));
        using var identity = new ChannelIdentity(key, certificate, [world.Operator.RawData], null, ImmutableSortedDictionary<string, ReadOnlyMemory<byte>>.Empty);
        var (near, far) = await ChannelWorld.PairAsync();
        var accepting = AcceptAsync(managed, far, identity);
        await using TlsEnd client = managed ? await ManagedTlsEnd.ConnectAsync(near, ChannelWorld.Host, _ => { }, null, Cancellation) : await SslStreamEnd.ConnectAsync(near, ChannelWorld.Host, _ => { }, null, Cancellation);
        await using var server = await accepting;

        Assert.Equal(certificate.Raw.ToArray(), client.PeerChain[0]);
        Assert.True(ChannelCertificate.TryRead(client.PeerChain[0], out var seen, out _));
        Assert.Equal(ChannelStatement.MaximumSize, seen.Statement!.ToJson().Length);
    }

    [Fact]
    public async Task Evidence_in_a_certificate_counts_for_its_dates_and_not_for_the_same_key_with_other_dates()
    {
        await using var world = await ChannelWorld.StartAsync();
        using var identities = world.Identities(options => options with { EvidenceInCertificate = true });
        var genuine = await identities.CurrentAsync(Cancellation);
        // First seen to pass, by the same hand.
        Assert.Equal(ChannelLevel.Certificate, (await OpenAsync(world, genuine, identities.Options)).Level);

        var later = Leaf(genuine.Key, genuine.Certificate.NotBefore.AddSeconds(10), genuine.Certificate.NotAfter.AddSeconds(10), genuine.Statement!.ToJson(), issuer: world.Operator);
        Assert.True(ChannelCertificate.TryRead(later, out var certificate, out _));
        Assert.Equal(genuine.Certificate.Jwk.ToArray(), certificate.Jwk.ToArray());
        using var wrapped = new ChannelIdentity(genuine.Key, certificate, [world.Operator.RawData], certificate.Statement, genuine.Parts);

        var refused = await Assert.ThrowsAsync<ChannelException>(() => OpenAsync(world, wrapped, identities.Options));
        Assert.Equal("channel.verdict", refused.Id);
    }

    // A server of our own making, which shows any identity.
    private static async Task<ChannelResult> OpenAsync(ChannelWorld world, ChannelIdentity identity, ChannelIdentityOptions options)
    {
        var (near, far) = await ChannelWorld.PairAsync();
        var serving = Task.Run(
            async () =>
            {
                await using var tls = await SslStreamEnd.AcceptAsync(far, identity, null, Cancellation);
                var exchange = new Exchange(tls, ChannelRole.Server, (identity, options));
                var asked = await exchange.ReceiveAsync(hasEvidence: true, Cancellation);
                await exchange.SendAsync(new ChannelMessage { Answer = await exchange.AnswerAsync(asked.Ask!, Cancellation) }, Cancellation);
                await exchange.ReceiveAsync(hasEvidence: true, Cancellation);
            },
            Cancellation);
        try
        {
            await using var channel = await new ChannelClient(world.Policy(ChannelLevel.Certificate)).OpenAsync(near, ChannelWorld.Host, Cancellation);
            return channel.Peer!;
        }
        finally
        {
            await serving.ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }

    private static async Task<TlsEnd> AcceptAsync(bool managed, Stream transport, ChannelIdentity identity) =>
        managed ? await ManagedTlsEnd.AcceptAsync(transport, identity, null, Cancellation) : await SslStreamEnd.AcceptAsync(transport, identity, null, Cancellation);

    // JSON of exactly so many bytes: the purpose takes what base64 leaves over.
    private static byte[] StatementOf(int size)
    {
        ChannelStatement Of(int letters, int bytes) => new()
        {
            Purpose = new string('a', letters),
            Epoch = Enumerable.Repeat((byte)1, ChannelBinding.EpochSize).ToArray(),
            Tee = "tdx",
            Quote = new byte[bytes],
            Devices = "",
            Log = "",
        };
        var rest = size - Of(1, 0).ToJson().Length;
        return Of(1 + (rest % 4), rest / 4 * 3).ToJson();
    }

    private static byte[] Leaf(ECDsa key, DateTimeOffset notBefore, DateTimeOffset notAfter, byte[]? statement, string? again = null, X509Certificate2? issuer = null)
    {
        var request = new CertificateRequest($"CN={ChannelWorld.Host}", key, HashAlgorithmName.SHA384);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(ChannelWorld.Host);
        request.CertificateExtensions.Add(names.Build());
        foreach (var oid in statement is null ? [] : new[] { ChannelStatement.Oid, again }.OfType<string>())
        {
            var writer = new AsnWriter(AsnEncodingRules.DER);
            writer.WriteOctetString(statement);
            request.CertificateExtensions.Add(new X509Extension(oid, writer.Encode(), critical: false));
        }

        using var made = issuer is null ? request.CreateSelfSigned(notBefore, notAfter) : request.Create(issuer, notBefore, notAfter, [1, 2, 3, 4]);
        return made.RawData;
    }

    private static byte[] Encoded(string oid)
    {
        var writer = new AsnWriter(AsnEncodingRules.DER);
        writer.WriteObjectIdentifier(oid);
        return writer.Encode();
    }

    /// <summary>Zeros after the quote, as drivers of a fixed buffer leave them.</summary>
    private sealed class PaddedEvidence(IChannelEvidenceSource source, int size) : IChannelEvidenceSource
    {
        public async Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation)
        {
            var bundle = JsonNode.Parse((await source.MakeAsync(nonce, key, byDigest, cancellation)).Span)!;
            var quote = Convert.FromBase64String(bundle["cpu"]!["quote"]!.GetValue<string>());
            Array.Resize(ref quote, size);
            bundle["cpu"]!["quote"] = Convert.ToBase64String(quote);
            return JsonSerializerBytes(bundle);
        }

        private static byte[] JsonSerializerBytes(JsonNode node) => System.Text.Encoding.UTF8.GetBytes(node.ToJsonString());
    }
}

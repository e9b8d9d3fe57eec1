using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json.Nodes;
using Assay.Binding;
using Assay.Channels;
using Assay.Checks;
using Assay.Client.Channels;
using Assay.Client.Channels.Tls;
using Assay.Evidence.Tdx;
using Assay.Policy;
using Assay.Simulator;

namespace Assay.Tests.Channels;

/// <summary>Attacks by what a server says, shows or leaves out (docs/security/channels.md, T8, T10, T11, T13 to T16). Nothing of the application crosses in any of them.</summary>
public sealed class HostileServerTests
{
    [Fact]
    public async Task T8_evidence_of_a_client_is_no_evidence_of_a_server()
    {
        await using var world = await ChannelWorld.StartAsync();
        using var identities = world.Identities();
        var own = await identities.CurrentAsync(TestContext.Current.CancellationToken);
        var ask = new ChannelAsk(RandomNumberGenerator.GetBytes(ChannelBinding.ChallengeSize), ChannelLevel.Challenge, []);
        var binding = new ChannelBinding { Level = ChannelLevel.Challenge, Role = ChannelRole.Client, Purpose = ChannelWorld.Purpose, Epoch = world.Epoch, NotBefore = own.Certificate.NotBefore, NotAfter = own.Certificate.NotAfter, Challenge = ask.Challenge, Leaf = own.Certificate.Digest };
        var reflected = new ChannelAnswer { Level = ChannelLevel.Challenge, Purpose = ChannelWorld.Purpose, Epoch = world.Epoch, Evidence = await world.Evidence.MakeAsync(binding.Nonce(), own.Certificate.Jwk, byDigest: false, TestContext.Current.CancellationToken) };

        // What passes as a client's, an attacker who speaks to both ends shows as his own as a server.
        Assert.Equal(VerdictKind.Pass, await JudgedAsync(ChannelRole.Client));
        Assert.Equal(VerdictKind.Fail, await JudgedAsync(ChannelRole.Server));

        async Task<VerdictKind> JudgedAsync(ChannelRole role)
        {
            var view = new ChannelView { PeerRole = role, Peer = own.Certificate, Ask = ask, Purpose = ChannelWorld.Purpose, Now = TimeProvider.System.GetUtcNow() };
            Assert.True(view.TryRead(reflected, out var evidence, out var fault), $"{fault}");
            return (await world.Appraiser.AppraiseAsync(evidence, TestContext.Current.CancellationToken)).Kind;
        }
    }

    [Theory]
    [InlineData("""{"v":1,"answer":{"level":"certificate","purpose":"inference","epoch":"AAAAAAAAAAAAAAAAAAAAAQ","parts":{}}}""", "channel.level")]
    [InlineData("""{"v":1,"answer":{"level":"challenge","purpose":"inference","epoch":"AAAAAAAAAAAAAAAAAAAAAQ","evidence":{}}}""", "channel.level")]
    [InlineData("""{"v":1,"answer":{"level":"none","purpose":"inference","epoch":"AAAAAAAAAAAAAAAAAAAAAQ"}}""", "channel.message")]
    [InlineData("""{"v":1,"answer":{"level":"exporter","purpose":"inference","epoch":"AAAAAAAAAAAAAAAAAAAAAQ"}}""", "channel.message")]
    [InlineData("""{"v":1,"answer":{"level":"exporter","purpose":"inference","epoch":"AAAAAAAAAAAAAAAAAAAAAQ","evidence":{}}}""", "channel.evidence")]
    [InlineData("""{"v":1,"answer":{"level":"exporter","purpose":"training","epoch":"AAAAAAAAAAAAAAAAAAAAAQ","evidence":{}}}""", "channel.purpose")]
    [InlineData("""{"v":0,"answer":{"level":"exporter","purpose":"inference","epoch":"AAAAAAAAAAAAAAAAAAAAAQ","evidence":{}}}""", "channel.message")]
    [InlineData("""{"v":1,"answer":{"level":"exporter","purpose":"inference","epoch":"AAAAAAAAAAAAAAAAAAAAAA","evidence":{}}}""", "channel.message")]
    [InlineData("""{"v":1,"accepted":true}""", "channel.message")]
    [InlineData("""{"v":1}""", "channel.message")]
    [InlineData("{}", "channel.message")]
    [InlineData("", "channel.message")]
    [InlineData("""{"v":1,"refused":{"id":"channel.level","reason":"only none here"}}""", "channel.refused")]
    public async Task T10_a_server_that_answers_less_than_is_asked_gets_no_byte_of_the_request(string answer, string expected)
    {
        await using var world = await ChannelWorld.StartAsync();
        var (refused, afterwards) = await AskedAsync(world, async stream =>
        {
            await ReadFrameAsync(stream);
            await WriteFrameAsync(stream, Encoding.UTF8.GetBytes(answer));
        });
        Assert.Equal(expected, refused.Id);
        Assert.Equal(0, afterwards);
    }

    [Fact]
    public async Task T10_what_is_no_message_and_what_never_comes_close_the_channel()
    {
        await using var world = await ChannelWorld.StartAsync();
        var (http, afterHttp) = await AskedAsync(world, async stream =>
        {
            await ReadFrameAsync(stream);
            await stream.WriteAsync("HTTP/1.1 404 Not Found\r\n\r\n"u8.ToArray());
        });
        Assert.Equal("channel.message", http.Id);
        Assert.Equal(0, afterHttp);
        var (silent, afterSilence) = await AskedAsync(world, async stream => await ReadFrameAsync(stream), TimeSpan.FromMilliseconds(300));
        Assert.Contains(silent.Id, new[] { "channel.timeout", "channel.connection" });
        Assert.Equal(0, afterSilence);
    }

    [Theory]
    [InlineData("zero")]
    [InlineData("first half")]
    [InlineData("shifted")]
    [InlineData("hash in the wrong half")]
    public async Task T11_report_data_that_are_empty_short_or_misplaced_are_refused(string what)
    {
        await using var world = await ChannelWorld.StartAsync();
        byte[] Alter(byte[] data) => what switch
        {
            "zero" => new byte[64],
            "first half" => [.. data[..32], .. new byte[32]],
            "shifted" => [.. data[1..], 0],
            _ => [.. new byte[16], .. data[..48]],
        };
        var refused = await Assert.ThrowsAsync<ChannelException>(() => ChannelWorld.OpenAsync(new ChannelClient(world.Policy()), world.Server(change: options => options with { Evidence = new Altered(world, Alter) })));
        Assert.Equal("channel.verdict", refused.Id);
        // The same hands that alter nothing pass.
        var (client, server) = await ChannelWorld.OpenAsync(new ChannelClient(world.Policy()), world.Server(change: options => options with { Evidence = new Altered(world, data => data) }));
        await client.DisposeAsync();
        await server.DisposeAsync();
    }

    [Fact]
    public async Task T13_a_server_without_tls_1_3_or_without_the_protocol_or_an_exporter_is_refused_and_told_why()
    {
        await using var world = await ChannelWorld.StartAsync();
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var request = new CertificateRequest("CN=worker.example", key, HashAlgorithmName.SHA384);
        var names = new SubjectAlternativeNameBuilder();
        names.AddDnsName(ChannelWorld.Host);
        request.CertificateExtensions.Add(names.Build());
        using var issued = request.Create(world.Operator, TimeProvider.System.GetUtcNow().AddMinutes(-5), TimeProvider.System.GetUtcNow().AddMinutes(30), [1, 2, 3]);
        using var certificate = issued.CopyWithPrivateKey(key);

        // The operator's own web server: TLS ends there, and whatever stands between does the same.
        Assert.Equal("channel.tls", await OrdinaryAsync(world.Policy(), SslProtocols.Tls12));
        Assert.Equal("channel.protocol", await OrdinaryAsync(world.Policy(), SslProtocols.Tls13));
        Assert.Equal("channel.protocol", await OrdinaryAsync(world.Policy(ChannelLevel.Challenge), SslProtocols.Tls13));

        var low = await Assert.ThrowsAsync<ChannelException>(() => ChannelWorld.OpenAsync(new ChannelClient(world.Policy()), world.Server(ChannelLevel.Challenge)));
        Assert.Equal("channel.refused", low.Id);
        Assert.Contains("channel.level", low.Reason, StringComparison.Ordinal);

        async Task<string> OrdinaryAsync(ChannelPolicy policy, SslProtocols version)
        {
            var (near, far) = await ChannelWorld.PairAsync();
            var serving = Task.Run(async () =>
            {
                await using var tls = new SslStream(far);
                await tls.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificate = certificate, EnabledSslProtocols = version });
                await tls.ReadExactlyAsync(new byte[1]);
            });
            var refused = await Assert.ThrowsAsync<ChannelException>(() => new ChannelClient(policy).OpenAsync(near, ChannelWorld.Host, TestContext.Current.CancellationToken));
            await serving.ContinueWith(_ => { }, TaskScheduler.Default);
            return refused.Id;
        }
    }

    [Fact]
    public async Task T14_devices_of_another_machine_or_one_fewer_are_refused()
    {
        await using var world = await ChannelWorld.StartAsync();
        await using var other = await ChannelWorld.StartAsync();
        var mixed = await RefusedAsync(world, new Edited(world.Evidence, async (bundle, nonce, key) =>
        {
            var borrowed = JsonNode.Parse((await other.Evidence.MakeAsync(nonce, key, byDigest: false, TestContext.Current.CancellationToken)).Span)!;
            bundle["gpus"] = borrowed["gpus"]!.DeepClone();
        }));
        Assert.Equal("channel.verdict", mixed.Id);
        var fewer = await RefusedAsync(world, new Edited(world.Evidence, (bundle, _, _) =>
        {
            bundle["gpus"]!.AsArray().RemoveAt(0);
            return Task.CompletedTask;
        }));
        Assert.Equal("channel.verdict", fewer.Id);
    }

    [Fact]
    public async Task T15_each_pooled_connection_is_attested_before_a_byte_of_a_request_and_one_that_failed_is_not_used_again()
    {
        await using var world = await ChannelWorld.StartAsync();
        await using var honest = await Listening.StartAsync(world.Server());
        using var handler = ChannelHttp.CreateHandler(new ChannelClient(world.Policy()));
        using var http = new HttpClient(handler);
        Assert.Equal("hello", await http.GetStringAsync(new Uri($"http://127.0.0.1:{honest.Port}/"), TestContext.Current.CancellationToken));
        Assert.Equal("hello", await http.GetStringAsync(new Uri($"http://127.0.0.1:{honest.Port}/"), TestContext.Current.CancellationToken));
        Assert.Equal(1, honest.Opened);

        // Genuine, and of another purpose: three requests are three refusals, and the application there has read nothing.
        await using var foreign = await Listening.StartAsync(world.Server(change: options => options with { Purpose = "training" }));
        for (var attempt = 0; attempt < 3; attempt++)
        {
            var refused = await Assert.ThrowsAsync<HttpRequestException>(() => http.PostAsync(new Uri($"http://127.0.0.1:{foreign.Port}/"), new StringContent("the secret prompt"), TestContext.Current.CancellationToken));
            Assert.IsType<ChannelException>(refused.InnerException);
        }

        Assert.Equal(0, foreign.Opened);
        Assert.True(SpinWait.SpinUntil(() => foreign.Refused == 3, Patience.Long));
    }

    [Fact]
    public async Task T16_questions_of_another_size_are_refused_and_evidence_is_made_for_a_bounded_number_of_callers()
    {
        await using var world = await ChannelWorld.StartAsync();
        foreach (var size in new[] { 0, 16, 31, 32, 33, 2000 })
        {
            var answer = await AskRawAsync(world, Question(new byte[size]));
            Assert.Equal("channel.message", answer.Refused!.Id);
        }

        // A question has no room for what a stranger wants kept.
        Assert.Equal("channel.message", (await AskRawAsync(world, Question(new byte[8000]))).Refused!.Id);
        var chosen = await AskRawAsync(world, Question(RandomNumberGenerator.GetBytes(32), ",\"reportData\":\"00\""));
        Assert.Equal("channel.message", chosen.Refused!.Id);

        // One answer is made at a time; those who wait are counted, whatever their number.
        var evidence = world.Evidence;
        var key = Encoding.UTF8.GetBytes("""{"crv":"P-256","kty":"EC","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}""");
        world.Guest.Hardware.HoldAt = null;
        var calls = Enumerable.Range(0, 300).Select(_ => evidence.MakeAsync("nonce", key, byDigest: false, TestContext.Current.CancellationToken)).ToArray();
        await Task.WhenAll(calls).ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.All(calls.Where(call => call.IsFaulted), call => Assert.Equal("channel.busy", Assert.IsType<ChannelException>(call.Exception!.InnerException).Id));
        Assert.Contains(calls, call => call.IsFaulted);
        Assert.Contains(calls, call => call.IsCompletedSuccessfully);
    }

    [Theory]
    [InlineData(TdxFault.RevokedPck, "tdx.chain.not-revoked")]
    [InlineData(TdxFault.ExpiredPck, "tdx.chain.current")]
    [InlineData(TdxFault.StalePckCrl, "tdx.chain.status-current")]
    [InlineData(TdxFault.ForgedPckCrl, "tdx.chain.not-revoked")]
    [InlineData(TdxFault.PlatformOutOfDate, "tdx.tcb.platform.accepted")]
    [InlineData(TdxFault.Debug, "tdx.debug.off")]
    public async Task T17_a_platform_that_was_revoked_or_is_below_the_floor_or_under_debug_is_refused_by_its_own_check(TdxFault fault, string check)
    {
        await using var world = await ChannelWorld.StartAsync();
        world.Guest.Hardware.Platform = fault;
        world.Guest.Hardware.Answer(Encoding.UTF8.GetBytes($$"""{"op":"cpu.report","data":"{{new string('0', 128)}}"}"""));
        var refused = await Assert.ThrowsAsync<ChannelException>(() => ChannelWorld.OpenAsync(new ChannelClient(world.Policy() with { Appraiser = world.Judging(null) }), world.Server()));
        Assert.Contains(refused.Verdict!.Machine!.Parts.ProcessorFindings, finding => finding.Id == check && finding.State is not CheckState.Held);
    }

    [Fact]
    public async Task A_pass_with_a_weakening_that_is_not_listed_opens_nothing()
    {
        await using var world = await ChannelWorld.StartAsync();
        var refused = await Assert.ThrowsAsync<ChannelException>(() => ChannelWorld.OpenAsync(new ChannelClient(world.Policy() with { DangerouslyAcceptedWeakenings = [] }), world.Server()));
        Assert.Equal("channel.weakened", refused.Id);
        Assert.Contains("reference-values-unsigned", refused.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_only_connects_gives_its_place_back()
    {
        await using var world = await ChannelWorld.StartAsync();
        using var identities = world.Identities();
        var server = new ChannelServer(new ChannelServerOptions { Identities = identities, HandshakeTimeout = TimeSpan.FromMilliseconds(200) });
        var (silent, far) = await ChannelWorld.PairAsync();
        var refused = await Assert.ThrowsAsync<ChannelException>(() => server.AcceptAsync(far, TestContext.Current.CancellationToken));
        Assert.Equal("channel.timeout", refused.Id);
        await silent.DisposeAsync();

        // And one that shakes hands and asks nothing.
        (silent, far) = await ChannelWorld.PairAsync();
        var accepting = server.AcceptAsync(far, TestContext.Current.CancellationToken);
        await Record.ExceptionAsync(async () =>
        {
            await using var tls = await ManagedTlsEnd.ConnectAsync(silent, ChannelWorld.Host, _ => { }, null, TestContext.Current.CancellationToken);
            await tls.Stream.ReadExactlyAsync(new byte[1], TestContext.Current.CancellationToken);
        });
        Assert.Equal("channel.timeout", (await Assert.ThrowsAsync<ChannelException>(() => accepting)).Id);
    }

    private static string Question(byte[] challenge, string more = "") =>
        "{\"v\":1,\"ask\":{\"challenge\":\"" + System.Buffers.Text.Base64Url.EncodeToString(challenge) + "\",\"minimum\":\"exporter\"" + more + "}}";

    private static async Task<ChannelException> RefusedAsync(ChannelWorld world, IChannelEvidenceSource evidence) =>
        await Assert.ThrowsAsync<ChannelException>(() => ChannelWorld.OpenAsync(new ChannelClient(world.Policy()), world.Server(change: options => options with { Evidence = evidence })));

    // What a client of the attacker's gets for a question of his own words.
    private static async Task<ChannelMessage> AskRawAsync(ChannelWorld world, string ask)
    {
        var (near, far) = await ChannelWorld.PairAsync();
        var accepting = world.Server().AcceptAsync(far, TestContext.Current.CancellationToken);
        await using var tls = await ManagedTlsEnd.ConnectAsync(near, ChannelWorld.Host, _ => { }, null, TestContext.Current.CancellationToken);
        await WriteFrameAsync(tls.Stream, Encoding.UTF8.GetBytes(ask));
        var answer = await ReadFrameAsync(tls.Stream);
        await accepting.ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.True(ChannelMessage.TryParse(answer, out var message, out var fault), $"{fault}");
        return message;
    }

    // A server with a certificate of the operator's that says what it likes; and how many bytes the client sent afterwards.
    private static async Task<(ChannelException Refused, long Afterwards)> AskedAsync(ChannelWorld world, Func<Stream, Task> answer, TimeSpan? patience = null)
    {
        using var identities = world.Identities();
        var identity = await identities.CurrentAsync(TestContext.Current.CancellationToken);
        var (near, far) = await ChannelWorld.PairAsync();
        var serving = Task.Run(async () =>
        {
            await using var tls = await ManagedTlsEnd.AcceptAsync(far, identity, null, TestContext.Current.CancellationToken);
            await answer(tls.Stream);
            using var sent = new MemoryStream();
            try
            {
                await tls.Stream.CopyToAsync(sent);
            }
            catch (IOException)
            {
                // It broke off.
            }

            // The client says that it does not accept this end, and nothing else.
            var words = sent.ToArray();
            var refusal = words.Length > 4 && ChannelMessage.TryParse(words.AsSpan(4), out var message, out _) && message is { Refused: not null, Ask: null, Answer: null, Accepted: false };
            return refusal ? 0L : words.Length;
        });
        var policy = world.Policy();
        var refused = await Assert.ThrowsAsync<ChannelException>(() => new ChannelClient(patience is { } time ? policy with { Timeout = time } : policy).OpenAsync(near, ChannelWorld.Host, TestContext.Current.CancellationToken));
        return (refused, await serving);
    }

    internal static async Task WriteFrameAsync(Stream stream, byte[] json)
    {
        var frame = new byte[4 + json.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, json.Length);
        json.CopyTo(frame, 4);
        await stream.WriteAsync(frame);
    }

    internal static async Task<byte[]> ReadFrameAsync(Stream stream)
    {
        var header = new byte[4];
        await stream.ReadExactlyAsync(header);
        var json = new byte[BinaryPrimitives.ReadInt32BigEndian(header)];
        await stream.ReadExactlyAsync(json);
        return json;
    }

    /// <summary>Evidence whose quote is made again over other report data.</summary>
    private sealed class Altered(ChannelWorld world, Func<byte[], byte[]> alter) : IChannelEvidenceSource
    {
        public async Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation)
        {
            var bundle = JsonNode.Parse((await world.Evidence.MakeAsync(nonce, key, byDigest, cancellation)).Span)!;
            Assert.True(TdxQuote.TryParse(Convert.FromBase64String(bundle["cpu"]!["quote"]!.GetValue<string>()), out var quote, out var fault), $"{fault}");
            var data = alter(quote.Body.ReportData.Bytes.ToArray());
            var answer = JsonNode.Parse(world.Guest.Hardware.Answer(Encoding.UTF8.GetBytes($$"""{"op":"cpu.report","data":"{{Convert.ToHexStringLower(data)}}"}""")))!;
            bundle["cpu"]!["quote"] = answer["report"]!.GetValue<string>();
            return Encoding.UTF8.GetBytes(bundle.ToJsonString());
        }
    }

    private sealed class Edited(IChannelEvidenceSource inner, Func<JsonNode, string, ReadOnlyMemory<byte>, Task> edit) : IChannelEvidenceSource
    {
        public async Task<ReadOnlyMemory<byte>> MakeAsync(string nonce, ReadOnlyMemory<byte> key, bool byDigest, CancellationToken cancellation)
        {
            var bundle = JsonNode.Parse((await inner.MakeAsync(nonce, key, byDigest, cancellation)).Span)!;
            await edit(bundle, nonce, key);
            return Encoding.UTF8.GetBytes(bundle.ToJsonString());
        }
    }

    /// <summary>A server on a port that answers each request with a word.</summary>
    private sealed class Listening : IAsyncDisposable
    {
        private readonly System.Net.Sockets.TcpListener _listener = new(IPAddress.Loopback, 0);
        private int _opened;
        private int _refused;

        public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

        public int Opened => Volatile.Read(ref _opened);

        public int Refused => Volatile.Read(ref _refused);

        public static Task<Listening> StartAsync(ChannelServer server)
        {
            var listening = new Listening();
            listening._listener.Start();
            _ = Task.Run(async () =>
            {
                while (true)
                {
                    var accepted = await listening._listener.AcceptTcpClientAsync();
                    _ = listening.ServeAsync(server, accepted.GetStream());
                }
            });
            return Task.FromResult(listening);
        }

        public ValueTask DisposeAsync()
        {
            _listener.Dispose();
            return default;
        }

        private async Task ServeAsync(ChannelServer server, Stream accepted)
        {
            try
            {
                await using var channel = await server.AcceptAsync(accepted);
                Interlocked.Increment(ref _opened);
                var buffer = new byte[4096];
                while (await channel.Stream.ReadAsync(buffer) > 0)
                {
                    await channel.Stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray());
                }
            }
            catch (ChannelException)
            {
                Interlocked.Increment(ref _refused);
            }
            catch (IOException)
            {
                // The client went.
            }
        }
    }
}

using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Appraisal.Tdx;
using Assay.Binding;
using Assay.Channels;
using Assay.Client.Channels;
using Assay.Client.Channels.Tls;
using Assay.Guest.Agent;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Tests.Guest;

namespace Assay.Tests.Channels;

/// <summary>
/// Attacks with another machine or with the TLS key of the right one (docs/security/channels.md, T1 to T5, T9, T12 and T18). Each is first seen to succeed where a level or a policy permits it.
/// </summary>
public sealed class ThiefTests
{
    [Fact]
    public async Task T1_a_diverted_connection_reaches_a_genuine_machine_of_another_operator_and_is_refused_by_its_certificate_or_by_the_list_of_platforms()
    {
        await using var world = await ChannelWorld.StartAsync();
        await using var other = await ChannelWorld.StartAsync();
        var any = other.Policy() with { Operator = ChannelOperator.DangerouslyAny };

        // The same image, genuine: with neither a name nor a list it passes, and the result says so.
        var (client, server) = await ChannelWorld.OpenAsync(new ChannelClient(any), other.Server());
        await using (client)
        await using (server)
        {
            Assert.Contains("channel-any-operator", client.Peer!.Weakened);
            Assert.Equal("not-asked", client.Peer.Verdict.Platform);
        }

        var whose = any with { Operator = ChannelOperator.OfCa([world.Operator.RawData], ChannelWorld.Host) };
        Assert.Equal("channel.operator.ca", await RefusedAsync(whose, other.Server()));

        var listed = any with { Appraiser = other.Judging(await PlatformsOfAsync(world)) };
        Assert.Contains("platform.processor.known", (await RefusalAsync(listed, other.Server())).Verdict!.ToString(), StringComparison.Ordinal);
        Assert.Null(await Record.ExceptionAsync(async () => await OpenAndCloseAsync(any with { Appraiser = other.Judging(await PlatformsOfAsync(other)) }, other.Server())));
    }

    [Fact]
    public async Task T2_a_certificate_of_the_right_ca_for_another_name_is_refused()
    {
        await using var world = await ChannelWorld.StartAsync();
        Assert.Equal("channel.operator.name", await RefusedAsync(world.Policy(), world.Server(change: options => options with { Names = ["other.example"] })));
        Assert.Equal("channel.operator.ca", await RefusedAsync(world.Policy(), world.Server(change: options => options with { Issuer = null })));
        Assert.Equal("channel.operator.key", await RefusedAsync(world.Policy() with { Operator = ChannelOperator.OfKeys([new Wire.Digest(new byte[32])]) }, world.Server()));
        using var own = world.Operator.PublicKey.GetECDsaPublicKey()!;
        var pinned = ChannelOperator.OfKeys([new Wire.Digest(System.Security.Cryptography.SHA256.HashData(own.ExportSubjectPublicKeyInfo()))]);
        await OpenAndCloseAsync(world.Policy() with { Operator = pinned }, world.Server());
        await OpenAndCloseAsync(world.Policy() with { Operator = ChannelOperator.OfFleet([world.Operator.RawData]) }, world.Server(change: options => options with { Names = ["other.example"] }));
    }

    [Fact]
    public async Task T3_a_relay_that_holds_the_tls_key_passes_at_the_level_of_the_challenge_and_not_at_that_of_the_exporter()
    {
        await using var world = await ChannelWorld.StartAsync();
        using var identities = world.Identities();
        var stolen = await identities.CurrentAsync(TestContext.Current.CancellationToken);
        var genuine = new ChannelServer(new ChannelServerOptions { Identities = identities, LowestLevel = ChannelLevel.Challenge });

        var fooled = await RelayedAsync(world.Policy(ChannelLevel.Challenge), stolen, genuine);
        Assert.Null(fooled);

        var refused = Assert.IsType<ChannelException>(await RelayedAsync(world.Policy(), stolen, genuine));
        Assert.Equal("channel.verdict", refused.Id);
        Assert.NotEqual(VerdictKind.Pass, refused.Verdict!.Kind);
    }

    [Fact]
    public async Task T4_a_copied_tls_key_serves_elsewhere_until_the_certificate_ends_and_only_at_the_level_of_the_certificate()
    {
        await using var world = await ChannelWorld.StartAsync();
        using var identities = world.Identities(options => options with { EvidenceInCertificate = true });
        var stolen = await identities.CurrentAsync(TestContext.Current.CancellationToken);

        // Far away, and no VM answers any more.
        Assert.Null(await ServedAsync(world.Policy(ChannelLevel.Certificate), stolen, CertificateAnswer(stolen, world)));
        var later = new Later(TimeSpan.FromHours(1));
        var expired = Assert.IsType<ChannelException>(await ServedAsync(world.Policy(ChannelLevel.Certificate), stolen, CertificateAnswer(stolen, world), later));
        Assert.StartsWith("channel.", expired.Id, StringComparison.Ordinal);
        Assert.Contains(expired.Id, new[] { "channel.certificate.expired", "channel.operator.ca" });
        var low = Assert.IsType<ChannelException>(await ServedAsync(world.Policy(ChannelLevel.Challenge), stolen, CertificateAnswer(stolen, world)));
        Assert.Equal("channel.level", low.Id);
    }

    [Fact]
    public async Task T5_one_gpu_that_is_not_listed_is_refused_though_everything_is_genuine()
    {
        await using var world = await ChannelWorld.StartAsync();
        var listed = await PlatformsOfAsync(world);
        await OpenAndCloseAsync(world.Policy() with { Appraiser = world.Judging(listed) }, world.Server());
        var refusal = await RefusalAsync(world.Policy() with { Appraiser = world.Judging(listed with { Devices = listed.Devices.RemoveAt(1) }) }, world.Server());
        Assert.Contains("platform.devices.known", refusal.Verdict!.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_authority_below_a_pinned_key_is_not_the_pinned_key()
    {
        await using var world = await ChannelWorld.StartAsync();
        var now = TimeProvider.System.GetUtcNow();
        using var rootKey = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var asked = new CertificateRequest("CN=pinned", rootKey, HashAlgorithmName.SHA384);
        asked.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var root = asked.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        using var middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var below = new CertificateRequest("CN=below", middleKey, HashAlgorithmName.SHA384);
        below.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        using var issued = below.Create(root, now.AddDays(-1), now.AddHours(1), [1]);
        using var middle = issued.CopyWithPrivateKey(middleKey);
        var pinned = ChannelOperator.OfKeys([new Wire.Digest(SHA256.HashData(rootKey.ExportSubjectPublicKeyInfo()))]);

        async Task<byte[]> LeafAsync(X509Certificate2 issuer)
        {
            using var identities = world.Identities(options => options with { Issuer = issuer });
            return (await identities.CurrentAsync(TestContext.Current.CancellationToken)).Chain[0];
        }

        Assert.Equal("a certificate of a pinned operator key", pinned.Require([await LeafAsync(root), root.RawData], now));
        var refused = Assert.Throws<ChannelException>(() => pinned.Require([LeafAsync(middle).GetAwaiter().GetResult(), middle.RawData, root.RawData], now));
        Assert.Equal("channel.operator.key", refused.Id);
    }

    [Theory]
    [InlineData(ChannelLevel.Challenge)]
    [InlineData(ChannelLevel.Exporter)]
    public async Task T9_an_answer_that_was_recorded_is_refused_on_the_next_connection_though_leaf_and_key_are_the_same(ChannelLevel level)
    {
        await using var world = await ChannelWorld.StartAsync();
        using var identities = world.Identities();
        var stolen = await identities.CurrentAsync(TestContext.Current.CancellationToken);
        ChannelAnswer? recorded = null;
        // The thief holds the key, so he hears what is said: the first time, the genuine machine makes the answer.
        Assert.Null(await ServedAsync(world.Policy(level), stolen, async (tls, ask) =>
        {
            var exchange = new Exchange(tls, ChannelRole.Server, (stolen, identities.Options));
            return recorded = await exchange.AnswerAsync(ask, TestContext.Current.CancellationToken);
        }));
        var refused = Assert.IsType<ChannelException>(await ServedAsync(world.Policy(level), stolen, (_, _) => Task.FromResult(recorded!)));
        Assert.Equal("channel.verdict", refused.Id);
    }

    [Fact]
    public async Task T12_a_certificate_with_genuine_evidence_and_another_key_ends_the_tls_handshake_whatever_the_operator()
    {
        await using var world = await ChannelWorld.StartAsync();
        using var identities = world.Identities(options => options with { EvidenceInCertificate = true });
        var seen = await identities.CurrentAsync(TestContext.Current.CancellationToken);
        using var own = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP384);
        using var shown = new ChannelIdentity(own, seen.Certificate, [.. seen.Chain.Skip(1)], seen.Statement, seen.Parts);
        foreach (var level in new[] { ChannelLevel.Certificate, ChannelLevel.Exporter })
        {
            var refused = Assert.IsType<ChannelException>(await ServedAsync(world.Policy(level) with { Operator = ChannelOperator.DangerouslyAny }, shown, CertificateAnswer(seen, world)));
            Assert.Contains(refused.Id, new[] { "channel.tls", "channel.connection" });
        }
    }

    [Fact]
    public async Task T18_a_thief_of_the_tls_key_who_asks_the_genuine_agent_for_evidence_over_his_own_connection_gets_none_unless_the_measured_configuration_allows_foreign_keys()
    {
        await using var careless = await ChannelWorld.StartAsync(configure: guest => guest.Configure(("agent", """{"dangerouslyAllowForeignKey":true}""")));
        Assert.Null(await ThroughAgentAsync(careless));

        await using var world = await ChannelWorld.StartAsync();
        var refused = await ThroughAgentAsync(world);
        Assert.Contains("agent.foreign-key", refused!.ToString(), StringComparison.Ordinal);
    }

    // The thief terminates TLS with the stolen key, computes what the evidence must say for his own connection, and asks the agent of the genuine VM for it.
    private static async Task<Exception?> ThroughAgentAsync(ChannelWorld world)
    {
        using var agent = RunningAgent.Start(world.Guest);
        using var identities = world.Identities();
        var stolen = await identities.CurrentAsync(TestContext.Current.CancellationToken);
        Exception? refusedByAgent = null;
        var outcome = await ServedAsync(world.Policy(), stolen, async (tls, ask) =>
        {
            var binding = new ChannelBinding
            {
                Level = ChannelLevel.Exporter,
                Role = ChannelRole.Server,
                Purpose = ChannelWorld.Purpose,
                Epoch = world.Epoch,
                NotBefore = stolen.Certificate.NotBefore,
                NotAfter = stolen.Certificate.NotAfter,
                Challenge = ask.Challenge,
                Leaf = stolen.Certificate.Digest,
                Exporter = tls.Export(ChannelRole.Server, ask.Challenge.Span),
            };
            var question = $$"""{"challenge":"{{binding.Nonce()}}","jwk":{{System.Text.Encoding.UTF8.GetString(stolen.Certificate.Jwk.Span)}}}""";
            var (status, body) = await AgentClient.AskAsync(agent.Socket, "GetEvidence", question, TestContext.Current.CancellationToken);
            if (status != 200)
            {
                refusedByAgent = new InvalidOperationException(System.Text.Encoding.UTF8.GetString(body.Span));
                throw new IOException("the agent refuses");
            }

            return new ChannelAnswer { Level = ChannelLevel.Exporter, Purpose = ChannelWorld.Purpose, Epoch = world.Epoch, Evidence = body };
        });
        return refusedByAgent ?? outcome;
    }

    private static Func<TlsEnd, ChannelAsk, Task<ChannelAnswer>> CertificateAnswer(ChannelIdentity stolen, ChannelWorld world) =>
        (_, _) => Task.FromResult(new ChannelAnswer { Level = ChannelLevel.Certificate, Purpose = ChannelWorld.Purpose, Epoch = world.Epoch, Parts = stolen.Parts });

    /// <summary>A server of the attacker's: TLS with an identity that he has, and an answer of his making. Returns what the client throws; null where it is fooled.</summary>
    private static async Task<Exception?> ServedAsync(ChannelPolicy policy, ChannelIdentity identity, Func<TlsEnd, ChannelAsk, Task<ChannelAnswer>> answer, TimeProvider? clock = null)
    {
        var (near, far) = await ChannelWorld.PairAsync();
        var serving = Task.Run(async () =>
        {
            await using var tls = await ManagedTlsEnd.AcceptAsync(far, identity, null, TestContext.Current.CancellationToken);
            var exchange = new Exchange(tls, ChannelRole.Server, null);
            var asked = await exchange.ReceiveAsync(hasEvidence: true, TestContext.Current.CancellationToken);
            await exchange.SendAsync(new ChannelMessage { Answer = await answer(tls, asked.Ask!) }, TestContext.Current.CancellationToken);
            await exchange.ReceiveAsync(hasEvidence: true, TestContext.Current.CancellationToken);
        });
        var outcome = await Record.ExceptionAsync(async () =>
        {
            await using var channel = await new ChannelClient(policy, clock: clock).OpenAsync(near, ChannelWorld.Host, TestContext.Current.CancellationToken);
        });
        await serving.ContinueWith(_ => { }, TaskScheduler.Default);
        return outcome;
    }

    // Bytes of the exchange pass as they are: the thief reads everything on the way.
    private static async Task<Exception?> RelayedAsync(ChannelPolicy policy, ChannelIdentity stolen, ChannelServer genuine)
    {
        var (victim, thiefsFront) = await ChannelWorld.PairAsync();
        var (thiefsBack, machine) = await ChannelWorld.PairAsync();
        var accepting = genuine.AcceptAsync(machine, TestContext.Current.CancellationToken);
        var relaying = Task.Run(async () =>
        {
            await using var front = await ManagedTlsEnd.AcceptAsync(thiefsFront, stolen, null, TestContext.Current.CancellationToken);
            await using var back = await ManagedTlsEnd.ConnectAsync(thiefsBack, ChannelWorld.Host, _ => { }, null, TestContext.Current.CancellationToken);
            await new ChannelRelay(1).RunAsync(front.Stream, back.Stream, TestContext.Current.CancellationToken);
        });
        var outcome = await Record.ExceptionAsync(async () =>
        {
            await using var channel = await new ChannelClient(policy).OpenAsync(victim, ChannelWorld.Host, TestContext.Current.CancellationToken);
        });
        await relaying.ContinueWith(_ => { }, TaskScheduler.Default);
        await accepting.ContinueWith(async opened => await (opened.IsCompletedSuccessfully ? opened.Result.DisposeAsync() : default), TaskScheduler.Default).Unwrap();
        return outcome;
    }

    private static async Task<KnownPlatforms> PlatformsOfAsync(ChannelWorld world)
    {
        var (client, server) = await ChannelWorld.OpenAsync(new ChannelClient(world.Policy()), world.Server());
        await using (client)
        await using (server)
        {
            var verdict = client.Peer!.Verdict;
            var quote = Assert.IsType<TdxResult>(verdict.Machine!.Parts.Cpu!.Tee).Quote!;
            return new KnownPlatforms
            {
                Tdx = [new TdxPlatform(new Wire.Digest(quote.Platform.Ppid.Span), null)],
                Devices = [.. verdict.Appraisal.Devices.Select(device => device.Device!.Identity.Id)],
            };
        }
    }

    private static async Task OpenAndCloseAsync(ChannelPolicy policy, ChannelServer server)
    {
        var (client, accepted) = await ChannelWorld.OpenAsync(new ChannelClient(policy), server);
        await client.DisposeAsync();
        await accepted.DisposeAsync();
    }

    private static async Task<ChannelException> RefusalAsync(ChannelPolicy policy, ChannelServer server) =>
        await Assert.ThrowsAsync<ChannelException>(() => OpenAndCloseAsync(policy, server));

    private static async Task<string> RefusedAsync(ChannelPolicy policy, ChannelServer server) => (await RefusalAsync(policy, server)).Id;

    private sealed class Later(TimeSpan ahead) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + ahead;
    }
}

using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Binding;
using Assay.Cli.Demo;
using Assay.Client.Channels;
using Assay.Client.Channels.Tls;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Guest;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Proxy;
using Assay.Simulator;
using Org.BouncyCastle.Tls;
using Org.BouncyCastle.Tls.Crypto.Impl.BC;
using CertificateRequest = System.Security.Cryptography.X509Certificates.CertificateRequest;
using ChannelBinding = Assay.Binding.ChannelBinding;

namespace Assay.Benchmarks;

/// <summary>
/// Attested channels against the TLS that they are made of, in this process: opening one against a TLS 1.3 handshake of the platform with a certificate under a CA, in processor time of both ends,
/// without what the simulated hardware computes; and bytes through both proxies against bare pipes, in wall time.
/// </summary>
internal static class ChannelRows
{
    private const int Gpus = 2;
    private const int Switches = 2;
    private const int WarmUp = 40;
    private const int Rounds = 25;
    private const int Bytes = 256 << 20;
    private const string Purpose = "inference";
    private const string Host = "worker.example";
    private static readonly ChannelLevel[] s_levels = [ChannelLevel.Exporter, ChannelLevel.Challenge];
    private static readonly bool[] s_coldAndWarm = [false, true];

    public static IEnumerable<Row> Rows() => RunAsync().GetAwaiter().GetResult();

    private static async Task<Row[]> RunAsync()
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = SimulatedAuthority.Create(now);
        _ = SimulatedWorld.TryCreateMachine(authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, Gpus, Switches, SimulatedFaults.Find("none")!, new FaultTarget(), now, out var world, out _);
        using var hardware = new SimulatedGuest(world!, authority, SimulatedIntel.Create(now));
        var folder = Directory.CreateTempSubdirectory("assay-bench-").FullName;
        try
        {
            await GuestRows.ConfigureAsync(folder, world!, now, Gpus, Switches).ConfigureAwait(false);
            var metered = new GuestRows.MeteredHardware(hardware);
            using var machine = new Machine(world!, hardware, metered, folder);
            Row[] opening = [.. s_levels.SelectMany(level => s_coldAndWarm.Select(isWarm => Opening(machine, level, isWarm)))];
            return [.. opening, .. await ThroughputAsync(machine).ConfigureAwait(false), .. await KestrelAsync(machine).ConfigureAwait(false), await FirstByteAsync(machine).ConfigureAwait(false)];
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
            world!.Dispose();
        }
    }

    private static Row Opening(Machine machine, ChannelLevel level, bool isWarm)
    {
        var server = machine.Server(level);
        var policy = machine.Policy(level);
        var costs = new List<(Cost Work, double Own, Cost Bare)>();
        for (var round = 0; round < WarmUp + Rounds; round++)
        {
            policy = isWarm ? policy : machine.Policy(level);
            var client = new ChannelClient(policy);
            var before = machine.Hardware.Milliseconds;
            var work = Cost.Of(() => OpenAndCloseAsync(client, server).GetAwaiter().GetResult());
            var simulated = machine.Hardware.Milliseconds - before;
            var bare = Cost.Of(() => PlainAsync(machine).GetAwaiter().GetResult());
            if (round >= WarmUp)
            {
                costs.Add((work, work.CpuMilliseconds - simulated, bare));
            }
        }

        var name = $"opening, {ChannelBinding.WordOf(level)}, {(isWarm ? "the same VM again" : "nothing cached")}";
        return new Row(name, 0, 0, Suite.Median(costs.Select(cost => cost.Own)), Suite.Median(costs.Select(cost => cost.Work.WallMilliseconds)), Suite.Median(costs.Select(cost => cost.Own)) / Suite.Median(costs.Select(cost => cost.Bare.CpuMilliseconds)), Suite.Median(costs.Select(cost => cost.Work.AllocatedKilobytes)), null, "x TLS 1.3");
    }

    private static async Task OpenAndCloseAsync(ChannelClient client, ChannelServer server)
    {
        var (near, far) = await PairAsync().ConfigureAwait(false);
        var accepting = server.AcceptAsync(far);
        await using (await client.OpenAsync(near, Host).ConfigureAwait(false))
        await using (await accepting.ConfigureAwait(false))
        {
        }
    }

    // The platform's TLS, both ends, with the check of a chain under a private CA.
    private static async Task PlainAsync(Machine machine)
    {
        var (client, server) = await machine.PlainTlsAsync().ConfigureAwait(false);
        await client.DisposeAsync().ConfigureAwait(false);
        await server.DisposeAsync().ConfigureAwait(false);
    }

    private static async Task<Row[]> ThroughputAsync(Machine machine)
    {
        async Task<double> ProxiedAsync(ChannelLevel level)
        {
            var (near, far) = await PairAsync().ConfigureAwait(false);
            var accepting = machine.Server(level).AcceptAsync(far);
            await using var client = await new ChannelClient(machine.Policy(level)).OpenAsync(near, Host).ConfigureAwait(false);
            await using var server = await accepting.ConfigureAwait(false);
            return await ThroughProxiesAsync(client.Stream, server.Stream).ConfigureAwait(false);
        }

        async Task<double> PlainProxiedAsync()
        {
            var (client, server) = await machine.PlainTlsAsync().ConfigureAwait(false);
            await using (client)
            await using (server)
            {
                return await ThroughProxiesAsync(client, server).ConfigureAwait(false);
            }
        }

        var (exporter, challenge, plain, bare) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        for (var round = 0; round < 5; round++)
        {
            bare.Add(await machine.BarePipeAsync().ConfigureAwait(false));
            exporter.Add(await ProxiedAsync(ChannelLevel.Exporter).ConfigureAwait(false));
            plain.Add(await PlainProxiedAsync().ConfigureAwait(false));
            challenge.Add(await ProxiedAsync(ChannelLevel.Challenge).ConfigureAwait(false));
        }

        Row Share(string name, List<double> work, List<double> reference, double? target, string unit) =>
            new(name, 0, 0, 0, Suite.Median(work), Suite.Median(reference) / Suite.Median(work), 0, target, unit) { IsFloor = true };
        return
        [
            Share("256 MiB through both proxies, exporter", exporter, bare, 0.8, "of BC pipe"),
            Share("256 MiB through both proxies, exporter", exporter, plain, null, "of TLS pair"),
            Share("256 MiB through both proxies, challenge", challenge, plain, 0.8, "of TLS pair"),
        ];
    }

    private static async Task<Row[]> KestrelAsync(Machine machine)
    {
        var rows = new List<Row>();
        foreach (var level in s_levels)
        {
            var certificate = await machine.CertificateAsync().ConfigureAwait(false);
            await using var kestrel = await KestrelRows.StartAsync(certificate, Host, machine.Trust(), machine.Server(level), new ChannelClient(machine.Policy(level))).ConfigureAwait(false);
            var (work, reference) = (new List<double>(), new List<double>());
            for (var round = 0; round < 5; round++)
            {
                work.Add(await kestrel.ChannelAsync().ConfigureAwait(false));
                reference.Add(await kestrel.PlainAsync().ConfigureAwait(false));
            }

            rows.Add(new Row($"256 MiB from Kestrel, {ChannelBinding.WordOf(level)}", 0, 0, 0, Suite.Median(work), Suite.Median(reference) / Suite.Median(work), 0, level is ChannelLevel.Exporter ? null : 0.8, "of its TLS") { IsFloor = true });
        }

        return [.. rows];
    }

    // plain → relay → TLS → relay → plain, as the two proxies do it. Milliseconds.
    private static async Task<double> ThroughProxiesAsync(Stream near, Stream far)
    {
        var (source, entrance) = await PairAsync().ConfigureAwait(false);
        var (exit, sink) = await PairAsync().ConfigureAwait(false);
        using var ending = new CancellationTokenSource();
        var there = new ChannelRelay(1).RunAsync(entrance, near, ending.Token);
        var back = new ChannelRelay(1).RunAsync(far, exit, ending.Token);
        var watch = Stopwatch.StartNew();
        await Task.WhenAll(Task.Run(() => FillAsync(source)), Task.Run(() => DrainAsync(sink))).ConfigureAwait(false);
        var milliseconds = watch.Elapsed.TotalMilliseconds;
        await ending.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(there, back).ContinueWith(_ => { }, TaskScheduler.Default).ConfigureAwait(false);
        foreach (var stream in new[] { source, entrance, exit, sink })
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }

        return milliseconds;
    }

    // A byte that the server behind the proxies sends, until the client has it; against the same over a bare connection.
    private static async Task<Row> FirstByteAsync(Machine machine)
    {
        var (near, far) = await PairAsync().ConfigureAwait(false);
        var accepting = machine.Server(ChannelLevel.Exporter).AcceptAsync(far);
        await using var client = await new ChannelClient(machine.Policy(ChannelLevel.Exporter)).OpenAsync(near, Host).ConfigureAwait(false);
        await using var server = await accepting.ConfigureAwait(false);
        var (user, entrance) = await PairAsync().ConfigureAwait(false);
        var (exit, upstream) = await PairAsync().ConfigureAwait(false);
        using var ending = new CancellationTokenSource();
        var relays = Task.WhenAll(new ChannelRelay(1).RunAsync(entrance, client.Stream, ending.Token), new ChannelRelay(1).RunAsync(server.Stream, exit, ending.Token));
        var (one, other) = await PairAsync().ConfigureAwait(false);
        var (through, direct) = (new List<double>(), new List<double>());
        for (var round = 0; round < 400; round++)
        {
            through.Add(await LatencyAsync(upstream, user).ConfigureAwait(false));
            direct.Add(await LatencyAsync(one, other).ConfigureAwait(false));
        }

        await ending.CancelAsync().ConfigureAwait(false);
        await relays.ContinueWith(_ => { }, TaskScheduler.Default).ConfigureAwait(false);
        return new Row("a streamed byte through both proxies, added", 0, 0, 0, Suite.Median(through), Suite.Median(through) - Suite.Median(direct), 0, null, "ms");
    }

    private static async Task<double> LatencyAsync(Stream from, Stream to)
    {
        var letter = new byte[1];
        var watch = Stopwatch.StartNew();
        await from.WriteAsync(letter).ConfigureAwait(false);
        await to.ReadExactlyAsync(letter).ConfigureAwait(false);
        return watch.Elapsed.TotalMilliseconds;
    }

    private static async Task FillAsync(Stream stream)
    {
        var buffer = new byte[64 * 1024];
        for (var sent = 0; sent < Bytes; sent += buffer.Length)
        {
            await stream.WriteAsync(buffer).ConfigureAwait(false);
        }
    }

    private static async Task DrainAsync(Stream stream)
    {
        var buffer = new byte[64 * 1024];
        for (var received = 0; received < Bytes;)
        {
            received += await stream.ReadAsync(buffer).ConfigureAwait(false) is > 0 and var read ? read : throw new EndOfStreamException();
        }
    }

    private static async Task<(Stream Client, Stream Server)> PairAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(listener.LocalEndPoint!).ConfigureAwait(false);
        var server = await listener.AcceptAsync().ConfigureAwait(false);
        server.NoDelay = true;
        return (new NetworkStream(client, ownsSocket: true), new NetworkStream(server, ownsSocket: true));
    }

    /// <summary>The VM, its operator, and whoever judges it.</summary>
    private sealed class Machine : IDisposable
    {
        private readonly SimulatedGuest _guest;
        private readonly ChannelEvidence _evidence;
        private readonly X509Certificate2 _operator;
        private readonly RelyingParty _party;
        private readonly byte[] _epoch = RandomNumberGenerator.GetBytes(ChannelBinding.EpochSize);
        private readonly ChannelIdentities _plain;

        public Machine(SimulatedWorld world, SimulatedGuest guest, GuestRows.MeteredHardware hardware, string folder)
        {
            (_guest, Hardware) = (guest, hardware);
            var paths = new GuestPaths(folder);
            _ = new BootGate(paths, MeasuredPlace.Anywhere, _ => hardware.Sources, new Notification(null), TimeProvider.System).RunAsync(CancellationToken.None).GetAwaiter().GetResult();
            var configuration = GuestConfigurationReader.Read(paths.Configuration, paths, MeasuredPlace.Anywhere);
            Boundary.Draw(paths, configuration, hardware.Sources, new Notification(null));
            _evidence = new ChannelEvidence(configuration, hardware.Sources, paths, TimeProvider.System);
            _operator = Authority();
            _party = new RelyingParty { Sources = new CollateralSources { Rims = new Remembering(new WorldRims(world)), Ocsp = new Remembering(new WorldOcsp(world)) }, Policy = $"{configuration.Expectation(dangerouslyAcceptSimulated: true).ToPayload().Expectation}", Gpus = Gpus, Switches = Switches };
            _plain = Identities();
        }

        public GuestRows.MeteredHardware Hardware { get; }

        public ChannelServer Server(ChannelLevel level) => new(new ChannelServerOptions { Identities = _plain, HighestLevel = level, LowestLevel = level });

        public ChannelPolicy Policy(ChannelLevel level) => new() { MinimumLevel = level, Purpose = Purpose, Operator = ChannelOperator.OfCa([_operator.RawData], Host), Appraiser = _party.OfChannels(_guest), DangerouslyAcceptedWeakenings = ["reference-values-unsigned"] };

        /// <summary>The operator's CA, and no other.</summary>
        public X509ChainPolicy Trust()
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.Add(_operator);
            return policy;
        }

        /// <summary>The leaf with its key, for other servers.</summary>
        public async Task<X509Certificate2> CertificateAsync()
        {
            var identity = await _plain.CurrentAsync(CancellationToken.None).ConfigureAwait(false);
            using var leaf = X509CertificateLoader.LoadCertificate(identity.Chain[0]);
            return leaf.CopyWithPrivateKey(identity.Key);
        }

        public async Task<(SslStream Client, SslStream Server)> PlainTlsAsync()
        {
            var identity = await _plain.CurrentAsync(CancellationToken.None).ConfigureAwait(false);
            using var leaf = X509CertificateLoader.LoadCertificate(identity.Chain[0]);
            using var certificate = leaf.CopyWithPrivateKey(identity.Key);
            var (near, far) = await PairAsync().ConfigureAwait(false);
            var (client, server) = (new SslStream(near), new SslStream(far));
            var accepting = server.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = SslStreamCertificateContext.Create(certificate, [_operator], offline: true), EnabledSslProtocols = SslProtocols.Tls13, AllowTlsResume = false });
            await client.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = Host, EnabledSslProtocols = SslProtocols.Tls13, AllowTlsResume = false, CertificateChainPolicy = Trust() }).ConfigureAwait(false);
            await accepting.ConfigureAwait(false);
            return (client, server);
        }

        /// <summary>BouncyCastle's client and server over one connection, with its own records and its blocking streams, a thread each. Milliseconds.</summary>
        public async Task<double> BarePipeAsync()
        {
            var identity = await _plain.CurrentAsync(CancellationToken.None).ConfigureAwait(false);
            var (near, far) = await PairAsync().ConfigureAwait(false);
            await using (near)
            await using (far)
            {
                var (client, server) = (new TlsClientProtocol(near), new TlsServerProtocol(far));
                var accepting = Task.Run(() => server.Accept(new BareServer(identity)));
                client.Connect(new BareClient());
                await accepting.ConfigureAwait(false);
                var watch = Stopwatch.StartNew();
                await Task.WhenAll(Task.Run(() => Fill(client.Stream)), Task.Run(() => Drain(server.Stream))).ConfigureAwait(false);
                return watch.Elapsed.TotalMilliseconds;
            }
        }

        public void Dispose()
        {
            _plain.Dispose();
            _evidence.Dispose();
            _operator.Dispose();
        }

        private ChannelIdentities Identities() => new(new ChannelIdentityOptions { Purpose = Purpose, Epoch = _epoch, Evidence = _evidence, Names = [Host], Issuer = _operator });

        private static X509Certificate2 Authority()
        {
            using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
            var request = new CertificateRequest("CN=bench", key, HashAlgorithmName.SHA384);
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, true, 0, true));
            var now = TimeProvider.System.GetUtcNow();
            return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
        }

        private static void Fill(Stream stream)
        {
            var buffer = new byte[64 * 1024];
            for (var sent = 0; sent < Bytes; sent += buffer.Length)
            {
                stream.Write(buffer);
            }
        }

        private static void Drain(Stream stream)
        {
            var buffer = new byte[64 * 1024];
            for (var received = 0; received < Bytes;)
            {
                received += stream.Read(buffer) is > 0 and var read ? read : throw new EndOfStreamException();
            }
        }
    }

    /// <summary>A cache of collateral next to the relying party: what the simulator would sign anew for each question is asked of it once.</summary>
    private sealed class Remembering(ICollateralSource source) : ICollateralSource
    {
        private readonly ConcurrentDictionary<string, Task<Fetched<CollateralItem>>> _answers = new(StringComparer.Ordinal);

        public Task<Fetched<CollateralItem>> FetchAsync(CollateralQuestion question, CancellationToken cancellation) =>
            _answers.GetOrAdd(question.Status is { } status ? $"{status.Certificate.Fingerprint}" : question.Key.ToString(), _ => source.FetchAsync(question, cancellation));

        public Task<ImmutableArray<string>> ListRimsAsync(CancellationToken cancellation) => source.ListRimsAsync(cancellation);
    }

    private sealed class BareClient() : DefaultTlsClient(new BcTlsCrypto()), TlsAuthentication
    {
        public override TlsAuthentication GetAuthentication() => this;

        public void NotifyServerCertificate(TlsServerCertificate serverCertificate)
        {
        }

        public TlsCredentials? GetClientCredentials(Org.BouncyCastle.Tls.CertificateRequest certificateRequest) => null;

        protected override ProtocolVersion[] GetSupportedVersions() => ProtocolVersion.TLSv13.Only();

        protected override int[] GetSupportedCipherSuites() => [CipherSuite.TLS_AES_256_GCM_SHA384];
    }

    private sealed class BareServer(ChannelIdentity identity) : DefaultTlsServer(new BcTlsCrypto())
    {
        public override TlsCredentials GetCredentials() => ManagedTlsEnd.SignerOf(m_context, identity);

        protected override ProtocolVersion[] GetSupportedVersions() => ProtocolVersion.TLSv13.Only();

        protected override int[] GetSupportedCipherSuites() => [CipherSuite.TLS_AES_256_GCM_SHA384];
    }
}

using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Assay.Binding;
using Assay.Cli.Demo;
using Assay.Client.Channels;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Guest;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Proxy;
using Assay.Reference.Manifest;
using Assay.Tests.Guest;

namespace Assay.Tests.Channels;

/// <summary>
/// A simulated VM whose gate has run, its evidence in this process, an operator with a CA, and a relying party that knows the image. Connections are pairs of sockets on loopback.
/// </summary>
internal sealed class ChannelWorld : IAsyncDisposable
{
    public const string Purpose = "inference";
    public const string Host = "worker.example";

    private readonly CollateralSources _sources;

    private ChannelWorld(GuestWorld guest)
    {
        Guest = guest;
        Assert.True(ServiceAddress.TryParse(guest.Url, out var url, out var fault), $"{fault}");
        _sources = new CollateralSources { Rims = new RimServiceClient(url, new CollateralHttpOptions()), Ocsp = new OcspClient(url, new CollateralHttpOptions()) };
        var (paths, hardware) = (new GuestPaths(guest.Root), new HardwareInProcess(guest.Hardware).Sources);
        var configuration = GuestConfigurationReader.Read(paths.Configuration, paths, MeasuredPlace.Anywhere);
        Evidence = new ChannelEvidence(configuration, hardware, paths, TimeProvider.System);
        Appraiser = Judging(null);
    }

    public GuestWorld Guest { get; }

    public IChannelEvidenceSource Evidence { get; }

    public IChannelAppraiser Appraiser { get; }

    public byte[] Epoch { get; } = RandomNumberGenerator.GetBytes(ChannelBinding.EpochSize);

    /// <summary>The CA of the fleet.</summary>
    public X509Certificate2 Operator { get; } = Authority("the operator");

    /// <summary>The relying party that knows the image, and these machines.</summary>
    public IChannelAppraiser Judging(KnownPlatforms? platforms) => new RelyingParty
    {
        Sources = _sources,
        Policy = Guest.Report().GetProperty("gpuPolicy").GetString()!,
        Gpus = GuestWorld.Gpus,
        Switches = GuestWorld.Switches,
        Platforms = platforms,
    }.OfChannels(Guest.Hardware);

    public static async Task<ChannelWorld> StartAsync(Action<GuestWorld>? configure = null)
    {
        var guest = await GuestWorld.StartAsync();
        configure?.Invoke(guest);
        // In this process: many tests begin so.
        var (paths, hardware) = (new GuestPaths(guest.Root), new HardwareInProcess(guest.Hardware).Sources);
        var gate = await new BootGate(paths, MeasuredPlace.Anywhere, _ => hardware, new Notification(null), TimeProvider.System).RunAsync(TestContext.Current.CancellationToken);
        Assert.True(gate.Fault is null, $"{gate.Fault}");
        Boundary.Draw(paths, GuestConfigurationReader.Read(paths.Configuration, paths, MeasuredPlace.Anywhere), hardware, new Notification(null));
        return new ChannelWorld(guest);
    }

    public static X509Certificate2 Authority(string name)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP384);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA384);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: true, 0, critical: true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, critical: false));
        var now = TimeProvider.System.GetUtcNow();
        return request.CreateSelfSigned(now.AddDays(-1), now.AddDays(1));
    }

    public ChannelIdentities Identities(Func<ChannelIdentityOptions, ChannelIdentityOptions>? change = null)
    {
        var options = new ChannelIdentityOptions { Purpose = Purpose, Epoch = Epoch, Evidence = Evidence, Names = [Host], Issuer = Operator };
        return new ChannelIdentities(change?.Invoke(options) ?? options);
    }

    public ChannelServer Server(ChannelLevel level = ChannelLevel.Exporter, ChannelLevel? lowest = null, Func<ChannelIdentityOptions, ChannelIdentityOptions>? change = null, ChannelPolicy? clients = null) =>
        new(new ChannelServerOptions
        {
            Identities = Identities(options => (change?.Invoke(options) ?? options) with { EvidenceInCertificate = (lowest ?? level) is ChannelLevel.Certificate }),
            HighestLevel = level,
            LowestLevel = lowest ?? level,
            Clients = clients,
        });

    public ChannelPolicy Policy(ChannelLevel level = ChannelLevel.Exporter) => new()
    {
        MinimumLevel = level,
        Purpose = Purpose,
        Operator = ChannelOperator.OfCa([Operator.RawData], Host),
        Appraiser = Appraiser,
        // The image's reference values are the test's own, and unsigned.
        DangerouslyAcceptedWeakenings = ["reference-values-unsigned"],
    };

    /// <summary>Two ends of a connection on loopback.</summary>
    public static async Task<(Stream Client, Stream Server)> PairAsync()
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(listener.LocalEndPoint!);
        var server = await listener.AcceptAsync();
        server.NoDelay = true;
        return (new NetworkStream(client, ownsSocket: true), new NetworkStream(server, ownsSocket: true));
    }

    /// <summary>Both ends open the channel; whatever one of them throws is thrown here, the client's first.</summary>
    public static async Task<(ChannelConnection Client, ChannelConnection Server)> OpenAsync(ChannelClient client, ChannelServer server)
    {
        var (near, far) = await PairAsync();
        var accepting = server.AcceptAsync(far, TestContext.Current.CancellationToken);
        try
        {
            var opened = await client.OpenAsync(near, Host, TestContext.Current.CancellationToken);
            return (opened, await accepting);
        }
        catch
        {
            await accepting.ContinueWith(_ => { }, TaskScheduler.Default);
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        (Evidence as IDisposable)?.Dispose();
        _sources.Dispose();
        Operator.Dispose();
        await Guest.DisposeAsync();
    }
}

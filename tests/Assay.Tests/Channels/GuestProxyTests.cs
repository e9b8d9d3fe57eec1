using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Assay.Cli.Demo;
using Assay.Client.Channels;
using Assay.Collateral;
using Assay.Collateral.Http;
using Assay.Tests.Guest;

namespace Assay.Tests.Channels;

/// <summary>The proxy inside a simulated VM, as a process of its own, with a server behind it that only loopback reaches.</summary>
public sealed class GuestProxyTests
{
    [Fact]
    public async Task Channels_reach_the_server_behind_the_proxy_and_outlive_a_new_key_and_end_with_the_proxy()
    {
        await using var vm = await ProxiedVm.StartAsync();
        using var proxy = vm.Begin();
        await using var first = await vm.OpenAsync();
        Assert.Equal("you said: one", await SayAsync(first, "one"));

        using var authority = ChannelWorld.Authority("the next operator");
        vm.WriteOperator(authority);
        using (var hangUp = Process.Start("kill", ["-HUP", proxy.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await hangUp.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        await vm.SaidAsync(proxy, "was read again");
        Assert.Equal("you said: two", await SayAsync(first, "two"));
        var before = await Assert.ThrowsAsync<ChannelException>(vm.OpenAsync);
        Assert.Equal("channel.operator.ca", before.Id);
        await using var second = await vm.OpenAsync(authority.RawData);
        Assert.Equal("you said: three", await SayAsync(second, "three"));
        Assert.Equal(first.Peer!.Epoch.ToArray(), second.Peer!.Epoch.ToArray());
        Assert.NotEqual(first.Peer.Leaf.ToArray(), second.Peer.Leaf.ToArray());

        Assert.True(SpinWait.SpinUntil(() => File.Exists(vm.Guest.At("/run/assay/proxy.prom")) && File.ReadAllText(vm.Guest.At("/run/assay/proxy.prom")).Contains("assay_guest_proxy_channels_opened_total 2", StringComparison.Ordinal), Patience.Long));
        await first.DisposeAsync();
        await second.DisposeAsync();
        using (var terminate = Process.Start("kill", ["-TERM", proxy.Id.ToString(CultureInfo.InvariantCulture)]))
        {
            await terminate.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        await proxy.WaitForExitAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, proxy.ExitCode);
    }

    [Fact]
    public async Task A_device_that_is_gone_ends_new_channels()
    {
        await using var vm = await ProxiedVm.StartAsync();
        using var proxy = vm.Begin();
        await (await vm.OpenAsync()).DisposeAsync();
        vm.Guest.Hardware.Unplugged = 1;
        var refused = await Assert.ThrowsAsync<ChannelException>(vm.OpenAsync);
        Assert.Equal("channel.refused", refused.Id);
        Assert.Contains("gate.devices.count", refused.Reason, StringComparison.Ordinal);
        proxy.Kill();
    }

    [Theory]
    [InlineData("""{"listen":"127.0.0.1:8443","upstream":"192.0.2.1:80","purpose":"inference"}""", "upstream: an address of loopback")]
    [InlineData("""{"listen":"127.0.0.1","upstream":"127.0.0.1:80","purpose":"inference"}""", "listen: an IP address and a port")]
    [InlineData("""{"listen":"127.0.0.1:8443","upstream":"127.0.0.1:80","purpose":"Inference!"}""", "purpose: ")]
    [InlineData("""{"listen":"127.0.0.1:8443","upstream":"127.0.0.1:80","purpose":"inference","operator":"run/operator"}""", "operator: an absolute path")]
    [InlineData("""{"listen":"127.0.0.1:8443","upstream":"127.0.0.1:80","purpose":"inference","lowestLevel":"none"}""", "lowestLevel")]
    [InlineData("""{"listen":"127.0.0.1:8443","upstream":"127.0.0.1:80","purpose":"inference","dangerously":true}""", "dangerously")]
    public async Task A_configuration_that_makes_no_sense_starts_nothing(string proxy, string expected)
    {
        await using var world = await GuestWorld.StartAsync();
        world.Configure(("proxy", proxy));
        var answer = world.Run("proxy");
        Assert.Equal(1, answer.ExitCode);
        Assert.Contains("gate.config.malformed", answer.Error, StringComparison.Ordinal);
        Assert.Contains(expected, answer.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_an_open_gate_a_configuration_or_a_credential_of_its_owner_alone_nothing_is_served()
    {
        await using var vm = await ProxiedVm.StartAsync(boots: false);
        Assert.Contains("proxy.gate", vm.Guest.Run("proxy").Error, StringComparison.Ordinal);
        vm.Boot();
        File.SetUnixFileMode(Path.Combine(vm.OperatorFolder, "key.pem"), (UnixFileMode)0b110_100_100);
        Assert.Contains("proxy.operator", vm.Guest.Run("proxy").Error, StringComparison.Ordinal);
        File.Delete(Path.Combine(vm.OperatorFolder, "key.pem"));
        Assert.Contains("proxy.operator", vm.Guest.Run("proxy").Error, StringComparison.Ordinal);
        vm.Guest.Configure();
        Assert.Contains("proxy.configuration", vm.Guest.Run("proxy").Error, StringComparison.Ordinal);
    }

    private static async Task<string> SayAsync(ChannelConnection channel, string word)
    {
        await channel.Stream.WriteAsync(Encoding.UTF8.GetBytes(word + "\n"), TestContext.Current.CancellationToken);
        var line = new StringBuilder();
        var letter = new byte[1];
        while (await channel.Stream.ReadAsync(letter, TestContext.Current.CancellationToken) > 0 && letter[0] != '\n')
        {
            line.Append((char)letter[0]);
        }

        return line.ToString();
    }

    /// <summary>A VM with a proxy in its configuration, an operator's credential, and a server that repeats lines.</summary>
    private sealed class ProxiedVm : IAsyncDisposable
    {
        private readonly TcpListener _upstream = new(IPAddress.Loopback, 0);
        private readonly StringBuilder _said = new();
        private readonly System.Security.Cryptography.X509Certificates.X509Certificate2 _authority = ChannelWorld.Authority("the operator");
        private readonly CollateralSources _sources;
        private readonly int _port;

        private ProxiedVm(GuestWorld guest)
        {
            Guest = guest;
            _upstream.Start();
            _ = Task.Run(RepeatAsync);
            using (var probe = new TcpListener(IPAddress.Loopback, 0))
            {
                probe.Start();
                _port = ((IPEndPoint)probe.LocalEndpoint).Port;
            }

            WriteOperator(_authority);
            guest.Configure(("proxy", string.Create(CultureInfo.InvariantCulture, $$"""{"listen":"127.0.0.1:{{_port}}","upstream":"{{_upstream.LocalEndpoint}}","purpose":"{{ChannelWorld.Purpose}}","names":["{{ChannelWorld.Host}}"],"operator":"/run/operator"}""")));
            Assert.True(ServiceAddress.TryParse(guest.Url, out var url, out var fault), $"{fault}");
            _sources = new CollateralSources { Rims = new RimServiceClient(url, new CollateralHttpOptions()), Ocsp = new OcspClient(url, new CollateralHttpOptions()) };
        }

        public GuestWorld Guest { get; }

        public string OperatorFolder => Guest.At("/run/operator");

        public static async Task<ProxiedVm> StartAsync(bool boots = true)
        {
            var vm = new ProxiedVm(await GuestWorld.StartAsync());
            if (boots)
            {
                vm.Boot();
            }

            return vm;
        }

        public void Boot()
        {
            var gate = Guest.Run("gate");
            Assert.True(gate.ExitCode == 0, gate.Error);
            Assert.Equal(0, Guest.Run("seal-boot").ExitCode);
        }

        public void WriteOperator(System.Security.Cryptography.X509Certificates.X509Certificate2 authority)
        {
            Directory.CreateDirectory(OperatorFolder);
            File.WriteAllText(Path.Combine(OperatorFolder, "certificate.pem"), authority.ExportCertificatePem());
            var key = Path.Combine(OperatorFolder, "key.pem");
            File.WriteAllText(key, System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(authority)!.ExportPkcs8PrivateKeyPem());
            File.SetUnixFileMode(key, (UnixFileMode)0b110_000_000);
        }

        /// <summary>The proxy's process, when it listens.</summary>
        public Process Begin()
        {
            var process = Guest.Begin("proxy");
            process.ErrorDataReceived += (_, line) =>
            {
                lock (_said)
                {
                    _said.AppendLine(line.Data);
                }
            };
            process.BeginErrorReadLine();
            Assert.True(SpinWait.SpinUntil(() => process.HasExited || CanConnect(), Patience.Long));
            Assert.False(process.HasExited, Said);
            return process;
        }

        public async Task SaidAsync(Process process, string words)
        {
            Assert.True(SpinWait.SpinUntil(() => process.HasExited || Said.Contains(words, StringComparison.Ordinal), Patience.Long), Said);
            await Task.CompletedTask;
        }

        public Task<ChannelConnection> OpenAsync() => OpenAsync(_authority.RawData);

        public async Task<ChannelConnection> OpenAsync(byte[] authority)
        {
            // Asked first: what judges the quotes comes with the first of them.
            var party = new RelyingParty { Sources = _sources, Policy = Guest.Report().GetProperty("gpuPolicy").GetString()!, Gpus = GuestWorld.Gpus, Switches = GuestWorld.Switches };
            var policy = new ChannelPolicy { Purpose = ChannelWorld.Purpose, Operator = ChannelOperator.OfCa([authority], ChannelWorld.Host), Appraiser = party.OfChannels(Guest.Hardware), DangerouslyAcceptedWeakenings = ["reference-values-unsigned"] };
            return await ChannelHttp.DialAsync(new ChannelClient(policy), "127.0.0.1", _port, TestContext.Current.CancellationToken);
        }

        public async ValueTask DisposeAsync()
        {
            _upstream.Dispose();
            _sources.Dispose();
            _authority.Dispose();
            await Guest.DisposeAsync();
        }

        private string Said
        {
            get
            {
                lock (_said)
                {
                    return _said.ToString();
                }
            }
        }

        private bool CanConnect()
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            try
            {
                socket.Connect(IPAddress.Loopback, _port);
                return true;
            }
            catch (SocketException)
            {
                return false;
            }
        }

        private async Task RepeatAsync()
        {
            while (true)
            {
                var accepted = await _upstream.AcceptTcpClientAsync();
                _ = Task.Run(async () =>
                {
                    using var reader = new StreamReader(accepted.GetStream());
                    while (await reader.ReadLineAsync() is { } line)
                    {
                        await accepted.GetStream().WriteAsync(Encoding.UTF8.GetBytes($"you said: {line}\n"));
                    }

                    accepted.Dispose();
                });
            }
        }
    }
}

using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Assay.Cli.Demo;
using Assay.Collateral;
using Assay.Tests.Guest;

namespace Assay.Tests.Channels;

/// <summary>
/// A server in a simulated VM, behind <c>assay-guest proxy</c> as a process of its own, and the files of a relying party that knows the VM's image and its operator.
/// </summary>
internal sealed class ProxiedWorker : IAsyncDisposable
{
    public const string Host = "worker.example";

    private readonly X509Certificate2 _operator = ChannelWorld.Authority("the operator");
    private readonly CollateralSources _sources = new();
    private readonly Lines _proxy;

    private ProxiedWorker(GuestWorld guest, int upstream)
    {
        (Guest, Port) = (guest, FreePort());
        var operators = Path.Combine(guest.Root, "run", "operator");
        Directory.CreateDirectory(operators);
        File.WriteAllText(Path.Combine(operators, "certificate.pem"), _operator.ExportCertificatePem());
        WriteSecret(Path.Combine(operators, "key.pem"), _operator.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem());
        guest.Configure(("proxy", string.Create(CultureInfo.InvariantCulture, $$"""{"listen":"127.0.0.1:{{Port}}","upstream":"127.0.0.1:{{upstream}}","purpose":"inference","lowestLevel":"challenge","names":["{{Host}}"],"operator":"/run/operator"}""")));
        Assert.Equal(0, guest.Run("gate").ExitCode);
        Assert.Equal(0, guest.Run("seal-boot").ExitCode);
        _proxy = new Lines(guest.Begin("proxy"));
        var party = new RelyingParty { Sources = _sources, Policy = guest.Report().GetProperty("gpuPolicy").GetString()!, Gpus = GuestWorld.Gpus, Switches = GuestWorld.Switches };
        Files = RelyingPartyFiles.Write(Folder, party, guest.Hardware, guest.Url);
        File.WriteAllText(Path.Combine(Folder, "operator.pem"), _operator.ExportCertificatePem());
        File.WriteAllText(Path.Combine(Folder, "other.pem"), ChannelWorld.Authority("another operator").ExportCertificatePem());
        Policy = Files.Policy("channel.yaml", Ours);
    }

    /// <summary>The operator of this worker, as a policy says it.</summary>
    public const string Ours = $"{{ca: [operator.pem], name: {Host}}}";

    /// <summary>Another one.</summary>
    public const string Others = $"{{ca: [other.pem], name: {Host}}}";

    public GuestWorld Guest { get; }

    public int Port { get; }

    /// <summary>Of the relying party.</summary>
    public string Folder => Path.Combine(Guest.Folder, "party");

    public RelyingPartyFiles Files { get; }

    /// <summary>The policy that this worker satisfies.</summary>
    public string Policy { get; }

    public string Url => string.Create(CultureInfo.InvariantCulture, $"https://127.0.0.1:{Port}");

    public static async Task<ProxiedWorker> StartAsync(int upstream)
    {
        var worker = new ProxiedWorker(await GuestWorld.StartAsync(), upstream);
        await WaitForAsync(worker.Port, worker._proxy);
        return worker;
    }

    /// <summary><c>assay proxy</c> before this worker.</summary>
    public Task<RunningProxy> ProxyAsync(string? policy = null, bool isTcp = false, params IEnumerable<string> more) =>
        RunningProxy.StartAsync(["proxy", "--listen", "127.0.0.1:0", "--upstream", isTcp ? Url.Replace("https", "tcp", StringComparison.Ordinal) : Url, "--policy", policy ?? Policy, .. more]);

    public static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    public async ValueTask DisposeAsync()
    {
        _proxy.Dispose();
        _operator.Dispose();
        await Guest.DisposeAsync();
    }

    private static void WriteSecret(string path, string text)
    {
        using var stream = new FileStream(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite });
        stream.Write(Encoding.ASCII.GetBytes(text));
    }

    private static async Task WaitForAsync(int port, Lines process)
    {
        using var hang = new CancellationTokenSource(Patience.Long);
        while (true)
        {
            using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port, hang.Token);
                return;
            }
            catch (SocketException)
            {
                Assert.False(process.HasExited, process.Text);
                await Task.Delay(50, hang.Token);
            }
        }
    }
}

/// <summary><c>assay proxy</c> as a process.</summary>
internal sealed class RunningProxy : IDisposable
{
    private readonly Lines _lines;

    private RunningProxy(Lines lines) => _lines = lines;

    /// <summary>Where clients connect.</summary>
    public Uri Address { get; private set; } = null!;

    /// <summary>All that it said so far.</summary>
    public string Text => _lines.Text;

    /// <param name="words">The command.</param>
    /// <param name="binary">The program; null: that of this build.</param>
    public static async Task<RunningProxy> StartAsync(IEnumerable<string> words, string? binary = null)
    {
        var program = binary is null ? AssayProgram.Words("assay") : [binary];
        var start = new ProcessStartInfo(program[0], [.. program[1..], .. words]) { RedirectStandardOutput = true, RedirectStandardError = true };
        var proxy = new RunningProxy(new Lines(Process.Start(start)!));
        var line = await proxy._lines.WaitAsync("listening on ");
        proxy.Address = new Uri(line.Split(' ', ',')[2]);
        return proxy;
    }

    /// <summary>A line that has this text, now or later.</summary>
    public Task<string> SaidAsync(string text) => _lines.WaitAsync(text);

    public Task SignalAsync(string signal) => _lines.SignalAsync(signal);

    public Task<int> EndAsync() => _lines.EndAsync();

    public void Dispose() => _lines.Dispose();
}

/// <summary>A process and the lines that it writes, to either output.</summary>
internal sealed class Lines : IDisposable
{
    private readonly Process _process;
    private readonly List<string> _all = [];
    private readonly SemaphoreSlim _more = new(0);

    public Lines(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Add(line.Data);
        process.ErrorDataReceived += (_, line) => Add(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public bool HasExited => _process.HasExited;

    public string Text
    {
        get
        {
            lock (_all)
            {
                return string.Join('\n', _all);
            }
        }
    }

    public async Task<string> WaitAsync(string text)
    {
        using var hang = new CancellationTokenSource(Patience.Long);
        while (true)
        {
            lock (_all)
            {
                if (_all.FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal)) is { } found)
                {
                    return found;
                }
            }

            Assert.False(_process.HasExited && _process.WaitForExit(1000) && !Text.Contains(text, StringComparison.Ordinal), $"it ended before it said \"{text}\": {Text}");
            await _more.WaitAsync(TimeSpan.FromMilliseconds(500), hang.Token);
        }
    }

    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
    }

    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            _process.WaitForExit();
        }

        _process.Dispose();
    }

    private void Add(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_all)
        {
            _all.Add(line);
        }

        _more.Release();
    }
}

using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Assay.Collateral;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>How a program that the demonstration ran ended, and what it said.</summary>
internal sealed record ProgramAnswer(int ExitCode, string Output, string Error);

/// <summary>
/// A simulated confidential VM: hardware on a socket, NVIDIA's services on loopback, a root folder with the measured configuration, and in it the guest's own
/// program as processes.
/// </summary>
internal sealed class DemoVm : IAsyncDisposable
{
    public const int Gpus = 2;
    public const int Switches = 2;

    /// <summary>How long is waited for what must come.</summary>
    public static TimeSpan Patience { get; } = TimeSpan.FromMinutes(2);

    private readonly string _program;
    private readonly SimulatedWorld _world;
    private readonly SimulatedGuestServer _server;
    private readonly DemoServices _services;
    private readonly (int Gpus, int Switches) _counts;
    private Process? _agent;
    private Process? _proxy;

    private DemoVm(string program, SimulatedAuthority authority, SimulatedIntel intel, SimulatedWorld world, DemoServices services, (int Gpus, int Switches) counts)
    {
        (_program, _world, _services, _counts) = (program, world, services, counts);
        Hardware = new SimulatedGuest(world, authority, intel);
        _services.Processors = () => Hardware.ProcessorServices;
        _server = SimulatedGuestServer.Start(Hardware, Socket);
        Prepare(GuestFault.None);
    }

    /// <summary>Bus, driver, switches and the TD.</summary>
    public SimulatedGuest Hardware { get; }

    /// <summary>Files outside the VM, which its host sees.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("assay-demo-guest-").FullName;

    /// <summary>The VM's own file system.</summary>
    public string Root => Path.Combine(Folder, "root");

    /// <summary>Where NVIDIA's simulated services are.</summary>
    public string Services => _services.Address;

    /// <summary>The member <c>proxy</c> of the measured configuration, from the next <see cref="Prepare"/> on; null for none.</summary>
    public string? Proxy { get; set; }

    /// <summary>The member <c>broker</c> of the measured configuration, from the next <see cref="Prepare"/> on; null for none.</summary>
    public string? Broker { get; set; }

    /// <summary>Where the agent listens.</summary>
    public string AgentSocket => Path.Combine(Root, "run", "assay", "agent.sock");

    private string Socket => Path.Combine(Folder, "hardware.sock");

    private string Configuration => Path.Combine(Root, "usr", "lib", "assay", "guest.json");

    /// <summary>A machine of these makers.</summary>
    public static async Task<DemoVm> StartAsync(string program, SimulatedAuthority authority, SimulatedIntel intel, DateTimeOffset now, CancellationToken cancellation, int gpus = Gpus, int switches = Switches) =>
        SimulatedWorld.TryCreateMachine(authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, gpus, switches, SimulatedFault.None, new FaultTarget(), now, out var world, out var whyNot)
            ? new DemoVm(program, authority, intel, world, await DemoServices.StartAsync(world, cancellation).ConfigureAwait(false), (gpus, switches))
            : throw new InvalidOperationException(whyNot);

    /// <summary>The power goes off and on: registers are zero, /run is empty, and no process is left. The image's gate verifies, unless another configuration is given.</summary>
    public void Prepare(GuestFault fault, string? configuration = null)
    {
        Stop(ref _agent);
        Stop(ref _proxy);
        Hardware.Reboot();
        (Hardware.Fault, Hardware.Unplugged) = (fault, -1);
        if (Directory.Exists(Root))
        {
            Directory.Delete(Root, recursive: true);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(AgentSocket)!);
        Directory.CreateDirectory(Path.GetDirectoryName(Configuration)!);
        File.WriteAllText(Configuration, configuration ?? string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"version":1,"gate":"verify","devices":{"gpus":{{_counts.Gpus}},"switches":{{_counts.Switches}},"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","collateralUrl":"{{_services.Address}}"{{Member("proxy", Proxy)}}{{Member("broker", Broker)}}}"""));
    }

    /// <summary>The proxy of the configuration, with what the operator brought to this VM. The reason if it does not serve.</summary>
    /// <param name="port">Where it listens.</param>
    /// <param name="certificate">The operator's CA certificate, PEM.</param>
    /// <param name="key">Its key, PEM.</param>
    /// <param name="cancellation">Ends the wait.</param>
    public async Task<string?> StartProxyAsync(int port, string certificate, string key, CancellationToken cancellation)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Root, "run", "operator")).FullName;
        File.WriteAllText(Path.Combine(folder, "certificate.pem"), certificate);
        await File.WriteAllTextAsync(Path.Combine(folder, "key.pem"), key, cancellation).ConfigureAwait(false);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path.Combine(folder, "key.pem"), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        _proxy = Begin(["proxy"]);
        return await ServesAsync(_proxy, () => CanConnect(new IPEndPoint(IPAddress.Loopback, port), ProtocolType.Tcp), "the proxy does not serve", cancellation).ConfigureAwait(false);
    }

    /// <summary>Gate, boundary, agent. The reason if gate or boundary refuse: then no agent was started.</summary>
    public async Task<string?> BootAsync(CancellationToken cancellation)
    {
        foreach (var command in (string[])["gate", "seal-boot"])
        {
            if (await RunAsync([command], cancellation).ConfigureAwait(false) is { ExitCode: not 0, Error: var error })
            {
                return error;
            }
        }

        return await StartAgentAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>The agent alone, whatever the gate said. The reason if it does not serve.</summary>
    public async Task<string?> StartAgentAsync(CancellationToken cancellation)
    {
        _agent = Begin(["agent"]);
        return await ServesAsync(_agent, () => CanConnect(new UnixDomainSocketEndPoint(AgentSocket), ProtocolType.Unspecified), "the agent does not serve", cancellation).ConfigureAwait(false);
    }

    /// <summary>A GPU is taken away while the VM runs: returns when the agent has seen it and taken the ready state away.</summary>
    public async Task UnplugAsync(int gpu, CancellationToken cancellation)
    {
        Hardware.Unplugged = gpu;
        var waited = Stopwatch.StartNew();
        while (Hardware.IsReady && waited.Elapsed < Patience)
        {
            await Task.Delay(20, cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>What the devices answer to a nonce that somebody outside chose, kind, report and chain in base64.</summary>
    public IEnumerable<(string Kind, string Report, string Chain)> Devices(ReadOnlyMemory<byte> nonce) =>
        _world.Evidence(nonce).Select(device => (device.Arch == "LS10" ? "switch" : "gpu", Convert.ToBase64String(device.Report.Span), Convert.ToBase64String(Encoding.ASCII.GetBytes(device.ChainPem))));

    /// <summary>What the agent shows for a challenge and one of its keys, or the problem that it answers.</summary>
    public Task<ProgramAnswer> EvidenceAsync(string challenge, string key, CancellationToken cancellation) => RunAsync(["ctl", "evidence", challenge, key], cancellation);

    /// <summary>A relying party that knows this image, and asks the services of this machine's makers.</summary>
    /// <exception cref="InvalidOperationException">The program cannot tell the policy's digest.</exception>
    public async Task<RelyingParty> RelyingPartyAsync(CancellationToken cancellation) => new()
    {
        Sources = new CollateralSources { Rims = new WorldRims(_world), Ocsp = new WorldOcsp(_world) },
        Policy = await RunAsync(["digest", Configuration], cancellation).ConfigureAwait(false) is { ExitCode: 0, Output: var digest } ? digest.Trim() : throw new InvalidOperationException("assay-guest digest does not answer"),
        Gpus = _counts.Gpus,
        Switches = _counts.Switches,
    };

    /// <summary>The names of the events in this boot's log.</summary>
    public ImmutableArray<string> Events()
    {
        var log = Path.Combine(Root, "run", "assay", "events.jsonl");
        return File.Exists(log) ? [.. File.ReadLines(log).Select(NameOf)] : [];
    }

    /// <summary>Runs a command of the guest's program to its end.</summary>
    public async Task<ProgramAnswer> RunAsync(IEnumerable<string> words, CancellationToken cancellation)
    {
        using var process = Begin(words);
        return await EndOfAsync(process, cancellation).ConfigureAwait(false);
    }

    /// <summary>Waits for the end of a process, and kills it on cancellation.</summary>
    public static async Task<ProgramAnswer> EndOfAsync(Process process, CancellationToken cancellation)
    {
        try
        {
            var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
            await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
            return new ProgramAnswer(process.ExitCode, await output.ConfigureAwait(false), await error.ConfigureAwait(false));
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }
    }

    /// <summary>The beginning of a command line of the guest's program in this VM.</summary>
    public string CommandLine => $"dotnet {_program} --root {Root} --sources {Socket}";

    /// <summary>Starts a command of the guest's program.</summary>
    public Process Begin(IEnumerable<string> words) => Begin("dotnet", [_program, "--root", Root, "--sources", Socket, .. words]);

    /// <summary>Starts a program without this terminal: .NET would prepare it for each child, and write to it.</summary>
    public static Process Begin(string program, IEnumerable<string> words)
    {
        var process = Process.Start(new ProcessStartInfo(program, words) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Close();
        return process;
    }

    public async ValueTask DisposeAsync()
    {
        Stop(ref _agent);
        Stop(ref _proxy);
        Hardware.Release();
        await _server.DisposeAsync().ConfigureAwait(false);
        await _services.DisposeAsync().ConfigureAwait(false);
        Hardware.Dispose();
        _world.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private static string Member(string name, string? value) => value is null ? "" : $",\"{name}\":{value}";

    private static async Task<string?> ServesAsync(Process process, Func<bool> canConnect, string whyNot, CancellationToken cancellation)
    {
        var waited = Stopwatch.StartNew();
        while (!canConnect())
        {
            if (process.HasExited || waited.Elapsed > Patience)
            {
                return process.HasExited ? $"{whyNot}: {await process.StandardError.ReadToEndAsync(cancellation).ConfigureAwait(false)}" : whyNot;
            }

            await Task.Delay(20, cancellation).ConfigureAwait(false);
        }

        return null;
    }

    private static void Stop(ref Process? process)
    {
        process?.Kill();
        process?.WaitForExit();
        process?.Dispose();
        process = null;
    }

    private static bool CanConnect(EndPoint place, ProtocolType protocol)
    {
        using var socket = new Socket(place.AddressFamily, SocketType.Stream, protocol);
        try
        {
            socket.Connect(place);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static string NameOf(string line)
    {
        using var document = JsonDocument.Parse(line);
        return document.RootElement.GetProperty("event").GetString()!;
    }
}

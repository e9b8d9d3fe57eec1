using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Assay.Cli.Channels;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>What the lines of the chapter about channels are about.</summary>
internal enum DemoChannelPart
{
    /// <summary>A client that knows nothing of attestation reaches the server in the VM.</summary>
    Honest,

    /// <summary>Somebody else answers, or listens.</summary>
    Attacks,

    /// <summary>What stands behind an address.</summary>
    Checks,
}

/// <summary>One line of the chapter.</summary>
/// <param name="Part">Where it belongs.</param>
/// <param name="Word">What happened.</param>
/// <param name="Title">What was tried.</param>
/// <param name="Fault">The id of what has to refuse it; null where it has to work.</param>
/// <param name="AsExpected">Whether it came out so.</param>
/// <param name="Reason">What the program said.</param>
internal sealed record DemoChannelLine(DemoChannelPart Part, string Word, string Title, string? Fault, bool AsExpected, string Reason)
{
    /// <summary>What a program printed, for people.</summary>
    public IReadOnlyList<string> Shown { get; init; } = [];
}

/// <summary>
/// A server in a simulated VM is reached through <c>assay-guest proxy</c> and <c>assay proxy</c>, by a client that knows neither. Then a connection is diverted and another one relayed, and
/// <c>assay client check</c> tells what stands behind two addresses. Every answer is one of the programs'.
/// </summary>
internal sealed class DemoChannel : IAsyncDisposable
{
    private const string Name = "worker.example";
    private const string WithoutGpus = """{"version":1,"gate":"dangerously-skip","register":"rtmr3","boundary":"assay","proxy":PROXY}""";

    private readonly SimulatedAuthority _authority;
    private readonly DemoVm _worker;
    private readonly DemoVm _other;
    private readonly DemoOperator _operator;
    private readonly DemoOperator _stranger;
    private readonly DemoUpstream _upstream;
    private readonly List<Process> _proxies = [];
    private readonly (int Worker, int Other) _ports = (FreePort(), FreePort());
    private RelyingPartyFiles? _files;
    private string _policy = "";

    private DemoChannel(SimulatedAuthority authority, DemoVm worker, DemoVm other, DemoUpstream upstream, DateTimeOffset now)
    {
        (_authority, _worker, _other, _upstream) = (authority, worker, other, upstream);
        (_operator, _stranger) = (new DemoOperator("the operator", now), new DemoOperator("a stranger", now));
        (_worker.Proxy, _other.Proxy) = (ProxyAt(_ports.Worker), ProxyAt(_ports.Other));
    }

    /// <summary>Who calls.</summary>
    public DemoCaller Caller { get; } = new();

    /// <summary>Two machines of the same makers and the same image, not booted yet.</summary>
    public static async Task<DemoChannel> StartAsync(string program, DateTimeOffset now, CancellationToken cancellation)
    {
        var (authority, intel) = (SimulatedAuthority.Create(now), SimulatedIntel.Create(now));
        var worker = await DemoVm.StartAsync(program, authority, intel, now, cancellation).ConfigureAwait(false);
        var other = await DemoVm.StartAsync(program, authority, intel, now, cancellation).ConfigureAwait(false);
        return new DemoChannel(authority, worker, other, await DemoUpstream.StartAsync(cancellation).ConfigureAwait(false), now);
    }

    /// <summary>The lines, as they come out. None follows where there is nothing to attack.</summary>
    public async IAsyncEnumerable<DemoChannelLine> RunAsync([EnumeratorCancellation] CancellationToken cancellation)
    {
        foreach (var step in (Func<CancellationToken, Task<DemoChannelLine>>[])[BootAsync, CallAsync, StreamAsync, DivertAsync, DivertToAnyAsync, RelayChallengeAsync, RelayExporterAsync, CheckWorkerAsync, CheckWithoutGpusAsync])
        {
            var line = await step(cancellation).ConfigureAwait(false);
            yield return line;
            if (line is { Part: DemoChannelPart.Honest, AsExpected: false })
            {
                yield break;
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var proxy in _proxies)
        {
            proxy.Kill();
            await proxy.WaitForExitAsync().ConfigureAwait(false);
            proxy.Dispose();
        }

        await _worker.DisposeAsync().ConfigureAwait(false);
        await _other.DisposeAsync().ConfigureAwait(false);
        await _upstream.DisposeAsync().ConfigureAwait(false);
        _operator.Dispose();
        _stranger.Dispose();
        _authority.Dispose();
    }

    private async Task<DemoChannelLine> BootAsync(CancellationToken cancellation)
    {
        const string title = "the VM boots through its gate; assay-guest proxy ends channels in it";
        if (await BootAsync(_worker, _ports.Worker, _operator, null, cancellation).ConfigureAwait(false) is { } whyNot)
        {
            return Honest("booted", title, false, whyNot);
        }

        _files = await FilesAsync(_worker, "party", [], cancellation).ConfigureAwait(false);
        _policy = _files.Policy("channel.yaml", Whose);
        return Honest("booted", title, true, string.Join(" → ", _worker.Events()));
    }

    private async Task<DemoChannelLine> CallAsync(CancellationToken cancellation)
    {
        var address = await ProxyAsync(_ports.Worker, _policy, cancellation).ConfigureAwait(false);
        var answer = await Caller.GetAsync($"{address}/hello", cancellation).ConfigureAwait(false);
        return Honest("called", $"{Caller.Name} {address}/hello, through assay proxy", answer == "hello from inside the VM", $"\"{answer}\"");
    }

    private async Task<DemoChannelLine> StreamAsync(CancellationToken cancellation)
    {
        var address = await ProxyAsync(_ports.Worker, _policy, cancellation).ConfigureAwait(false);
        var words = new List<string>();
        // Held back anywhere on the way, the second word would never be written.
        await Caller.ReadAsync($"{address}/stream", word =>
        {
            words.Add(word);
            _upstream.Continue();
        }, cancellation).ConfigureAwait(false);
        return Honest("passed", $"{Caller.Name} {address}/stream: each word is written after the one before was received", string.Join(" ", words) == string.Join(" ", DemoUpstream.Words), string.Join(" ", words));
    }

    private async Task<DemoChannelLine> DivertAsync(CancellationToken cancellation)
    {
        const string title = "diverted: a genuine VM of the same image answers, of another operator";
        const string fault = "channel.operator.ca";
        if (await BootAsync(_other, _ports.Other, _stranger, null, cancellation).ConfigureAwait(false) is { } whyNot)
        {
            return Attack(title, fault, false, whyNot);
        }

        var before = _upstream.Requests;
        var address = await ProxyAsync(_ports.Other, _policy, cancellation).ConfigureAwait(false);
        var answer = await Caller.GetAsync($"{address}/hello", cancellation).ConfigureAwait(false);
        var (id, text) = Problem(answer);
        return Attack(title, fault, id == fault && _upstream.Requests == before, text);
    }

    private async Task<DemoChannelLine> DivertToAnyAsync(CancellationToken cancellation)
    {
        var files = await FilesAsync(_other, "careless", ["channel-any-operator"], cancellation).ConfigureAwait(false);
        var check = await CheckAsync(_ports.Other, files.Policy("channel.yaml", "{dangerouslyAnyOperator: true}"), cancellation).ConfigureAwait(false);
        return new DemoChannelLine(DemoChannelPart.Attacks, check.ExitCode == 0 ? "opened" : "FAILED", "the same, with a policy that names no operator: evidence says what a machine is, and not whose", null, check.ExitCode == 0, Field(check.Output, "weakened"));
    }

    private async Task<DemoChannelLine> RelayChallengeAsync(CancellationToken cancellation)
    {
        var files = await FilesAsync(_worker, "challenge", ["channel-level-challenge"], cancellation).ConfigureAwait(false);
        var refused = await RelayAsync(files.Policy("channel.yaml", Whose, level: "challenge"), cancellation).ConfigureAwait(false);
        return new DemoChannelLine(DemoChannelPart.Attacks, refused is null ? "opened" : "FAILED", "relayed: a thief has the VM's TLS key, and has the VM answer for him, at the level challenge", null, refused is null,
            refused ?? "the evidence answers the client's challenge and names the right certificate; that the connection is the thief's, nothing says");
    }

    private async Task<DemoChannelLine> RelayExporterAsync(CancellationToken cancellation)
    {
        const string fault = "channel.verdict";
        var refused = await RelayAsync(_policy, cancellation).ConfigureAwait(false) ?? "the channel opened";
        return Attack("the same at the level exporter: the evidence names the keys of the thief's connection, and not the client's", fault,
            refused.StartsWith($"{fault}: ", StringComparison.Ordinal) && refused.Contains("report.nonce.match", StringComparison.Ordinal), refused);
    }

    private async Task<DemoChannelLine> CheckWorkerAsync(CancellationToken cancellation)
    {
        var check = await CheckAsync(_ports.Worker, _policy, cancellation).ConfigureAwait(false);
        return new DemoChannelLine(DemoChannelPart.Checks, check.ExitCode == 0 ? "good" : "FAILED", "assay client check: the worker", null, check.ExitCode == 0, $"exit code {check.ExitCode}") { Shown = Summary(check.Output) };
    }

    private async Task<DemoChannelLine> CheckWithoutGpusAsync(CancellationToken cancellation)
    {
        const string title = "assay client check: a VM of the same operator whose image skips the GPUs";
        const string fault = "channel.verdict";
        if (await BootAsync(_other, _ports.Other, _operator, WithoutGpus.Replace("PROXY", ProxyAt(_ports.Other), StringComparison.Ordinal), cancellation).ConfigureAwait(false) is { } whyNot)
        {
            return new DemoChannelLine(DemoChannelPart.Checks, "FAILED", title, fault, false, whyNot);
        }

        var files = await FilesAsync(_worker, "other", [], cancellation, _other).ConfigureAwait(false);
        var check = await CheckAsync(_ports.Other, files.Policy("channel.yaml", Whose), cancellation).ConfigureAwait(false);
        var reason = check.Error.Replace("assay: ", "", StringComparison.Ordinal).Trim();
        var isRefused = check.ExitCode == 1 && reason.StartsWith($"{fault}: ", StringComparison.Ordinal);
        return new DemoChannelLine(DemoChannelPart.Checks, isRefused ? "refused" : "FAILED", title, fault, isRefused, reason) { Shown = Summary(check.Output) };
    }

    private static string Whose => $"{{ca: [operator.pem], name: {Name}}}";

    private string ProxyAt(int port) => string.Create(CultureInfo.InvariantCulture, $$"""{"listen":"127.0.0.1:{{port}}","upstream":"127.0.0.1:{{_upstream.Port}}","purpose":"{{RelyingPartyFiles.Purpose}}","names":["{{Name}}"],"operator":"/run/operator"}""");

    private static string UrlOf(int port) => string.Create(CultureInfo.InvariantCulture, $"https://127.0.0.1:{port}");

    private static async Task<string?> BootAsync(DemoVm vm, int port, DemoOperator whose, string? configuration, CancellationToken cancellation)
    {
        vm.Prepare(GuestFault.None, configuration);
        return await vm.BootAsync(cancellation).ConfigureAwait(false) ?? await vm.StartProxyAsync(port, whose.CertificatePem, whose.KeyPem, cancellation).ConfigureAwait(false);
    }

    // What the relying party knows of the image it knows from the worker; collateral is the platform's.
    private async Task<RelyingPartyFiles> FilesAsync(DemoVm vm, string folder, string[] accepted, CancellationToken cancellation, DemoVm? platform = null)
    {
        var place = Path.Combine(vm.Folder, folder);
        var party = await vm.RelyingPartyAsync(cancellation).ConfigureAwait(false);
        var files = RelyingPartyFiles.Write(place, party, (platform ?? vm).Hardware, vm.Services, accepted);
        await File.WriteAllTextAsync(Path.Combine(place, "operator.pem"), _operator.CertificatePem, cancellation).ConfigureAwait(false);
        return files;
    }

    /// <summary>Starts <c>assay proxy</c>; its address.</summary>
    private async Task<string> ProxyAsync(int port, string policy, CancellationToken cancellation)
    {
        var proxy = OwnCommand.Begin(["proxy", "--listen", "127.0.0.1:0", "--upstream", UrlOf(port), "--policy", policy]);
        _proxies.Add(proxy);
        // A full pipe would hold it.
        proxy.ErrorDataReceived += (_, _) => { };
        proxy.BeginErrorReadLine();
        var line = await proxy.StandardOutput.ReadLineAsync(cancellation).ConfigureAwait(false) ?? throw new InvalidOperationException("assay proxy does not start");
        return line.Split(' ', ',')[2];
    }

    private static async Task<ProgramAnswer> CheckAsync(int port, string policy, CancellationToken cancellation)
    {
        using var process = OwnCommand.Begin(["client", "check", UrlOf(port), "--policy", policy]);
        return await DemoVm.EndOfAsync(process, cancellation).ConfigureAwait(false);
    }

    private async Task<string?> RelayAsync(string policy, CancellationToken cancellation)
    {
        var shown = await _worker.EvidenceAsync(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), "release", cancellation).ConfigureAwait(false);
        if (shown.ExitCode != 0 || !ChannelPolicyFile.TryRead(policy, TimeProvider.System, out var loaded, out var faults))
        {
            return shown.ExitCode != 0 ? shown.Error : "the demonstration's own policy cannot be read";
        }

        using (loaded)
        {
            var thief = new DemoThief(new DemoEvidence(_worker.Hardware, (string)JsonNode.Parse(shown.Output)!["cpu"]!["eventLog"]!), Name, _operator);
            return (await thief.RelayAsync(loaded.Policy, cancellation).ConfigureAwait(false))?.Message;
        }
    }

    private static string[] Summary(string output) => [.. output.Split('\n').TakeWhile(line => line.Length > 0)];

    private static string Field(string output, string label) => Summary(output).FirstOrDefault(line => line.TrimStart().StartsWith(label, StringComparison.Ordinal))?.Trim() ?? output;

    // RFC 9457: the type ends with the id.
    private static (string Id, string Text) Problem(string answer)
    {
        try
        {
            var problem = JsonNode.Parse(answer)!;
            var id = ((string?)problem["type"])!.Split(':')[^1];
            return (id, $"{id}: {(string?)problem["title"]}");
        }
        catch (System.Text.Json.JsonException)
        {
            return ("", answer);
        }
    }

    internal static int FreePort()
    {
        using var probe = new TcpListener(IPAddress.Loopback, 0);
        probe.Start();
        return ((IPEndPoint)probe.LocalEndpoint).Port;
    }

    private static DemoChannelLine Honest(string word, string title, bool asExpected, string reason) => new(DemoChannelPart.Honest, asExpected ? word : "FAILED", title, null, asExpected, reason);

    private static DemoChannelLine Attack(string title, string fault, bool isRefused, string reason) => new(DemoChannelPart.Attacks, isRefused ? "refused" : "FAILED", title, fault, isRefused, reason);
}

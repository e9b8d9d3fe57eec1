using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Assay.Simulator;
using Assay.Simulator.Cli;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Tests.Guest;

/// <summary>What a run of <c>assay-guest</c> said.</summary>
internal sealed record GuestAnswer(int ExitCode, string Output, string Error);

/// <summary>
/// A simulated confidential VM with two GPUs and two switches, as one boot sees it: hardware on a socket, NVIDIA's services on loopback, a root folder with
/// the measured configuration. The guest runs in it as a process of its own.
/// </summary>
internal sealed class GuestWorld : IAsyncDisposable
{
    public const int Gpus = 2;
    public const int Switches = 2;

    private static readonly SimulatedAuthority s_authority = SimulatedAuthority.Create(TimeProvider.System.GetUtcNow());
    private static readonly SimulatedIntel s_intel = SimulatedIntel.Create(TimeProvider.System.GetUtcNow());

    private readonly SimulatedGuestServer _server;
    private readonly WebApplication _services;
    private readonly SimulatedWorld _world;

    private GuestWorld(SimulatedWorld world, WebApplication services)
    {
        (_world, _services) = (world, services);
        Hardware = new SimulatedGuest(world, s_authority, s_intel);
        Socket = Path.Combine(Folder, "hardware.sock");
        Directory.CreateDirectory(Root);
        _server = SimulatedGuestServer.Start(Hardware, Socket);
        Url = services.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        Configure();
    }

    public string Folder { get; } = Directory.CreateTempSubdirectory("assay-guest-").FullName;

    public string Root => Path.Combine(Folder, "root");

    public string Socket { get; }

    public string Url { get; }

    public SimulatedGuest Hardware { get; }

    public SimulatedWorld Devices => _world;

    public static SimulatedAuthority Authority => s_authority;

    public string At(string path) => Root + path;

    /// <summary>The guest's program as it is built with simulated sources.</summary>
    public static string Program { get; } = Path.Combine(
        Repository.Root, "src", "guest", "Assay.Guest", "bin", "simulated", Path.GetFileName(Path.GetDirectoryName(AppContext.BaseDirectory.TrimEnd('/')))!, "assay-guest-simulated.dll");

    public static async Task<GuestWorld> StartAsync(string fault = "none", int device = 0)
    {
        var made = SimulatedWorld.TryCreateMachine(
            s_authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, Gpus, Switches, SimulatedFaults.Find(fault)!, new FaultTarget { Device = device }, TimeProvider.System.GetUtcNow(), out var world, out var whyNot);
        Assert.True(made, whyNot);
        var services = ServeCommand.Build(world!, 0);
        await services.StartAsync(TestContext.Current.CancellationToken);
        return new GuestWorld(world!, services);
    }

    /// <summary>The honest configuration, with members in the place of its own; a null leaves one out.</summary>
    public void Configure(params ReadOnlySpan<(string Member, string? Json)> changes)
    {
        var members = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["version"] = "1",
            ["gate"] = "\"verify\"",
            ["devices"] = string.Create(CultureInfo.InvariantCulture, $$"""{"gpus":{{Gpus}},"switches":{{Switches}},"architectures":["HOPPER","LS10"],"mode":"ppcie"}"""),
            ["register"] = "\"rtmr3\"",
            ["boundary"] = "\"assay\"",
            ["collateralUrl"] = $"\"{Url}\"",
            ["timeoutSeconds"] = "60",
        };
        foreach (var (member, json) in changes)
        {
            members[member] = json;
        }

        Write("/usr/lib/assay/guest.json", $"{{{string.Join(',', members.Where(item => item.Value is not null).Select(item => $"\"{item.Key}\":{item.Value}"))}}}");
    }

    public void Write(string path, string content)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(At(path))!);
        File.WriteAllText(At(path), content);
    }

    /// <summary>Runs a command of the guest to its end.</summary>
    public GuestAnswer Run(params string[] words)
    {
        using var process = Begin(words);
        return EndOf(process);
    }

    public static GuestAnswer EndOf(Process process)
    {
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(Patience.Long))
        {
            process.Kill();
            Assert.Fail("the guest did not end");
        }

        return new GuestAnswer(process.ExitCode, output.Result, error.Result);
    }

    public Process Begin(params string[] words) => Begin([], words);

    public Process Begin(IEnumerable<(string Name, string Value)> environment, params string[] words)
    {
        var start = new ProcessStartInfo("dotnet", Words(words)) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Folder };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    /// <summary>What <c>dotnet</c> is given for a command of the guest.</summary>
    public IEnumerable<string> Words(params IEnumerable<string> words) => [Program, "--root", Root, "--sources", Socket, .. words];

    /// <summary>What stands in gate.json.</summary>
    public JsonElement Report()
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(At("/run/assay/gate.json")));
        return document.RootElement.Clone();
    }

    public string FaultId() => Report().GetProperty("fault").GetProperty("id").GetString()!;

    /// <summary>The power goes off and on: a tmpfs is empty, registers are zero.</summary>
    public void Reboot()
    {
        Hardware.Reboot();
        Directory.Delete(At("/run"), recursive: true);
    }

    /// <summary>The names of the events in this boot's log.</summary>
    public ImmutableArray<string> Events() => File.Exists(At("/run/assay/events.jsonl"))
        ? [.. File.ReadLines(At("/run/assay/events.jsonl")).Select(line => JsonDocument.Parse(line).RootElement.GetProperty("event").GetString()!)] : [];

    public async ValueTask DisposeAsync()
    {
        Hardware.Release();
        await _server.DisposeAsync();
        await _services.StopAsync();
        await _services.DisposeAsync();
        Hardware.Dispose();
        _world.Dispose();
        Directory.Delete(Folder, recursive: true);
    }
}

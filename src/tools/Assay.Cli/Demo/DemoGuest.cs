using System.Collections.Immutable;
using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Machine;
using Assay.Binding;
using Assay.Checks;
using Assay.Collateral;
using Assay.Endorsements;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Reference.Manifest;
using Assay.Simulator;
using Assay.Trust;
using Assay.Trust.Revocation;
using Assay.Wire;

namespace Assay.Cli.Demo;

/// <summary>How one boot of the demonstration ended.</summary>
/// <param name="Title">What was tried.</param>
/// <param name="AsExpected">Whether it ended as it must.</param>
/// <param name="Reason">Why it ended so.</param>
internal sealed record DemoBoot(string Title, bool AsExpected, string Reason);

/// <summary>
/// The guest's own program, built with simulated sources into a folder of its own: it boots a simulated confidential VM through the gate, shows what
/// the gate wrote to a relying party, and then attacks the boot.
/// </summary>
internal sealed class DemoGuest : IAsyncDisposable
{
    private const int Gpus = 2;
    private const int Switches = 2;
    private const string Challenge = "Ym9vdCBtZQ==";
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly string _program;
    private readonly SimulatedAuthority _authority;
    private readonly SimulatedWorld _world;
    private readonly SimulatedGuest _hardware;
    private readonly SimulatedGuestServer _server;
    private readonly DemoServices _services;
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-demo-guest-").FullName;

    private DemoGuest(string program, SimulatedAuthority authority, SimulatedWorld world, SimulatedIntel intel, DemoServices services)
    {
        (_program, _authority, _world, _services) = (program, authority, world, services);
        _hardware = new SimulatedGuest(world, authority, intel);
        _server = SimulatedGuestServer.Start(_hardware, Socket);
    }

    private string Socket => Path.Combine(_folder, "hardware.sock");

    private string Root => Path.Combine(_folder, "root");

    /// <summary>Builds the guest's program. Null, with the reason, where there is no checkout or it does not build.</summary>
    public static async Task<(string? Program, string? WhyNot)> BuildAsync(CancellationToken cancellation)
    {
        var root = AppContext.BaseDirectory;
        while (root is not null && !File.Exists(Path.Combine(root, "Assay.slnx")))
        {
            root = Path.GetDirectoryName(root);
        }

        if (root is null)
        {
            return (null, "demo guest builds the guest's program, and needs a checkout: run ./assay demo guest there");
        }

        var output = Path.Combine(root, "artifacts", "demo-guest");
        Directory.CreateDirectory(output);
        // Two builds at a time would write the same files: the second waits, and then finds the work done.
        await using var held = await HoldAsync(Path.Combine(root, "artifacts", "demo-guest.lock"), cancellation).ConfigureAwait(false);
        // No server of the build outlives it.
        var start = new ProcessStartInfo("dotnet", ["build", Path.Combine(root, "src", "guest", "Assay.Guest"), "-c", "Release", "-nologo", "-v", "quiet", "-p:SimulatedSources=true", "-o", output, "-nodeReuse:false", "-p:UseSharedCompilation=false"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var build = Process.Start(start)!;
        var said = build.StandardOutput.ReadToEndAsync(cancellation);
        await build.WaitForExitAsync(cancellation).ConfigureAwait(false);
        return build.ExitCode == 0 ? (Path.Combine(output, "assay-guest-simulated.dll"), null) : (null, $"the guest's program does not build: {await said.ConfigureAwait(false)}");
    }

    private static async Task<FileStream> HoldAsync(string path, CancellationToken cancellation)
    {
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
            }
            catch (IOException) when (!cancellation.IsCancellationRequested)
            {
                await Task.Delay(200, cancellation).ConfigureAwait(false);
            }
        }
    }

    public static async Task<DemoGuest> StartAsync(string program, DateTimeOffset now, CancellationToken cancellation)
    {
        var authority = SimulatedAuthority.Create(now);
        if (!SimulatedWorld.TryCreateMachine(authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, Gpus, Switches, SimulatedFault.None, new FaultTarget(), now, out var world, out var whyNot))
        {
            throw new InvalidOperationException(whyNot);
        }

        return new DemoGuest(program, authority, world, SimulatedIntel.Create(now), await DemoServices.StartAsync(world, cancellation).ConfigureAwait(false));
    }

    /// <summary>An honest boot: gate, boundary, agent, and the verdict of a relying party over what they wrote.</summary>
    public async Task<(DemoBoot Boot, Verdict? Verdict)> BootAsync(CancellationToken cancellation)
    {
        const string title = "gate, boundary, agent: every device verified before anything else may start";
        Prepare(GuestFault.None);
        foreach (var command in (string[])["gate", "seal-boot"])
        {
            if (await RunAsync(cancellation, command).ConfigureAwait(false) is { ExitCode: not 0, Error: var error })
            {
                return (new DemoBoot(title, false, error), null);
            }
        }

        using var agent = Begin("agent");
        try
        {
            var evidence = (ExitCode: 1, Output: "", Error: "the agent does not answer");
            for (var attempt = 0; attempt < 100 && evidence.ExitCode != 0; attempt++)
            {
                evidence = await RunAsync(cancellation, "ctl", "evidence", Challenge, "release").ConfigureAwait(false);
            }

            if (evidence.ExitCode != 0)
            {
                return (new DemoBoot(title, false, evidence.Error), null);
            }

            var verdict = await JudgeAsync(System.Text.Encoding.UTF8.GetBytes(evidence.Output), cancellation).ConfigureAwait(false);
            return (new DemoBoot(title, verdict is { Kind: VerdictKind.Pass, Binding: "boot-event" }, string.Join(" → ", Events())), verdict);
        }
        finally
        {
            agent.Kill();
            await agent.WaitForExitAsync(CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <summary>The attacks, one boot each.</summary>
    public IEnumerable<Func<CancellationToken, Task<DemoBoot>>> Attacks =>
    [
        cancellation => ClosedAsync("CC off: the host left confidential computing off", "gate.cc.off", GuestFault.CcOff, [], cancellation),
        cancellation => ClosedAsync("DEVTOOLS: it looks like CC, and protects nothing", "gate.cc.devtools", GuestFault.DevTools, [], cancellation),
        cancellation => ClosedAsync("a wrong count: the host kept one GPU back", "gate.devices.count", GuestFault.MissingGpu, [], cancellation),
        cancellation => ClosedAsync("replayed evidence: what the devices answered at another boot", "gate.verdict", GuestFault.Replayed, [], cancellation),
        cancellation => ClosedAsync("an unmeasured override: the host's own option, and its own file, for DEVTOOLS", "guest.arguments", GuestFault.DevTools, ["--dangerously-accept-devtools"], cancellation),
        KilledAsync,
    ];

    public async ValueTask DisposeAsync()
    {
        _hardware.Release();
        await _server.DisposeAsync().ConfigureAwait(false);
        await _services.DisposeAsync().ConfigureAwait(false);
        _hardware.Dispose();
        _world.Dispose();
        _authority.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    private async Task<DemoBoot> ClosedAsync(string title, string expected, GuestFault fault, string[] options, CancellationToken cancellation)
    {
        Prepare(fault);
        File.WriteAllText(Path.Combine(Root, "run", "assay", "guest.json"), """{"version":1,"gate":"dangerously-skip","register":"rtmr3","boundary":"assay"}""");
        var gate = await RunAsync(cancellation, ["gate", .. options]).ConfigureAwait(false);
        var seal = await RunAsync(cancellation, "seal-boot").ConfigureAwait(false);
        var closed = gate.ExitCode is 1 or 2 && gate.Error.Contains(expected, StringComparison.Ordinal) && seal.ExitCode == 1 && !_hardware.IsReady && !Events().Contains("system-ready");
        return new DemoBoot(title, closed, gate.Error.Trim());
    }

    private async Task<DemoBoot> KilledAsync(CancellationToken cancellation)
    {
        const string title = "a killed gate: SIGKILL after the devices are ready, before systemd is told";
        Prepare(GuestFault.None);
        _hardware.HoldAt = "notify";
        using var gate = Begin("gate");
        for (var waited = TimeSpan.Zero; !_hardware.Steps.Contains("notify") && waited < s_patience && !gate.HasExited; waited += TimeSpan.FromMilliseconds(20))
        {
            await Task.Delay(20, cancellation).ConfigureAwait(false);
        }

        gate.Kill();
        await gate.WaitForExitAsync(cancellation).ConfigureAwait(false);
        _hardware.Release();
        var revoke = await RunAsync(cancellation, "revoke").ConfigureAwait(false);
        var seal = await RunAsync(cancellation, "seal-boot").ConfigureAwait(false);
        return new DemoBoot(title, revoke.ExitCode == 0 && seal.ExitCode == 1 && !_hardware.IsReady, seal.Error.Trim());
    }

    // A boot of its own: registers are zero, /run is empty.
    private void Prepare(GuestFault fault)
    {
        _hardware.Reboot();
        _hardware.Fault = fault;
        if (Directory.Exists(Root))
        {
            Directory.Delete(Root, recursive: true);
        }

        Directory.CreateDirectory(Path.Combine(Root, "run", "assay"));
        var configuration = Directory.CreateDirectory(Path.Combine(Root, "usr", "lib", "assay")).FullName;
        File.WriteAllText(Path.Combine(configuration, "guest.json"), string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"version":1,"gate":"verify","devices":{"gpus":{{Gpus}},"switches":{{Switches}},"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","collateralUrl":"{{_services.Address}}"}"""));
    }

    private ImmutableArray<string> Events()
    {
        var log = Path.Combine(Root, "run", "assay", "events.jsonl");
        return File.Exists(log) ? [.. File.ReadLines(log).Select(NameOf)] : [];
    }

    private static string NameOf(string line)
    {
        using var document = JsonDocument.Parse(line);
        return document.RootElement.GetProperty("event").GetString()!;
    }

    private async Task<Verdict> JudgeAsync(byte[] bundle, CancellationToken cancellation)
    {
        if (!MachineEvidence.TryParse(bundle, "the guest's evidence", out var evidence, out var fault)
            || !TrustSet.TryParse(_hardware.Anchors, out var trust, out fault)
            || !TdxCollateral.TryParse(_hardware.Collateral.Span, out var tdx, out fault))
        {
            throw new InvalidOperationException($"the guest's own evidence cannot be read: {fault}");
        }

        using var report = JsonDocument.Parse(await File.ReadAllBytesAsync(Path.Combine(Root, "run", "assay", "gate.json"), cancellation).ConfigureAwait(false));
        // What an image builder publishes: assay-guest digest prints it of the configuration.
        var policy = new Digest(Convert.FromHexString(report.RootElement.GetProperty("gpuPolicy").GetString()!));
        var now = TimeProvider.System.GetUtcNow();
        var time = new EvaluationTime(now, TimeSource.System);
        var references = new ReferenceManifest
        {
            ImageName = "demonstration",
            ImageVersion = "1",
            Sequence = 1,
            NotBefore = now.AddDays(-1),
            NotAfter = now.AddDays(1),
            Tdx = [new TdxReference { Name = "the image", MrTd = new Digest(SimulatedTdx.GoodMrTd), Rtmr = [.. _hardware.FirmwareRegisters.Select(register => (Digest?)new Digest(register.Span)), null] }],
            GpuPolicies = [policy],
        };
        var expected = new MachineExpectations
        {
            Challenge = Challenge,
            Basis = new TrustBasis(time, trust, RevocationChecking.Required),
            References = ReferenceValues.TryRead(references.ToCanonicalJson(), keys: null, time, minimumSequence: 0, out var values, out _) ? values : throw new InvalidOperationException("the demonstration's own reference values cannot be read"),
            Gpus = Gpus,
            Switches = Switches,
            RequireSecureBoot = true,
            Gate = new GateRequirement { Phase = BootPhase.Run, Register = GateRequirement.Rtmr, Policies = [policy], Outcome = GateOutcome.Attested, Devices = null },
        };
        var source = new CollateralSources { Rims = new WorldRims(_world), Ocsp = new WorldOcsp(_world) };
        return await new MachineAppraiser(source, new VerifierCache()) { Given = new ProcessorCollateral { Tdx = tdx } }.AppraiseAsync(evidence, expected, cancellation: cancellation).ConfigureAwait(false);
    }

    private async Task<(int ExitCode, string Output, string Error)> RunAsync(CancellationToken cancellation, params string[] words)
    {
        using var process = Begin(words);
        var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
        await process.WaitForExitAsync(cancellation).ConfigureAwait(false);
        return (process.ExitCode, await output.ConfigureAwait(false), await error.ConfigureAwait(false));
    }

    private Process Begin(params string[] words) =>
        Process.Start(new ProcessStartInfo("dotnet", [_program, "--root", Root, "--sources", Socket, .. words]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
}

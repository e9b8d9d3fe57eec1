using System.Text;
using Assay.Policy;
using Assay.Simulator;

namespace Assay.Cli.Demo;

/// <summary>How one boot of the demonstration ended.</summary>
/// <param name="Title">What was tried.</param>
/// <param name="AsExpected">Whether it ended as it must.</param>
/// <param name="Reason">Why it ended so.</param>
internal sealed record DemoBoot(string Title, bool AsExpected, string Reason);

/// <summary>
/// The guest's own program boots a simulated confidential VM through the gate, shows what the gate wrote to a relying party, and then the boot is attacked.
/// </summary>
internal sealed class DemoGuest : IAsyncDisposable
{
    private const string Challenge = "Ym9vdCBtZQ==";

    private readonly SimulatedAuthority _authority;
    private readonly DemoVm _vm;

    private DemoGuest(SimulatedAuthority authority, DemoVm vm) => (_authority, _vm) = (authority, vm);

    public static async Task<DemoGuest> StartAsync(string program, DateTimeOffset now, CancellationToken cancellation)
    {
        var authority = SimulatedAuthority.Create(now);
        return new DemoGuest(authority, await DemoVm.StartAsync(program, authority, SimulatedIntel.Create(now), now, cancellation).ConfigureAwait(false));
    }

    /// <summary>An honest boot: gate, boundary, agent, and the verdict of a relying party over what they wrote.</summary>
    public async Task<(DemoBoot Boot, Verdict? Verdict)> BootAsync(CancellationToken cancellation)
    {
        const string title = "gate, boundary, agent: every device verified before anything else may start";
        _vm.Prepare(GuestFault.None);
        if (await _vm.BootAsync(cancellation).ConfigureAwait(false) is { } whyNot)
        {
            return (new DemoBoot(title, false, whyNot), null);
        }

        var evidence = await _vm.EvidenceAsync(Challenge, "release", cancellation).ConfigureAwait(false);
        if (evidence.ExitCode != 0)
        {
            return (new DemoBoot(title, false, evidence.Error), null);
        }

        var party = await _vm.RelyingPartyAsync(cancellation).ConfigureAwait(false);
        var verdict = await party.JudgeAsync(_vm.Hardware, Encoding.UTF8.GetBytes(evidence.Output), Challenge, cancellation).ConfigureAwait(false);
        return (new DemoBoot(title, verdict is { Kind: VerdictKind.Pass, Binding: "boot-event" }, string.Join(" → ", _vm.Events())), verdict);
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
        await _vm.DisposeAsync().ConfigureAwait(false);
        _authority.Dispose();
    }

    private async Task<DemoBoot> ClosedAsync(string title, string expected, GuestFault fault, string[] options, CancellationToken cancellation)
    {
        _vm.Prepare(fault);
        File.WriteAllText(Path.Combine(_vm.Root, "run", "assay", "guest.json"), """{"version":1,"gate":"dangerously-skip","register":"rtmr3","boundary":"assay"}""");
        var gate = await _vm.RunAsync(["gate", .. options], cancellation).ConfigureAwait(false);
        var seal = await _vm.RunAsync(["seal-boot"], cancellation).ConfigureAwait(false);
        var closed = gate.ExitCode is 1 or 2 && gate.Error.Contains(expected, StringComparison.Ordinal) && seal.ExitCode == 1 && !_vm.Hardware.IsReady && !_vm.Events().Contains("system-ready");
        return new DemoBoot(title, closed, gate.Error.Trim());
    }

    private async Task<DemoBoot> KilledAsync(CancellationToken cancellation)
    {
        const string title = "a killed gate: SIGKILL after the devices are ready, before systemd is told";
        _vm.Prepare(GuestFault.None);
        _vm.Hardware.HoldAt = "notify";
        using var gate = _vm.Begin(["gate"]);
        for (var waited = TimeSpan.Zero; !_vm.Hardware.Steps.Contains("notify") && waited < DemoVm.Patience && !gate.HasExited; waited += TimeSpan.FromMilliseconds(20))
        {
            await Task.Delay(20, cancellation).ConfigureAwait(false);
        }

        gate.Kill();
        await gate.WaitForExitAsync(cancellation).ConfigureAwait(false);
        _vm.Hardware.Release();
        var revoke = await _vm.RunAsync(["revoke"], cancellation).ConfigureAwait(false);
        var seal = await _vm.RunAsync(["seal-boot"], cancellation).ConfigureAwait(false);
        return new DemoBoot(title, revoke.ExitCode == 0 && seal.ExitCode == 1 && !_vm.Hardware.IsReady, seal.Error.Trim());
    }
}

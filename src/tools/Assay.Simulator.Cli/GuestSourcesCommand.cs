using System.CommandLine;
using System.Globalization;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Simulator.Cli;

/// <summary>
/// <c>assay-sim guest-sources</c>: the hardware of a simulated confidential VM on a unix socket, for a guest that was built with
/// <c>-p:SimulatedSources=true</c>, and NVIDIA's services beside it on 127.0.0.1.
/// </summary>
internal sealed class GuestSourcesCommand
{
    private readonly WorldOptions _machine = new(isMachine: true);
    private readonly Option<string> _socket = new("--socket") { Description = "where the guest connects; must not exist", HelpName = "PATH", Required = true };
    private readonly Option<string?> _root = new("--root") { Description = "also write a configuration for this machine into this root folder", HelpName = "DIR" };
    private readonly Option<string> _guestFault = new("--guest-fault") { Description = "what is wrong with what the gate sees", HelpName = "NAME", DefaultValueFactory = _ => nameof(GuestFault.None) };

    public static Command Create()
    {
        var self = new GuestSourcesCommand();
        self._guestFault.AcceptOnlyFromAmong(Enum.GetNames<GuestFault>());
        var command = new Command("guest-sources", "Serves the hardware of a simulated confidential VM to a guest built with simulated sources, until interrupted.") { self._socket, self._root, self._guestFault };
        self._machine.AddTo(command);
        command.SetAction(self.RunAsync);
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var now = TimeProvider.System.GetUtcNow();
        using var authority = _machine.Authority(parsed, now);
        if (!_machine.TryCreate(parsed, authority, now, out var world))
        {
            return SimulatorCommandLine.Unusable;
        }

        using (world)
        {
            await using var services = ServeCommand.Build(world, 0);
            await services.StartAsync(cancellation).ConfigureAwait(false);
            using var guest = new SimulatedGuest(world, authority, SimulatedIntel.Create(now)) { Fault = Enum.Parse<GuestFault>(parsed.GetValue(_guestFault)!) };
            try
            {
                await using var server = SimulatedGuestServer.Start(guest, parsed.GetValue(_socket)!);
                var address = services.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
                Print(parsed, world, address);
                await Task.Delay(Timeout.Infinite, cancellation).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
            }
            catch (Exception exception) when (exception is System.Net.Sockets.SocketException or IOException or UnauthorizedAccessException)
            {
                SimulatorCommandLine.Error("sim.socket", $"--socket, --root: {exception.Message}");
                return SimulatorCommandLine.Unusable;
            }

            await services.StopAsync(CancellationToken.None).ConfigureAwait(false);
            return SimulatorCommandLine.Done;
        }
    }

    private void Print(ParseResult parsed, SimulatedWorld world, string address)
    {
        var (socket, root) = (parsed.GetValue(_socket)!, parsed.GetValue(_root));
        Console.WriteLine($"{world.Name}: {world.Devices.Length} devices on {socket}, services on {address}, until interrupted");
        EvidenceCommand.Explain(world);
        if (root is null)
        {
            return;
        }

        var switches = world.Devices.Count(device => device.Profile.Family is DeviceFamily.Ls10);
        var file = Path.Combine(root, "usr", "lib", "assay", "guest.json");
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, string.Create(
            CultureInfo.InvariantCulture,
            $$"""{"version":1,"gate":"verify","devices":{"gpus":{{world.Devices.Length - switches}},"switches":{{switches}},"architectures":["HOPPER","LS10"],"mode":"ppcie"},"register":"rtmr3","boundary":"assay","collateralUrl":"{{address}}"}""") + "\n");
        File.WriteAllBytes(Path.Combine(root, "anchors.json"), world.Anchors);
        Console.WriteLine($"  assay-guest-simulated --root {root} --sources {socket} gate");
    }
}

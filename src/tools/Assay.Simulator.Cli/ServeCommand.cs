using System.CommandLine;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Assay.Simulator.Cli;

/// <summary><c>assay-sim serve</c>: a machine that answers challenges, with a RIM service, an OCSP responder and CRLs, on 127.0.0.1 and nowhere else.</summary>
internal sealed class ServeCommand
{
    private const int LargestPort = 65535;

    private readonly WorldOptions _machine = new(isMachine: true);
    private readonly Option<int> _port = new("--port") { Description = "0: any free one", HelpName = "N" };

    public static Command Create()
    {
        var self = new ServeCommand();
        var command = new Command("serve", "Serves a simulated machine, a RIM service, an OCSP responder and CRLs on 127.0.0.1, until interrupted.") { self._port };
        self._machine.AddTo(command);
        command.SetAction(self.RunAsync);
        return command;
    }

    private async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var port = parsed.GetValue(_port);
        if (port is < 0 or > LargestPort)
        {
            SimulatorCommandLine.Error("sim.port", $"--port is 0 to {LargestPort}");
            return SimulatorCommandLine.Unusable;
        }

        var now = TimeProvider.System.GetUtcNow();
        using var authority = _machine.Authority(parsed, now);
        if (!_machine.TryCreate(parsed, authority, now, out var world))
        {
            return SimulatorCommandLine.Unusable;
        }

        using (world)
        {
            await using var application = Build(world, port);
            try
            {
                await application.StartAsync(cancellation).ConfigureAwait(false);
            }
            catch (IOException exception)
            {
                SimulatorCommandLine.Error("sim.port", exception.Message);
                return SimulatorCommandLine.Unusable;
            }

            Print(world, application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single());
            await Task.Delay(Timeout.Infinite, cancellation).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default).ConfigureAwait(false);
            await application.StopAsync(CancellationToken.None).ConfigureAwait(false);
            return SimulatorCommandLine.Done;
        }
    }

    /// <summary>The services over one world; not yet started.</summary>
    public static WebApplication Build(SimulatedWorld world, int port)
    {
        // Empty: an appsettings.json in the folder or a variable may not open a listener to the world (S-12).
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddRoutingCore();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port));
        var application = builder.Build();
        application.MapSimulatedServices(world);
        return application;
    }

    private static void Print(SimulatedWorld world, string address)
    {
        Console.WriteLine($"{world.Name}: {world.Devices.Length} devices, on {address} until interrupted");
        EvidenceCommand.Explain(world);
        Console.WriteLine("  NONCE=$(openssl rand -hex 32)");
        Console.WriteLine($"  curl -s {address}/anchors.json > anchors.json");
        Console.WriteLine($"  curl -s \"{address}/evidence?nonce=$NONCE\" > evidence.json");
        Console.WriteLine($"  {WorldOptions.Assay} verify --evidence evidence.json --anchors anchors.json --rim-url {address} --ocsp-url {address} --nonce $NONCE");
        Console.WriteLine($"  CRLs: {address}/crl/l1-root.crl, l2-gh100.crl, l2-gb100.crl, l1-corim");
    }
}

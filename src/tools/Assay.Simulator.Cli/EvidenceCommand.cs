using System.CommandLine;

namespace Assay.Simulator.Cli;

/// <summary><c>assay-sim machine</c> and <c>assay-sim evidence</c>: everything that a verification needs, in a folder.</summary>
internal sealed class EvidenceCommand
{
    private readonly WorldOptions _world;
    private readonly Option<string> _out = new("--out") { Description = "an empty or new folder", HelpName = "DIR", Required = true };
    private readonly Option<string?> _nonce = new("--nonce") { Description = "the challenge, 32 bytes; random when not given", HelpName = "HEX" };

    private EvidenceCommand(bool isMachine) => _world = new WorldOptions(isMachine);

    public static Command Machine() => Create("machine", "Writes evidence, RIMs, OCSP answers, CRLs and anchors of a machine of GPUs and switches.", isMachine: true);

    public static Command Device() => Create("evidence", "Writes the same for one device.", isMachine: false);

    private static Command Create(string name, string description, bool isMachine)
    {
        var self = new EvidenceCommand(isMachine);
        var command = new Command(name, description) { self._out, self._nonce };
        self._world.AddTo(command);
        command.SetAction(self.Run);
        return command;
    }

    private int Run(ParseResult parsed)
    {
        var folder = parsed.GetValue(_out)!;
        if (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any()))
        {
            SimulatorCommandLine.Error("sim.folder", $"--out: {folder} exists and is not an empty folder");
            return SimulatorCommandLine.Unusable;
        }

        if (!WorldOptions.TryReadNonce(parsed.GetValue(_nonce), out var nonce))
        {
            SimulatorCommandLine.Error("sim.nonce", "--nonce is 32 bytes, 64 hexadecimal digits");
            return SimulatorCommandLine.Unusable;
        }

        var now = TimeProvider.System.GetUtcNow();
        using var authority = _world.Authority(parsed, now);
        if (!_world.TryCreate(parsed, authority, now, out var world))
        {
            return SimulatorCommandLine.Unusable;
        }

        using (world)
        {
            try
            {
                SimulatedSet.Of(world, nonce).Write(folder);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
            {
                SimulatorCommandLine.Error("sim.folder", $"--out: {exception.Message}");
                return SimulatorCommandLine.Unusable;
            }

            Print(world, folder, Convert.ToHexStringLower(nonce));
            return SimulatorCommandLine.Done;
        }
    }

    private static void Print(SimulatedWorld world, string folder, string nonce)
    {
        string At(string name) => $"'{Path.Combine(folder, name).Replace("'", "'\\''", StringComparison.Ordinal)}'";
        var evidence = string.Join(' ', ((string[])["gpu_evidence.json", "switch_evidence.json"]).Where(name => File.Exists(Path.Combine(folder, name))).Select(At));
        Console.WriteLine($"{world.Name}: {world.Devices.Length} devices, {world.Rims.Length} RIMs, in {folder}");
        Explain(world);
        if (world.Fault.SetsClock)
        {
            Console.WriteLine($"  set this machine's clock to {SimulatedTime.Text(world.Now)} first: with today's, the answers are stale instead");
        }

        Console.WriteLine($"  {WorldOptions.Assay} verify --evidence {evidence} --anchors {At("anchors.json")} --rim-store {At("rims")} --ocsp-store {At("ocsp")} --nonce {nonce}");
    }

    /// <summary>What is wrong, and what has to notice it.</summary>
    public static void Explain(SimulatedWorld world)
    {
        if (world.Fault != SimulatedFault.None)
        {
            Console.WriteLine($"fault {world.Fault}: {world.Fault.Summary}");
            Console.WriteLine($"  {(world.Fault.Outcome is FaultOutcome.Refused ? "refused" : "found incomplete")} by {string.Join(", ", world.Findings)}");
        }
    }
}

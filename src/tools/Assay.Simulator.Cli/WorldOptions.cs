using System.CommandLine;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Assay.Simulator.Cli;

/// <summary>The options that say what is simulated and what is wrong with it.</summary>
internal sealed class WorldOptions
{
    private const int NonceSize = 32;

    private static readonly Dictionary<string, DeviceProfile> s_profiles = new(StringComparer.Ordinal)
    {
        ["hopper-545"] = DeviceProfile.HopperEarly,
        ["hopper-570"] = DeviceProfile.Hopper570,
        ["hopper-580"] = DeviceProfile.Hopper580,
        ["hopper-nvdaod"] = DeviceProfile.HopperNvdaod,
        ["blackwell"] = DeviceProfile.Blackwell,
        ["ls10"] = DeviceProfile.Ls10,
    };

    /// <summary>The command that verifies, as it is called from here.</summary>
    public static string Assay => Environment.GetEnvironmentVariable("ASSAY_COMMAND") ?? "assay";

    private readonly Option<string> _fault = new("--fault") { Description = "what is wrong (assay-sim faults lists them)", HelpName = "NAME", DefaultValueFactory = _ => SimulatedFault.None.Name };
    private readonly Option<int> _target = new("--device-index") { Description = "which device is at fault, 0-based, GPUs before switches", HelpName = "N" };
    private readonly Option<string?> _rim = new("--rim") { Description = "which of its RIMs is at fault" };
    private readonly Option<int?> _index = new("--index") { Description = "which measurement differs, 0-based (with --fault mismatch)", HelpName = "N" };
    private readonly Option<string> _device = new("--device") { Description = "what is simulated", DefaultValueFactory = _ => "hopper-580" };
    private readonly Option<int> _gpus = new("--gpus") { Description = "GPUs of the machine, 1 to 8", HelpName = "N", DefaultValueFactory = _ => 8 };
    private readonly Option<int> _switches = new("--switches") { Description = "switches of the machine, 0 to 18", HelpName = "N", DefaultValueFactory = _ => 4 };
    private readonly Option<bool> _critical = new("--critical-marker") { Description = "mark certificates by a critical extension, which every other verifier refuses" };
    private readonly bool _isMachine;

    public WorldOptions(bool isMachine)
    {
        _isMachine = isMachine;
        _fault.CompletionSources.Add(SimulatedFaults.All.Select(fault => fault.Name).ToArray());
        _rim.AcceptOnlyFromAmong("driver", "vbios", "switch");
        _device.AcceptOnlyFromAmong([.. s_profiles.Keys]);
    }

    public void AddTo(Command command)
    {
        Option[] own = _isMachine ? [_gpus, _switches] : [_device];
        foreach (var option in (Option[])[.. own, _fault, _target, _rim, _index, _critical])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>The authority that certifies what is simulated.</summary>
    public SimulatedAuthority Authority(ParseResult parsed, DateTimeOffset now) => SimulatedAuthority.Create(now, parsed.GetValue(_critical));

    public bool TryCreate(ParseResult parsed, SimulatedAuthority authority, DateTimeOffset now, [NotNullWhen(true)] out SimulatedWorld? world)
    {
        world = null;
        var name = parsed.GetValue(_fault)!;
        if (SimulatedFaults.Find(name) is not { } fault)
        {
            SimulatorCommandLine.Error("sim.fault", $"there is no fault {name}; assay-sim faults lists them");
            return false;
        }

        var (gpus, switches) = (parsed.GetValue(_gpus), parsed.GetValue(_switches));
        if (_isMachine && (gpus is < 1 or > 8 || switches is < 0 or > 18))
        {
            SimulatorCommandLine.Error("sim.machine", $"a machine has 1 to 8 GPUs and 0 to 18 switches, not {gpus} and {switches}");
            return false;
        }

        var target = new FaultTarget
        {
            Device = parsed.GetValue(_target),
            Index = parsed.GetValue(_index),
            Rim = parsed.GetValue(_rim) switch
            {
                "driver" => RimKind.Driver,
                "vbios" => RimKind.Vbios,
                "switch" => RimKind.SwitchBios,
                _ => null,
            },
        };
        var made = _isMachine
            ? SimulatedWorld.TryCreateMachine(authority, DeviceProfile.HopperProtectedPcie, DeviceProfile.Ls10, gpus, switches, fault, target, now, out world, out var whyNot)
            : SimulatedWorld.TryCreate(authority, s_profiles[parsed.GetValue(_device)!], fault, target, now, out world, out whyNot);
        if (!made)
        {
            SimulatorCommandLine.Error("sim.fault", whyNot!);
        }

        return made;
    }

    /// <summary>32 bytes of hexadecimal, or random ones when nothing is given.</summary>
    public static bool TryReadNonce(string? text, [NotNullWhen(true)] out byte[]? nonce)
    {
        nonce = new byte[NonceSize];
        if (text is null)
        {
            RandomNumberGenerator.Fill(nonce);
            return true;
        }

        if (text.Length == 2 * NonceSize && Convert.FromHexString(text, nonce, out _, out _) is System.Buffers.OperationStatus.Done)
        {
            return true;
        }

        nonce = null;
        return false;
    }
}

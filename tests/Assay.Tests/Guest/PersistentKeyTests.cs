using System.Globalization;
using System.Security.Cryptography;
using Assay.Binding;
using Assay.Guest;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Secrets;
using Assay.Guest.Sources;
using Assay.Wire;

namespace Assay.Tests.Guest;

/// <summary>Keys that survive reboots, on a software TPM: for one image, one name and one VM, and between gate and boundary alone.</summary>
public sealed class PersistentKeyTests
{
    private const string Registers = """{"phaseRegister":"pcr14","bootRegisters":[4,7,8,9,12]}""";
    private const int Phase = 14;

    [Fact]
    public async Task A_key_is_the_same_after_a_reboot_and_another_for_each_name()
    {
        await using var guest = await OpenAsync();
        var (disk, data) = (Derive(guest, "disk"), Derive(guest, "data"));

        await RebootAsync(guest);

        Assert.Equal((32, disk, data), (disk.Length / 2, Derive(guest, "disk"), Derive(guest, "data")));
        Assert.NotEqual(disk, data);
    }

    [Fact]
    public async Task Another_kernel_another_configuration_and_another_VM_have_other_keys()
    {
        await using var guest = await OpenAsync();
        var first = Derive(guest, "disk");

        guest.Reboot();
        SwtpmTransport.Extend(guest.Tpm.Port, 4, SHA256.HashData("kernel"u8), SHA384.HashData("kernel"u8));
        await OpenGateAsync(guest);
        var kernel = Derive(guest, "disk");

        guest.Reboot();
        guest.World.Configure(("register", "\"pcr13\""), ("persistentKeys", Registers), ("timeoutSeconds", "61"));
        await OpenGateAsync(guest);
        var configuration = Derive(guest, "disk");

        await using var other = await OpenAsync();
        string[] all = [first, kernel, configuration, Derive(other, "disk")];
        Assert.Equal(4, all.Distinct().Count());
    }

    [Fact]
    public async Task There_is_none_before_the_gate_is_open_after_the_boundary_or_where_the_gate_ended_closed()
    {
        await using var guest = await StartAsync();
        Assert.Equal("key.gate", FaultOf(guest));
        // Whoever writes the gate's file himself has not opened the phase.
        Directory.CreateDirectory(guest.Paths.State);
        File.WriteAllText(guest.Paths.GateFile, """{"state":"verified"}""");
        Assert.Equal("key.gate", FaultOf(guest));
        File.Delete(guest.Paths.GateFile);

        await OpenGateAsync(guest);
        var key = Derive(guest, "disk");
        guest.Seal();
        Assert.Equal("key.boundary", FaultOf(guest));

        guest.Reboot();
        guest.World.Hardware.Fault = Assay.Simulator.GuestFault.CcOff;
        Assert.NotNull((await guest.GateAsync()).Fault);
        Assert.Equal("key.gate", FaultOf(guest));
        Assert.NotEqual(PhaseRegister.None, Pcr(guest));

        guest.World.Hardware.Fault = Assay.Simulator.GuestFault.None;
        guest.Reboot();
        await OpenGateAsync(guest);
        Assert.Equal(key, Derive(guest, "disk"));
        // A second gate closes what the first had opened.
        Assert.Equal("gate.already-ran", (await guest.GateAsync()).Fault!.Id);
        Assert.Equal("key.gate", FaultOf(guest));
        Assert.Null(Steal(guest));
    }

    [Fact]
    public async Task The_TPM_itself_refuses_every_caller_at_another_time()
    {
        await using var guest = await OpenAsync();
        var key = Derive(guest, "disk");
        // A program that asks none of our questions gets it while the phase is open: it is the image's own.
        Assert.Equal(key, Steal(guest));

        guest.Seal();
        Assert.Null(Steal(guest));

        // Another kernel that writes our phase's value itself: it has other values of its own.
        guest.Reboot(measures: false);
        foreach (var register in new[] { 4, 7, 9 })
        {
            SwtpmTransport.Extend(guest.Tpm.Port, (byte)register, SHA256.HashData("theirs"u8), SHA384.HashData("theirs"u8));
        }

        guest.Sources.Register(Phase).Extend(new RuntimeEvent("boot-phase", guest.Configuration.Source.Bytes.ToArray()));
        Assert.Equal(new PhaseRegister(guest.Configuration, guest.Sources).Open, Pcr(guest));
        Assert.Null(Steal(guest));
    }

    /// <summary>GRUB's menu can be edited at the host's console, and up to GRUB 2.06 the command line is in PCR 8 alone.</summary>
    [Fact]
    public async Task Another_command_line_of_the_same_kernel_has_other_keys()
    {
        await using var guest = await OpenAsync();
        var key = Derive(guest, "disk");
        foreach (byte register in new byte[] { 8, 12 })
        {
            guest.Reboot();
            SwtpmTransport.Extend(guest.Tpm.Port, register, SHA256.HashData("init=/bin/sh"u8), SHA384.HashData("init=/bin/sh"u8));
            await OpenGateAsync(guest);
            Assert.NotEqual(key, Derive(guest, "disk"));
        }
    }

    [Fact]
    public async Task A_boundary_that_cannot_be_drawn_ends_the_boot_phase_all_the_same()
    {
        await using var guest = await OpenAsync();
        Assert.NotNull(Steal(guest));
        SwtpmTransport.Extend(guest.Tpm.Port, (byte)VtpmGuest.Pcr, SHA256.HashData("unlogged"u8), SHA384.HashData("unlogged"u8));

        Assert.Equal("gate.log.mismatch", Assert.Throws<GuestException>(guest.Seal).Fault.Id);

        Assert.Null(Steal(guest));
    }

    /// <summary>A machine whose gate was killed stays up. Whoever gets to be root there later does himself what the gate would have done.</summary>
    [Theory]
    [InlineData("verify", true)]
    [InlineData("phase", true)]
    [InlineData("notify", false)]
    public async Task A_gate_that_was_killed_leaves_no_key_to_the_root_of_later(string step, bool extends)
    {
        await using var guest = await StartAsync();
        guest.World.Hardware.HoldAt = step;
        using var gate = guest.World.Begin("gate");
        Assert.True(SpinWait.SpinUntil(() => guest.World.Hardware.Steps.Contains(step), Patience.Long));
        gate.Kill();
        gate.WaitForExit();
        guest.World.Hardware.Release();
        Assert.Equal(0, guest.World.Run("revoke").ExitCode);

        if (extends)
        {
            guest.Sources.Register(Phase).Extend(new RuntimeEvent("boot-phase", guest.Configuration.Source.Bytes.ToArray()));
        }

        Assert.Null(Steal(guest));
    }

    [Fact]
    public async Task An_agent_that_ends_in_the_boot_phase_leaves_it_open_and_what_is_over_is_extended_no_more()
    {
        await using var guest = await OpenAsync();
        Assert.Equal(0, guest.World.Run("revoke").ExitCode);
        Assert.NotNull(Steal(guest));

        guest.Seal();
        var over = Pcr(guest);
        Assert.Throws<GuestException>(guest.Seal);
        Assert.NotNull((await guest.GateAsync()).Fault);
        Assert.Equal(0, guest.World.Run("revoke").ExitCode);

        // A relying party may have the value among its reference values.
        Assert.Equal(over, Pcr(guest));
    }

    [Fact]
    public async Task The_hosts_TPM_makes_no_keys_of_ours()
    {
        await using var guest = await OpenAsync();
        using var theirs = new ParavisorTpm(isTdx: false);

        // All of it theirs: its quote is of other registers than the gate's.
        var sources = guest.Sources with { Tpm = () => theirs.Transport };
        Assert.Equal("gate.report.register", Assert.Throws<GuestException>(() => new PersistentKeys(guest.Paths, guest.Configuration, sources).Derive("disk")).Fault.Id);

        // In the middle: what proves goes to ours, what makes keys to theirs.
        foreach (var (certifies, fault) in new[] { (theirs.Transport, "gate.report.key"), (guest.Transport, "source.tpm.failed") })
        {
            var middle = guest.Sources with { Tpm = () => new Divided(guest.Transport, theirs.Transport, certifies) };
            Assert.Equal(fault, Assert.Throws<GuestException>(() => new PersistentKeys(guest.Paths, guest.Configuration, middle).Derive("disk")).Fault.Id);
        }
    }

    [Fact]
    public async Task A_boot_that_measured_no_kernel_has_no_key()
    {
        await using var guest = await StartAsync();
        guest.Tpm.Reboot(measures: false);
        await OpenGateAsync(guest);

        Assert.Equal("key.registers", FaultOf(guest));
    }

    [Fact]
    public async Task A_phase_register_that_something_else_extends_ends_the_gate_closed()
    {
        await using var guest = await StartAsync();
        SwtpmTransport.Extend(guest.Tpm.Port, Phase, SHA256.HashData("shim"u8), SHA384.HashData("shim"u8));

        var report = await guest.GateAsync();

        Assert.Equal(("phase", "gate.phase.register"), (report.Step, report.Fault!.Id));
        Assert.False(guest.World.Hardware.IsReady);
    }

    [Fact]
    public async Task Evidence_of_a_VM_with_persistent_keys_still_binds_by_its_boot_event()
    {
        await using var guest = await OpenAsync();
        guest.Seal();

        var verdict = await guest.JudgeAsync(guest.Evidence("Y2hhbGxlbmdl"), "Y2hhbGxlbmdl");

        Assert.True(verdict.Passed, $"{verdict}");
        Assert.Equal("boot-event", verdict.Binding);
    }

    [Theory]
    [InlineData("""{"phaseRegister":"pcr13","bootRegisters":[4,8,9,12]}""", "another PCR than the register")]
    [InlineData("""{"phaseRegister":"pcr16","bootRegisters":[4,8,9,12]}""", "\"pcr8\" to \"pcr15\"")]
    [InlineData("""{"phaseRegister":"pcr14","bootRegisters":[4,7]}""", "4 with 8, 9 and 12")]
    [InlineData("""{"phaseRegister":"pcr14","bootRegisters":[4,7,9]}""", "4 with 8, 9 and 12")]
    [InlineData("""{"phaseRegister":"pcr14","bootRegisters":[11,12]}""", "4 with 8, 9 and 12")]
    [InlineData("""{"phaseRegister":"pcr14","bootRegisters":[4,8,9,12,14]}""", "PCRs from 0 to 15")]
    [InlineData("""{"phaseRegister":"pcr14","bootRegisters":[4,8,9,12,13]}""", "PCRs from 0 to 15")]
    [InlineData("""{"phaseRegister":"pcr14","bootRegisters":[4,8,9,12,16]}""", "PCRs from 0 to 15")]
    [InlineData("""{"phaseRegister":"pcr14","bootRegisters":[4,8,9,12],"more":1}""", "unknown member")]
    public async Task A_setting_that_would_bind_a_key_to_less_is_refused(string setting, string why)
    {
        await using var guest = await VtpmGuest.StartAsync(configuration: ("persistentKeys", setting));

        Assert.Contains(why, Assert.Throws<GuestException>(() => guest.Configuration).Fault.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_a_TPM_inside_the_TEE_there_are_none()
    {
        await using var world = await GuestWorld.StartAsync();
        var paths = new GuestPaths(world.Root);
        foreach (var (member, json) in new[] { ("persistentKeys", Registers), ("agent", """{"keyStorage":"tpm"}""") })
        {
            world.Configure((member, json));
            Assert.Contains("PCR as the register", Assert.Throws<GuestException>(() => GuestConfigurationReader.Read(paths.Configuration, paths, MeasuredPlace.Anywhere)).Fault.Reason, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task The_command_has_the_key_as_its_standard_input_and_no_other_descriptor()
    {
        await using var guest = await StartAsync();
        Assert.Equal(0, guest.World.Run("gate").ExitCode);

        var answer = guest.World.Run("persistent-key", "disk", "--exec", "sh", "-c", "sha256sum; ls /proc/self/fd | wc -l");

        Assert.Equal("", answer.Error);
        Assert.Equal($"{Convert.ToHexStringLower(SHA256.HashData(Convert.FromHexString(Derive(guest, "disk"))))}  -\n4\n", answer.Output);
        Assert.Contains("agent.key", guest.World.Run("persistent-key", "../disk", "--exec", "cat").Error, StringComparison.Ordinal);
        Assert.Equal(2, guest.World.Run("persistent-key", "disk").ExitCode);
        Assert.Equal(0, guest.World.Run("seal-boot").ExitCode);
        var late = guest.World.Run("persistent-key", "disk", "--exec", "echo", "ran");
        Assert.Equal((1, ""), (late.ExitCode, late.Output));
        Assert.Contains("key.boundary", late.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_command_has_the_key_even_where_nothing_was_open_and_no_memory_is_said_to_be_no_memory()
    {
        await using var guest = await StartAsync();
        Assert.Equal(0, guest.World.Run("gate").ExitCode);
        var expected = Convert.ToHexStringLower(SHA256.HashData(Convert.FromHexString(Derive(guest, "disk"))));
        string[] run = ["dotnet", GuestWorld.Program, "--root", guest.World.Root, "--sources", guest.World.Socket, "persistent-key", "disk", "--exec", "sha256sum"];

        var closed = Peer.Require("sh").Run(["-c", "exec \"$@\" <&-", "sh", .. run]);
        var unlocked = Peer.Require("prlimit").Run(["--memlock=0:0", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock", .. run]);

        Assert.Contains(expected, closed.Output, StringComparison.Ordinal);
        Assert.Contains("sealing.memory.not-locked", unlocked.Output, StringComparison.Ordinal);
    }

    /// <summary>The gate in front of the boundary, with persistent keys.</summary>
    internal static async Task<VtpmGuest> OpenAsync()
    {
        var guest = await StartAsync();
        await OpenGateAsync(guest);
        return guest;
    }

    internal static Task<VtpmGuest> StartAsync() => VtpmGuest.StartAsync(configuration: ("persistentKeys", Registers));

    private static async Task RebootAsync(VtpmGuest guest)
    {
        guest.Reboot();
        await OpenGateAsync(guest);
    }

    private static async Task OpenGateAsync(VtpmGuest guest)
    {
        var report = await guest.GateAsync();
        Assert.True(report.Fault is null, $"{report.Fault}");
    }

    private static string Derive(VtpmGuest guest, string name)
    {
        using var key = new PersistentKeys(guest.Paths, guest.Configuration, guest.Sources).Derive(name);
        return key.Use(lease => Convert.ToHexStringLower(lease.Bytes));
    }

    private static string FaultOf(VtpmGuest guest) => Assert.Throws<GuestException>(() => Derive(guest, "disk")).Fault.Id;

    private static Digest Pcr(VtpmGuest guest) => guest.Sources.Register(Phase).Read();

    // Root inside, at any time: the honest key's template and policy, and no question of ours.
    private static string? Steal(VtpmGuest guest)
    {
        using var honest = new ParavisorTpm(isTdx: false);
        var registers = new[] { 4, 7, 8, 9, 12 }.Select(register => (register, honest.Pcr(register, "sha256"))).Append((Phase, new PhaseRegister(guest.Configuration, guest.Sources).Open.Bytes.ToArray())).ToArray();
        var policy = new TpmPcrPolicy(registers.Aggregate(0u, (bitmap, item) => bitmap | 1u << item.Item1), SHA256.HashData([.. registers.OrderBy(item => item.Item1).SelectMany(item => item.Item2)]));
        var data = "assay persistent key 1\0disk"u8.ToArray();
        var keys = new TpmKeys(guest.Transport);
        var key = keys.CreateDerivationKey(SHA256.HashData(data), policy);
        try
        {
            using var made = keys.HmacOf(key, policy, data);
            return made?.Use(lease => Convert.ToHexStringLower(lease.Bytes));
        }
        finally
        {
            keys.Flush(key.Handle);
        }
    }

    /// <summary>A host that answers some commands with its own TPM.</summary>
    private sealed class Divided(ITpmTransport ours, ITpmTransport theirs, ITpmTransport certifies) : ITpmTransport
    {
        public int Exchange(ReadOnlySpan<byte> command, Span<byte> response) =>
            int.Parse(Convert.ToHexString(command[6..10]), NumberStyles.HexNumber, CultureInfo.InvariantCulture) switch
            {
                0x131 or 0x155 or 0x165 or 0x176 or 0x17F => theirs,
                0x14A => certifies,
                _ => ours,
            } is var chosen ? chosen.Exchange(command, response) : 0;

        public void Dispose()
        {
        }
    }
}

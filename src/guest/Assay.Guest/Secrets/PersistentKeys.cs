using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;
using Assay.Guest.Configuration;
using Assay.Guest.Gate;
using Assay.Guest.Sources;
using Assay.Sealing;
using Assay.Sealing.Memory;
using Assay.Wire;

namespace Assay.Guest.Secrets;

/// <summary>
/// Keys that survive reboots (docs/reference/guest.md): derived by the TPM of the TEE, for a name and for what was booted with which configuration, between gate
/// and boundary. The TPM itself holds to that: the key that derives needs the PCRs of such a boot, no matter which process asks. Nothing is stored, so nothing can be exchanged.
/// </summary>
internal sealed class PersistentKeys(GuestPaths paths, GuestConfiguration configuration, GuestSources sources)
{
    private const string Label = "assay persistent key 1";

    // PCR 12 is zero where a unified kernel image has no more command line than its own.
    private const uint Kernel = 1u << 4 | 1u << 9 | 1u << 11;

    /// <summary>Runs a command in the place of this process, with the key as its standard input: 32 bytes, and no line end.</summary>
    /// <exception cref="GuestException">Nothing was run.</exception>
    /// <exception cref="SealingException">Nothing was run: memory cannot be locked, or the process cannot be hardened.</exception>
    public GuestException Execute(string name, string[] command)
    {
        ProcessProtection.Harden();
        return Execution.Replace(Derive(name), command);
    }

    /// <summary>Derives the key of a name.</summary>
    /// <exception cref="GuestException"><c>key.off</c>, <c>key.gate</c>, <c>key.boundary</c>, <c>key.registers</c>, <c>key.tpm</c>: no key can be derived now.</exception>
    public SecretBuffer Derive(string name)
    {
        KeyName.Require(name);
        var setting = configuration.PersistentKeys ?? throw new GuestException("key.off", "this image has no persistent keys", "configure persistentKeys in the image");
        GateReport.RequireOpen(paths, "key.gate");
        using var tpm = OwnTpm.Open(configuration, sources);
        var policy = PolicyOf(setting, tpm.Report.Pcrs);
        var data = Encoding.ASCII.GetBytes($"{Label}\0{name}");
        var key = tpm.Keys.CreateDerivationKey(SHA256.HashData(data), policy);
        try
        {
            tpm.RequireMadeHere(key);
            return tpm.Keys.HmacOf(key, policy, data) ?? throw Passed();
        }
        finally
        {
            tpm.Keys.Flush(key.Handle);
        }
    }

    // Of the values that were quoted, but for the phase: there it is the one of an open gate, whatever the PCR has.
    private TpmPcrPolicy PolicyOf(PersistentKeySetting setting, ImmutableArray<Digest> quoted)
    {
        var phase = new PhaseRegister(configuration, sources);
        if (quoted[setting.PhaseRegister] == PhaseRegister.None)
        {
            throw new GuestException("key.gate", "the gate has not opened the boot phase", "order the unit after assay-gate.service", $"{PhaseRegister.None}", $"{phase.Open}");
        }

        if (quoted[setting.PhaseRegister] != phase.Open)
        {
            throw Passed();
        }

        // S-9a: a boot that measured no kernel is any boot.
        foreach (var register in Registers(setting.BootRegisters & Kernel))
        {
            if (quoted[register] == PhaseRegister.None)
            {
                throw new GuestException("key.registers", $"PCR {register} is zero: the boot loader measured nothing into it, so the key would be every kernel's", "boot with a boot loader that measures what it starts, or name the registers that it uses");
            }
        }

        var all = setting.BootRegisters | 1u << setting.PhaseRegister;
        return new TpmPcrPolicy(all, SHA256.HashData([.. Registers(all).SelectMany(register => quoted[register].Bytes.ToArray())]));
    }

    private static IEnumerable<int> Registers(uint bitmap) => Enumerable.Range(0, Wire.Limits.Pcrs).Where(register => (bitmap >> register & 1) == 1);

    private static GuestException Passed() =>
        new("key.boundary", "the boundary is drawn, or the gate ended closed: persistent keys exist only between gate and boundary", "order the unit before assay-boot-phase.target, and boot again");
}

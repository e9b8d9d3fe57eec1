using System.Security.Cryptography;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Guest.Configuration;
using Assay.Guest.Sources;
using Assay.Policy;
using Assay.Wire;

namespace Assay.Guest.Gate;

/// <summary>
/// The PCR that says where a boot stands: zeros before the gate; one value while the gate is open and the boundary is not drawn, the same in every boot with this
/// configuration; and values from which nothing leads back afterwards. The gate's own register has what differs in each boot, and cannot say so.
/// </summary>
internal sealed class PhaseRegister(GuestConfiguration configuration, GuestSources sources)
{
    // Fixed, as all that is measured.
    private const string Name = "boot-phase";

    private readonly RuntimeEvent _opening = new(Name, configuration.Source.Bytes.ToArray());

    /// <summary>The value between gate and boundary.</summary>
    public Digest Open => new(SHA256.HashData([.. None.Bytes, .. _opening.Digest(TcgHash.Sha256).Bytes]));

    /// <summary>The value of a boot in which no gate was open yet.</summary>
    public static Digest None { get; } = new(new byte[SHA256.HashSizeInBytes]);

    /// <summary>The gate's last step but one: from here on there are keys that survive a boot.</summary>
    /// <exception cref="GuestException"><c>gate.phase.register</c>: something else uses the PCR.</exception>
    public void Begin()
    {
        if (Register() is not { } register)
        {
            return;
        }

        Require(register, None);
        register.Extend(_opening);
        Require(register, Open);
    }

    /// <summary>The TPM makes no such key in this boot any more: at the boundary, and wherever a gate ends closed or is killed. What has ended stays as it is.</summary>
    public void End()
    {
        if (Register() is not { } register)
        {
            return;
        }

        // From any other value nothing leads to the open one.
        if (register.Read() is var value && value != None && value != Open)
        {
            return;
        }

        register.Extend(GateEvents.SystemReady);
        if (register.Read() == Open)
        {
            throw new GuestException("gate.phase.register", $"PCR {register.Index} did not change when it was extended", "the register is not what it seems: do not use this machine");
        }
    }

    private IMeasuredRegister? Register() => configuration.PersistentKeys is { } keys ? sources.Register(keys.PhaseRegister) : null;

    private static void Require(IMeasuredRegister register, Digest expected)
    {
        if (register.Read() is var found && found != expected)
        {
            throw new GuestException("gate.phase.register", $"PCR {register.Index}, the phase register, has another value than the gate makes: something else extends it", "choose a PCR as phaseRegister that nothing else in the image uses, and boot again", $"{found}", $"{expected}");
        }
    }
}

using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Processors;
using Assay.Binding;
using Assay.Evidence.Files;
using Assay.Trust;

namespace Assay.Appraisal.Machine;

/// <summary>A machine's evidence after the first step of <see cref="MachineAppraisal"/>, with what was asked of it.</summary>
public sealed class AuthenticatedMachine
{
    internal AuthenticatedMachine(MachineEvidence evidence, MachineExpectations expected, KeyBinding? key, VerifierCache cache)
    {
        (Evidence, Expected, Key) = (evidence, expected, key);
        OfDevices = expected.OfDevices(key);
        // Only a key is bound together with the devices' evidence, which is long: without one it is not put together.
        OfProcessor = expected.OfProcessor(key, key is null ? "" : Additional(evidence));
        Devices = DevicesAppraisal.Authenticate(evidence.Devices, OfDevices, cache);
        Processor = evidence.Cpu is { } cpu ? ProcessorAppraisal.Authenticate(cpu, OfProcessor, cache) : null;
    }

    /// <summary>What the machine shows.</summary>
    public MachineEvidence Evidence { get; }

    /// <summary>What the relying party expects.</summary>
    public MachineExpectations Expected { get; }

    /// <summary>GPUs and switches, in their order.</summary>
    public ImmutableArray<DeviceResult> Devices { get; }

    internal KeyBinding? Key { get; }

    // A text that came along counts for the devices that are in it, and for no other: none may be added to them, or taken away.
    private static string Additional(MachineEvidence evidence) =>
        evidence.Bound is { } bound && bound.Devices.SequenceEqual(evidence.Devices) ? bound.Text : AdditionalEvidence.Of(evidence.Devices);

    internal DeviceExpectations OfDevices { get; }

    internal ProcessorExpectations OfProcessor { get; }

    internal AuthenticatedProcessor? Processor { get; }

    // A log that came inside the evidence is its own; those that are shown by themselves count instead.
    internal ImmutableArray<ReadOnlyMemory<byte>> Logs => !Evidence.EventLogs.IsDefaultOrEmpty ? Evidence.EventLogs : Evidence.Cpu?.EventLog is { } own ? [own] : [];

    /// <summary>Whether more than GPUs and switches is shown or asked about.</summary>
    internal bool IsMoreThanDevices => Evidence.Cpu is not null || Key is not null || !Logs.IsEmpty || Expected.IsAboutMoreThanDevices;
}

namespace Assay.Cli.Demo;

/// <summary>A part of the demonstration that can be shown alone.</summary>
internal enum DemoChapter
{
    /// <summary>GPUs and switches, a token about them, and attacks on both.</summary>
    Devices,

    /// <summary>The confidential VM that uses them, and attacks on the binding.</summary>
    Machine,

    /// <summary>Services and proxy stop one after the other.</summary>
    Outage,

    /// <summary>A simulated VM boots through the guest's own gate. Only in a checkout, and never part of the whole.</summary>
    Guest,

    /// <summary>A file is sealed to a key of such a VM, and opens nowhere else. In a checkout too, and never part of the whole.</summary>
    Seal,

    /// <summary>A server in such a VM is reached through attested channels. In a checkout too, and never part of the whole.</summary>
    Channel,

    /// <summary>An attestation service gives such a VM a token. In a checkout too, and never part of the whole.</summary>
    Service,

    /// <summary>A key broker releases a key to such a VM. In a checkout too, and never part of the whole.</summary>
    Broker,
}

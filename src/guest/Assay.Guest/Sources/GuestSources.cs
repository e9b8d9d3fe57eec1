using System.Collections.Immutable;
using Assay.Binding;
using Assay.Evidence.EventLogs;
using Assay.Evidence.Files;
using Assay.Trust;
using Assay.Wire;

namespace Assay.Guest.Sources;

/// <summary>What the driver says of the GPUs as a set. It is the measured guest's word, never the GPUs' (S-8).</summary>
/// <param name="Count">How many it lists.</param>
/// <param name="CcFeature">Whether confidential computing is on.</param>
/// <param name="DevTools">Whether DevTools mode is on, which looks like CC and protects nothing.</param>
/// <param name="ProtectedPcie">Whether Protected PCIe is on.</param>
/// <param name="Driver">The driver's version.</param>
internal sealed record GpuSystem(int Count, bool CcFeature, bool DevTools, bool ProtectedPcie, string Driver);

/// <summary>The GPUs. Whatever does not answer throws a <see cref="GuestException"/>.</summary>
internal interface IGpuSource
{
    GpuSystem Read();

    /// <summary>Every GPU's report over the nonce, with its certificates.</summary>
    ImmutableArray<DeviceEvidence> Collect(Nonce nonce);

    /// <summary>Whether GPUs accept work: one state for all of them.</summary>
    bool IsReady();

    void SetReady(bool ready);
}

/// <summary>The NVSwitches.</summary>
internal interface ISwitchSource
{
    /// <summary>The TNVL mode of each: 3 is locked, as Protected PCIe needs it.</summary>
    ImmutableArray<int> Modes();

    ImmutableArray<DeviceEvidence> Collect(Nonce nonce);
}

/// <summary>A processor's report.</summary>
/// <param name="Tee"><c>tdx</c>, <c>snp</c> or <c>az-vtpm</c>.</param>
/// <param name="Bytes">The quote or report.</param>
internal record CpuReport(string Tee, byte[] Bytes);

/// <summary>The confidential VM's own processor.</summary>
internal interface ICpuSource
{
    /// <summary>A fresh report over 64 bytes.</summary>
    CpuReport Report(ReadOnlySpan<byte> data);

    /// <summary>The report as evidence carries it: with what others need to judge it and this VM does not.</summary>
    CpuReport Complete(CpuReport report) => report;

    /// <summary>What firmware and boot loader measured; empty where there is none.</summary>
    byte[] FirmwareLog();
}

/// <summary>A register that can only be extended, inside the TEE.</summary>
internal interface IMeasuredRegister
{
    RegisterKind Kind { get; }

    /// <summary>3 of RTMRs, 8 to 15 of PCRs.</summary>
    int Index { get; }

    /// <summary>The bank that <see cref="Read"/> shows.</summary>
    TcgHash Bank { get; }

    /// <summary>Its value.</summary>
    Digest Read();

    void Extend(RuntimeEvent item);
}

/// <summary>A device on the bus.</summary>
/// <param name="Address">For instance 0000:01:00.0.</param>
/// <param name="Vendor">10de is NVIDIA.</param>
/// <param name="Class">Six hexadecimal digits.</param>
internal sealed record BusDevice(string Address, string Vendor, string Class)
{
    private const string Nvidia = "10de";

    /// <summary>Display and processing accelerators: 0300, 0302 and 1200 (PCI Code and ID Assignment Specification).</summary>
    public bool IsGpu => Class.StartsWith("0300", StringComparison.Ordinal) || Class.StartsWith("0302", StringComparison.Ordinal) || Class.StartsWith("1200", StringComparison.Ordinal);

    public bool IsNvidia => Vendor == Nvidia;
}

/// <summary>What is plugged in, whatever a driver says.</summary>
internal interface IBusSource
{
    ImmutableArray<BusDevice> Devices();
}

/// <summary>Everything outside the guest that it asks.</summary>
internal sealed record GuestSources : IDisposable
{
    public required IGpuSource Gpus { get; init; }

    public required ISwitchSource Switches { get; init; }

    public required ICpuSource Cpu { get; init; }

    /// <summary>What is asked in its place where the register is a PCR: a quote of the TPM that keeps it. Null: there is none.</summary>
    public ICpuSource? Vtpm { get; init; }

    /// <summary>Who reports about a VM with this register; null: RTMR3.</summary>
    public ICpuSource Reporter(int? pcr) => pcr is null ? Cpu : Vtpm ?? Cpu;

    /// <summary>The register of a PCR's number; null: RTMR3.</summary>
    public required Func<int?, IMeasuredRegister> Register { get; init; }

    /// <summary>Opens the TPM for commands that belong together. Null if the VM has no TPM.</summary>
    public Func<ITpmTransport>? Tpm { get; init; }

    public required IBusSource Bus { get; init; }

    /// <summary>Whose roots are believed: the compiled-in ones, but in builds with simulated sources.</summary>
    public required TrustSet Trust { get; init; }

    /// <summary>Told of each step of the gate before it is taken. A simulator waits there; hardware does not listen.</summary>
    public Action<string> Announce { get; init; } = _ => { };

    /// <summary>What has to be closed.</summary>
    public IDisposable? Owned { get; init; }

    public void Dispose() => Owned?.Dispose();
}

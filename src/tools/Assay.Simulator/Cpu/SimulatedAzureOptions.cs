using System.Collections.Immutable;

namespace Assay.Simulator;

/// <summary>What a simulated Azure VM says. The default is honest: the paravisor stands under it.</summary>
public sealed record SimulatedAzureOptions
{
    /// <summary>
    /// The attack: a guest of the known bare-metal image writes an HCL report itself, with a vTPM of its own making. Its hardware report is
    /// genuine, yet no paravisor measured what the PCRs say.
    /// </summary>
    public static SimulatedAzureOptions Poser { get; } = new() { Snp = SnpGuest.BareMetal, Tdx = TdxGuest.BareMetal };

    /// <summary>Who asks for the SNP report.</summary>
    public SnpGuest Snp { get; init; } = SnpGuest.Paravisor;

    /// <summary>Who asks for the TD quote.</summary>
    public TdxGuest Tdx { get; init; } = TdxGuest.Paravisor;

    /// <summary>What is wrong with the SNP report or its certificates.</summary>
    public SnpFault SnpFault { get; init; }

    /// <summary>What is wrong with the TD quote or its collateral.</summary>
    public TdxFault TdxFault { get; init; }

    /// <summary>The SNP report's version; null: 3, or 5 on Turin.</summary>
    public int? SnpVersion { get; init; }

    /// <summary>All 24 PCRs in place of the boot's, 32 bytes each; null: the boot's.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>>? Pcrs { get; init; }

    /// <summary>The runtime data's user-data, 64 bytes: what the guest wrote for this challenge. Zeros: nothing.</summary>
    public ReadOnlyMemory<byte> UserData { get; init; } = new byte[64];

    /// <summary>vm-configuration.secure-boot.</summary>
    public bool SecureBoot { get; init; } = true;

    /// <summary>vm-configuration.console-enabled; set on the recorded machines.</summary>
    public bool ConsoleEnabled { get; init; } = true;
}

using System.Collections.Immutable;
using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>Who is launched as a TD: what the launch and the guest measured. The default is the known bare-metal image.</summary>
public sealed record TdxGuest
{
    private const int RegisterSize = 48;

    /// <summary>The attribute SEPT_VE_DISABLE.</summary>
    public const ulong SeptVeDisable = 1UL << 28;

    /// <summary>The image that is known to be good: <see cref="SimulatedTdx.GoodMrTd"/> and <see cref="SimulatedTdx.GoodRtmr"/>.</summary>
    public static TdxGuest BareMetal { get; } = new();

    /// <summary>Azure's paravisor as the recorded quote shows it: no attribute set, SEPT_VE_DISABLE neither, and RTMRs that nothing extended.</summary>
    public static TdxGuest Paravisor { get; } = new()
    {
        MrTd = SHA384.HashData("simulated paravisor TD"u8),
        Attributes = 0,
        Rtmr = [.. Enumerable.Repeat((ReadOnlyMemory<byte>)new byte[RegisterSize], 4)],
    };

    /// <summary>MRTD, 48 bytes.</summary>
    public ReadOnlyMemory<byte> MrTd { get; init; } = SHA384.HashData("simulated firmware"u8);

    /// <summary>MRCONFIGID, 48 bytes: what the host stated at launch.</summary>
    public ReadOnlyMemory<byte> MrConfigId { get; init; } = new byte[RegisterSize];

    /// <summary>ATTRIBUTES of the TD.</summary>
    public ulong Attributes { get; init; } = SeptVeDisable;

    /// <summary>RTMR0 to RTMR3, 48 bytes each.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Rtmr { get; init; } = [.. Enumerable.Range(0, 4).Select(index => (ReadOnlyMemory<byte>)SHA384.HashData([(byte)index]))];
}

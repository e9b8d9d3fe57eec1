using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>The components of a TCB.</summary>
/// <param name="Fmc">On Turin alone.</param>
/// <param name="BootLoader">Of the secure processor.</param>
/// <param name="Tee">The secure processor's operating system.</param>
/// <param name="Snp">The SNP firmware.</param>
/// <param name="Microcode">Of the cores.</param>
public sealed record SnpLevels(int Fmc, int BootLoader, int Tee, int Snp, int Microcode)
{
    /// <summary>8 bytes in the layout of the line.</summary>
    internal byte[] Encode(SnpLine line) => line is SnpLine.Turin
        ? [(byte)Fmc, (byte)BootLoader, (byte)Tee, (byte)Snp, 0, 0, 0, (byte)Microcode]
        : [(byte)BootLoader, (byte)Tee, 0, 0, 0, 0, (byte)Snp, (byte)Microcode];
}

/// <summary>What a simulated guest, its processor and its certificates say. Faults change one thing each.</summary>
internal sealed record SnpDraft
{
    public required SnpLine Line { get; init; }
    public required int Version { get; init; }
    public required bool Vlek { get; init; }
    public required byte[] HardwareId { get; init; }
    public required SnpGuest Guest { get; init; }
    public SnpFault Fault { get; init; }

    public ulong Policy { get; init; } = 1UL << 17 | 1UL << 16;
    public required uint Vmpl { get; init; }
    public ulong PlatformInfo { get; init; } = 0x25;
    public byte[] ReportData { get; init; } = new byte[64];
    public required byte[] Measurement { get; init; }
    public required byte[] HostData { get; init; }
    public byte[] MigrationAgent { get; init; } = [.. Enumerable.Repeat((byte)0xFF, 32)];
    public required SnpLevels Reported { get; init; }
    public required SnpLevels Committed { get; init; }
    public required SnpLevels Launch { get; init; }
    public required SnpLevels Current { get; init; }

    public static SnpDraft Of(SnpLine line, int version, bool vlek, byte[] reportData, SnpFault fault, SnpGuest? guest = null)
    {
        guest ??= SnpGuest.BareMetal;
        var newer = guest.Tcb with { Microcode = guest.Tcb.Microcode + 1 };
        var draft = new SnpDraft
        {
            Line = line,
            Version = version,
            Vlek = vlek,
            HardwareId = RandomNumberGenerator.GetBytes(line is SnpLine.Turin ? 8 : 64),
            Guest = guest,
            ReportData = reportData,
            Fault = fault,
            Vmpl = guest.Vmpl,
            Measurement = guest.Measurement.ToArray(),
            HostData = guest.HostData.ToArray(),
            Reported = guest.Tcb,
            Committed = guest.Tcb,
            Launch = guest.Tcb,
            Current = guest.Tcb,
        };
        return fault switch
        {
            SnpFault.OtherReportData => draft with { ReportData = SHA512.HashData(reportData) },
            SnpFault.ReportedAboveCommitted => draft with { Reported = newer },
            SnpFault.CurrentBelowCommitted => draft with { Committed = newer },
            SnpFault.LaunchedBelowMinimum => draft with { Launch = guest.Tcb with { Snp = 1 } },
            SnpFault.Debug => draft with { Policy = draft.Policy | 1UL << 19 },
            SnpFault.UnknownPolicy => draft with { Policy = draft.Policy | 1UL << 40 },
            SnpFault.PolicyWithoutItsOne => draft with { Policy = 1UL << 16 },
            SnpFault.SmtAgainstPolicy => draft with { Policy = 1UL << 17 },
            SnpFault.UnknownPlatform => draft with { PlatformInfo = draft.PlatformInfo | 1UL << 30 },
            SnpFault.MigrationAllowed => draft with { Policy = draft.Policy | 1UL << 18 },
            SnpFault.MigrationAgentAgainstPolicy => draft with { MigrationAgent = SHA256.HashData("agent"u8) },
            SnpFault.LessPrivileged => draft with { Vmpl = 1 },
            SnpFault.OtherImage => draft with { Measurement = SHA384.HashData("another guest"u8) },
            SnpFault.OtherHostData => draft with { HostData = SHA256.HashData("another configuration"u8) },
            _ => draft,
        };
    }
}

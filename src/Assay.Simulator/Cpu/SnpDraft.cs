using System.Security.Cryptography;

namespace Assay.Simulator;

/// <summary>The components of a TCB.</summary>
internal sealed record SnpLevels(int Fmc, int BootLoader, int Tee, int Snp, int Microcode)
{
    /// <summary>8 bytes in the layout of the line.</summary>
    public byte[] Encode(SnpLine line) => line is SnpLine.Turin
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
    public SnpFault Fault { get; init; }

    public ulong Policy { get; init; } = 1UL << 17 | 1UL << 16;
    public uint Vmpl { get; init; }
    public ulong PlatformInfo { get; init; } = 0x25;
    public byte[] ReportData { get; init; } = new byte[64];
    public byte[] Measurement { get; init; } = SHA384.HashData("simulated guest"u8);
    public byte[] HostData { get; init; } = SHA256.HashData("simulated configuration"u8);
    public byte[] MigrationAgent { get; init; } = [.. Enumerable.Repeat((byte)0xFF, 32)];
    public SnpLevels Reported { get; init; } = Good;
    public SnpLevels Committed { get; init; } = Good;
    public SnpLevels Launch { get; init; } = Good;
    public SnpLevels Current { get; init; } = Good;

    private static SnpLevels Good => new(2, 4, 1, 24, 213);

    public static SnpDraft Of(SnpLine line, int version, bool vlek, byte[] reportData, SnpFault fault)
    {
        var draft = new SnpDraft
        {
            Line = line,
            Version = version,
            Vlek = vlek,
            HardwareId = RandomNumberGenerator.GetBytes(line is SnpLine.Turin ? 8 : 64),
            ReportData = reportData,
            Fault = fault,
        };
        return fault switch
        {
            SnpFault.OtherReportData => draft with { ReportData = SHA512.HashData(reportData) },
            SnpFault.ReportedAboveCommitted => draft with { Reported = Good with { Microcode = 214 } },
            SnpFault.CurrentBelowCommitted => draft with { Committed = Good with { Microcode = 214 } },
            SnpFault.LaunchedBelowMinimum => draft with { Launch = Good with { Snp = 1 } },
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

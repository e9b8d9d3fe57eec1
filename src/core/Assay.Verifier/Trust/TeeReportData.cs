namespace Assay.Trust;

/// <summary>
/// REPORTDATA out of hardware evidence that verified, an SNP report under its chip's certificate or a TD quote under Intel's, and what was
/// measured there. What binds to it binds to the TEE.
/// </summary>
/// <remarks>Only what judged such evidence makes one: no other type of this library can derive from it.</remarks>
internal abstract class TeeReportData
{
    private protected TeeReportData()
    {
    }

    /// <summary>64 bytes.</summary>
    public abstract ReadOnlyMemory<byte> Bytes { get; }

    /// <summary>The name of the reference value that is marked as a paravisor and matches; null where none does (S-9a).</summary>
    public abstract string? Paravisor { get; }
}

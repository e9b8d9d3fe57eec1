using Assay.Wire;

namespace Assay.Trust;

/// <summary>
/// REPORTDATA out of a hardware report that verified: an SNP report under its chip's certificate, or a TD quote under Intel's. What
/// binds to it binds to the TEE.
/// </summary>
/// <remarks>Only code that has verified such a report makes one.</remarks>
public sealed class TeeReportData
{
    internal TeeReportData(ReadOnlyMemory<byte> bytes) => Bytes = bytes;

    /// <summary>64 bytes.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }
}

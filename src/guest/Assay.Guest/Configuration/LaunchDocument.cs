using System.Security.Cryptography;
using Assay.Evidence.Snp;
using Assay.Evidence.Tdx;
using Assay.Guest.Gate;
using Assay.Guest.Sources;
using Assay.Wire;

namespace Assay.Guest.Configuration;

/// <summary>
/// A document that the launch of this VM committed to (S-6): SHA-384 of its bytes is MRCONFIGID of the TD (Intel TDX Module ABI, TD_PARAMS), or SHA-256
/// is HOST_DATA of the SNP guest (SNP Firmware ABI, SNP_LAUNCH_FINISH). The host chooses it at launch and cannot change it later; a relying party sees the
/// same field in every quote, and pins it.
/// </summary>
internal static class LaunchDocument
{
    private const int DataSize = 64;

    /// <summary>Holds the document against this VM's own fresh report.</summary>
    /// <exception cref="GuestException">The report is not this VM's as it is now, or commits to another document.</exception>
    public static void Require(string path, ReadOnlySpan<byte> document, ICpuSource cpu)
    {
        var data = RandomNumberGenerator.GetBytes(DataSize);
        var report = cpu.Report(data);
        var (field, found, answered) = report.Tee switch
        {
            "tdx" when TdxQuote.TryParse(report.Bytes, out var quote, out _) => ("MRCONFIGID", quote.Body.MrConfigId, quote.Body.ReportData),
            "snp" when SnpReport.TryParse(report.Bytes, out var snp, out _) => ("HOST_DATA", snp.HostData, snp.ReportData),
            _ => throw new GuestException("gate.report.malformed", $"this VM's own {report.Tee} report commits to no document that is understood", "put the configuration on the verity root"),
        };
        DeviceVerification.RequireReport(answered.Bytes, data);
        var expected = new Digest(field is "MRCONFIGID" ? SHA384.HashData(document) : SHA256.HashData(document));
        if (found != expected)
        {
            throw new GuestException("gate.document.mismatch", $"this VM was launched with another document than {path}: {field} differs", "launch the VM with the digest of this document, or give it the document of that digest", $"{found}", $"{expected}");
        }
    }
}

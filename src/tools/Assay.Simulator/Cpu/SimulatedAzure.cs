using System.Buffers.Binary;
using System.Buffers.Text;
using System.Collections.Immutable;
using System.Security.Cryptography;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// One simulated Azure confidential VM: a vTPM's quote over PCRs 0 to 23, the HCL report that names the vTPM's key, and the hardware evidence
/// whose REPORTDATA is the SHA-256 of that report's runtime data. In the JSON of the confidential-containers attesters:
/// <c>{"version":1,"hcl_report":base64url,"tpm_quote":{"message":hex,"signature":hex,"pcrs":[24 × hex]}}</c> with <c>"vcek"</c> or <c>"td_quote"</c>.
/// </summary>
public sealed class SimulatedAzure
{
    private const int Registers = 24;
    private const int UserDataSize = 64;
    private const int HclSize = 2600; // Of the recorded NV index, zeros at its end.
    private const int HclHeader = 32;
    private const int HardwareSize = 1184; // A TDREPORT has 1024; zeros behind it.
    private const int DataHeader = 20;
    private const int SnpReport = 2;
    private const int TdReport = 4;
    private const int Sha256 = 1;
    private const int TpmtHead = 6; // Algorithm, hash and size before the bare bytes of an RSA signature.

    private SimulatedAzure(byte[] evidence, byte[] hclReport, SimulatedSnp? snp, SimulatedTdx? tdx) =>
        (Evidence, HclReport, Snp, Tdx) = (evidence, hclReport, snp, tdx);

    /// <summary>The JSON; empty where another TPM holds the key, which alone can quote.</summary>
    public byte[] Evidence { get; }

    /// <summary>The HCL report inside, 2600 bytes, zeros at its end.</summary>
    public byte[] HclReport { get; }

    /// <summary>The SNP report with its certificates and revocation list; null on TDX.</summary>
    public SimulatedSnp? Snp { get; }

    /// <summary>The TD quote with its collateral; null on SEV-SNP.</summary>
    public SimulatedTdx? Tdx { get; }

    /// <summary>MEASUREMENT of the honest paravisor.</summary>
    public static byte[] ParavisorMeasurement => SnpGuest.Paravisor.Measurement.ToArray();

    /// <summary>ID_KEY_DIGEST of the honest paravisor.</summary>
    public static byte[] ParavisorIdKeyDigest => SnpGuest.Paravisor.IdKeyDigest.ToArray();

    /// <summary>MRTD of the honest paravisor.</summary>
    public static byte[] ParavisorMrTd => TdxGuest.Paravisor.MrTd.ToArray();

    /// <summary>A VM on SEV-SNP, whose VCEK comes with the evidence.</summary>
    /// <param name="amd">The hierarchy.</param>
    /// <param name="line">The processor.</param>
    /// <param name="boot">Whose PCRs the vTPM quotes.</param>
    /// <param name="qualifyingData">The nonce of the vTPM's quote.</param>
    /// <param name="options">What it says; null: the honest paravisor.</param>
    public static SimulatedAzure OnSnp(SimulatedAmd amd, SnpLine line, SimulatedBoot boot, ReadOnlySpan<byte> qualifyingData, SimulatedAzureOptions? options = null)
    {
        options = Checked(boot, options);
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);
        var runtime = RuntimeData(tpm.Modulus, options);
        var snp = SimulatedSnp.Create(amd, line, options.SnpVersion ?? (line is SnpLine.Turin ? 5 : 3), vlek: false, ReportData(runtime), options.SnpFault, options.Snp);
        var hcl = WriteHcl(snp.Report, SnpReport, runtime);
        return new SimulatedAzure(WriteEvidence(hcl, tpm, qualifyingData, options.Pcrs ?? boot.Pcrs, "vcek", snp.Certificates[^1]), hcl, snp, null);
    }

    /// <summary>A VM on TDX: a quote of version 4, and the TDREPORT in the HCL report.</summary>
    /// <param name="intel">The hierarchy.</param>
    /// <param name="boot">Whose PCRs the vTPM quotes. Its RTMRs are not the TD's: those are in the options.</param>
    /// <param name="qualifyingData">The nonce of the vTPM's quote.</param>
    /// <param name="options">What it says; null: the honest paravisor.</param>
    public static SimulatedAzure OnTdx(SimulatedIntel intel, SimulatedBoot boot, ReadOnlySpan<byte> qualifyingData, SimulatedAzureOptions? options = null)
    {
        options = Checked(boot, options);
        using var tpm = SimulatedTpm.Create(SimulatedTpmScheme.RsaSsa);
        var runtime = RuntimeData(tpm.Modulus, options);
        var tdx = SimulatedTdx.Create(intel, 4, is15: false, ReportData(runtime), options.TdxFault, guest: options.Tdx);
        var hcl = WriteHcl(tdx.WriteTdReport(), TdReport, runtime);
        return new SimulatedAzure(WriteEvidence(hcl, tpm, qualifyingData, options.Pcrs ?? boot.Pcrs, "td_quote", tdx.Quote), hcl, null, tdx);
    }

    /// <summary>A VM on SEV-SNP whose vTPM is another's: the HCL report names the key that it has.</summary>
    /// <param name="amd">The hierarchy.</param>
    /// <param name="line">The processor.</param>
    /// <param name="modulus">Of the RSA key, big-endian, 256 bytes; its exponent is 65537.</param>
    /// <param name="options">What it says, but for PCRs; null: the honest paravisor.</param>
    public static SimulatedAzure OnSnpBeside(SimulatedAmd amd, SnpLine line, ReadOnlySpan<byte> modulus, SimulatedAzureOptions? options = null)
    {
        options ??= new SimulatedAzureOptions();
        var runtime = RuntimeData(modulus, options);
        var snp = SimulatedSnp.Create(amd, line, options.SnpVersion ?? (line is SnpLine.Turin ? 5 : 3), vlek: false, ReportData(runtime), options.SnpFault, options.Snp);
        return new SimulatedAzure([], WriteHcl(snp.Report, SnpReport, runtime), snp, null);
    }

    /// <summary>The same on TDX.</summary>
    /// <param name="intel">The hierarchy.</param>
    /// <param name="modulus">Of the RSA key, big-endian, 256 bytes; its exponent is 65537.</param>
    /// <param name="options">What it says, but for PCRs; null: the honest paravisor.</param>
    public static SimulatedAzure OnTdxBeside(SimulatedIntel intel, ReadOnlySpan<byte> modulus, SimulatedAzureOptions? options = null)
    {
        options ??= new SimulatedAzureOptions();
        var runtime = RuntimeData(modulus, options);
        var tdx = SimulatedTdx.Create(intel, 4, is15: false, ReportData(runtime), options.TdxFault, guest: options.Tdx);
        return new SimulatedAzure([], WriteHcl(tdx.WriteTdReport(), TdReport, runtime), null, tdx);
    }

    private static SimulatedAzureOptions Checked(SimulatedBoot boot, SimulatedAzureOptions? options)
    {
        ArgumentNullException.ThrowIfNull(boot);
        options ??= new SimulatedAzureOptions();
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.UserData.Length, UserDataSize);
        ArgumentOutOfRangeException.ThrowIfNotEqual(options.Pcrs?.Length ?? Registers, Registers);
        return options;
    }

    private static byte[] RuntimeData(ReadOnlySpan<byte> modulus, SimulatedAzureOptions options) => Encoding.UTF8.GetBytes(
        $$"""{"keys":[{"kid":"HCLAkPub","key_ops":["sign"],"kty":"RSA","e":"AQAB","n":"{{Base64Url.EncodeToString(modulus)}}"}]"""
        + $$""","vm-configuration":{"console-enabled":{{Flag(options.ConsoleEnabled)}},"secure-boot":{{Flag(options.SecureBoot)}},"tpm-enabled":true,"vmUniqueId":"{{new Guid(RandomNumberGenerator.GetBytes(16)).ToString().ToUpperInvariant()}}"}"""
        + $$""","user-data":"{{Convert.ToHexStringLower(options.UserData.Span)}}"}""");

    private static string Flag(bool value) => value ? "true" : "false";

    private static byte[] ReportData(byte[] runtime) => [.. SHA256.HashData(runtime), .. new byte[32]];

    private static byte[] WriteHcl(byte[] hardware, int type, byte[] runtime)
    {
        byte[] written =
        [
            .. "HCLA"u8, .. U32(2), .. U32(HclHeader + HardwareSize + DataHeader + runtime.Length), .. U32(2), .. U32(0), .. new byte[12],
            .. hardware, .. new byte[HardwareSize - hardware.Length],
            .. U32(DataHeader + runtime.Length), .. U32(1), .. U32(type), .. U32(Sha256), .. U32(runtime.Length), .. runtime,
        ];
        return [.. written, .. new byte[HclSize - written.Length]];
    }

    private static byte[] WriteEvidence(
        byte[] hcl, SimulatedTpm tpm, ReadOnlySpan<byte> qualifyingData, ImmutableArray<ReadOnlyMemory<byte>> pcrs, string name, byte[] hardware)
    {
        var message = tpm.Attest(qualifyingData, pcrs, [.. Enumerable.Range(0, Registers)]);
        var signature = tpm.Sign(message)[TpmtHead..];
        return Json.Write(writer =>
        {
            writer.WriteStartObject();
            writer.WriteNumber("version", 1);
            writer.WriteString("hcl_report", Base64Url.EncodeToString(hcl));
            writer.WriteStartObject("tpm_quote");
            writer.WriteString("message", Convert.ToHexStringLower(message));
            writer.WriteString("signature", Convert.ToHexStringLower(signature));
            writer.WriteStartArray("pcrs");
            foreach (var value in pcrs)
            {
                writer.WriteStringValue(Convert.ToHexStringLower(value.Span));
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
            writer.WriteString(name, Base64Url.EncodeToString(hardware));
            writer.WriteEndObject();
        });
    }

    private static byte[] U32(int value)
    {
        var bytes = new byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }
}

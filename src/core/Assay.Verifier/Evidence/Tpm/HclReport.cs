using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Evidence.Tpm;

/// <summary>The TEE under an Azure confidential VM's paravisor.</summary>
public enum HclTee
{
    /// <summary>Not told.</summary>
    None = 0,

    /// <summary>SEV-SNP: the hardware report is an SNP attestation report.</summary>
    Snp = 2,

    /// <summary>TDX: the hardware report is a TDREPORT, which nobody but its own machine can check; a TD quote stands beside it.</summary>
    Tdx = 4,
}

/// <summary>
/// Azure's HCL report: what the paravisor of a confidential VM leaves in NV index 0x01400001, little-endian. 2,600 bytes as recorded.
/// <code>
/// "HCLA" · version 4 · report_size 4 · request_type 4 (2) · status 4 (0) · reserved 12 · hardware report 1184
/// · data_size 4 · version 4 (1) · report_type 4 · report_data_hash_type 4 · variable_data_size 4 · runtime data (JSON) · zeros
/// </code>
/// The hardware report's REPORTDATA is the hash of the runtime data, which name the vTPM's attestation key.
/// </summary>
public sealed class HclReport
{
    private const int HeaderSize = 32;
    private const int SnpReportSize = 1184;
    private const int TdReportSize = 1024;
    private const int DataHeaderSize = 20;
    private const int SnpReportDataOffset = 0x50;
    private const int TdReportDataOffset = 128;
    private const uint AttestationRequest = 2;

    private readonly byte[] _bytes;
    private readonly int _runtimeSize;

    private HclReport(byte[] bytes, HclTee tee, TcgHash hash, int runtimeSize, HclRuntimeData runtime)
    {
        _bytes = bytes;
        _runtimeSize = runtimeSize;
        Tee = tee;
        Hash = hash;
        Runtime = runtime;
    }

    /// <summary>Bytes of REPORTDATA of both TEEs.</summary>
    public const int ReportDataSize = 64;

    /// <summary>Which hardware report stands in it.</summary>
    public HclTee Tee { get; }

    /// <summary>The hash of the binding.</summary>
    public TcgHash Hash { get; }

    /// <summary>The SNP report (1,184 bytes) or the TDREPORT (1,024 bytes).</summary>
    public ReadOnlyMemory<byte> HardwareReport => _bytes.AsMemory(HeaderSize, Tee is HclTee.Snp ? SnpReportSize : TdReportSize);

    /// <summary>The hardware report's own REPORTDATA, 64 bytes. Believed once the report is.</summary>
    public ReadOnlyMemory<byte> ReportData => HardwareReport.Slice(Tee is HclTee.Snp ? SnpReportDataOffset : TdReportDataOffset, ReportDataSize);

    /// <summary>The JSON as it was hashed.</summary>
    public ReadOnlyMemory<byte> RuntimeBytes => _bytes.AsMemory(HeaderSize + SnpReportSize + DataHeaderSize, _runtimeSize);

    /// <summary>What it says.</summary>
    public HclRuntimeData Runtime { get; }

    /// <summary>What REPORTDATA must be: the hash of the runtime data, zeros behind it.</summary>
    public byte[] ExpectedReportData()
    {
        var expected = new byte[ReportDataSize];
        Hash.Compute(RuntimeBytes.Span, expected);
        return expected;
    }

    /// <summary>Reads the content of the NV index; zeros behind the report are its padding.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out HclReport? report, [NotNullWhen(false)] out ParseFault? fault)
    {
        report = null;
        fault = source.Length > Limits.HclReportBytes ? new ParseFault("HCL report", 0, $"larger than {Limits.HclReportBytes} bytes") : null;
        if (fault is not null)
        {
            return false;
        }

        var wire = new WireReader(source);
        var size = ReadHeader(ref wire);
        var hardware = wire.Bytes(SnpReportSize, "hardware_report");
        var (tee, hash, runtime) = ReadRuntime(size, ref wire);
        wire.Require(tee is not HclTee.Tdx || !hardware[Math.Min(TdReportSize, hardware.Length)..].ContainsAnyExcept((byte)0), "hardware_report", "not zero behind the TDREPORT");
        wire.Require(!wire.Bytes(wire.Remaining, "padding").ContainsAnyExcept((byte)0), "padding", "not zero");
        fault = wire.Fault;
        if (fault is not null || HclRuntimeData.Read(runtime, out fault) is not { } data)
        {
            fault = wire.Fault ?? fault!.Within("runtime_data", HeaderSize + SnpReportSize + DataHeaderSize);
            return false;
        }

        report = new HclReport(source.ToArray(), tee, hash, runtime.Length, data);
        return true;
    }

    private static uint ReadHeader(ref WireReader wire)
    {
        wire.Require(wire.Bytes(4, "signature").SequenceEqual("HCLA"u8), "signature", "not HCLA");
        wire.Require(wire.U32("version") is 1 or 2, "version", "neither 1 nor 2");
        var size = wire.U32("report_size");
        wire.Require(wire.U32("request_type") is AttestationRequest, "request_type", "not an attestation report (2)");
        wire.Require(wire.U32("status") is 0, "status", "the paravisor reports a failure");
        wire.Require(!wire.Bytes(12, "reserved").ContainsAnyExcept((byte)0), "reserved", "not zero");
        return size;
    }

    private static (HclTee Tee, TcgHash Hash, byte[] Runtime) ReadRuntime(uint reportSize, ref WireReader wire)
    {
        var size = wire.U32("data_size");
        wire.Require(wire.U32("data_version") is 1, "data_version", "not 1");
        var tee = wire.U32("report_type") switch { 2 => HclTee.Snp, 4 => HclTee.Tdx, _ => HclTee.None };
        wire.Require(tee is not HclTee.None, "report_type", "neither SNP (2) nor TDX (4)");
        var hash = wire.U32("report_data_hash_type") switch { 1 => TcgHash.Sha256, 2 => TcgHash.Sha384, 3 => TcgHash.Sha512, _ => TcgHash.None };
        wire.Require(hash is not TcgHash.None, "report_data_hash_type", "not SHA-256 (1), SHA-384 (2) or SHA-512 (3)");
        var length = wire.U32("variable_data_size");
        wire.Require(length <= Limits.HclReportBytes && size == DataHeaderSize + (ulong)length, "data_size", "disagrees with variable_data_size");
        wire.Require(reportSize == HeaderSize + SnpReportSize + (ulong)size, "report_size", "disagrees with data_size");
        return (tee, hash, wire.Fault is null ? wire.Bytes((int)length, "runtime_data").ToArray() : []);
    }
}

/// <summary>The runtime data of an HCL report: JSON that the paravisor wrote and the TEE's hardware hashed.</summary>
public sealed record HclRuntimeData
{
    private const int UserDataSize = 64;
    private const string AttestationKeyId = "HCLAkPub";

    /// <summary>The vTPM's attestation key as an RSA public key.</summary>
    public required RsaPublicNumbers AttestationKey { get; init; }

    /// <summary>What the guest wrote to NV index 0x01400002, 64 bytes; zeros when it wrote nothing.</summary>
    public required ReadOnlyMemory<byte> UserData { get; init; }

    /// <summary>vm-configuration.secure-boot: measured, for it is in the hashed bytes. Null when it is not told.</summary>
    public bool? SecureBoot { get; init; }

    /// <summary>vm-configuration.console-enabled: the host's console reaches the guest.</summary>
    public bool? ConsoleEnabled { get; init; }

    /// <summary>vm-configuration.vmUniqueId, as it is written.</summary>
    public string? VmUniqueId { get; init; }

    internal static HclRuntimeData? Read(ReadOnlySpan<byte> json, out ParseFault? fault)
    {
        using var document = StrictJson.Read(json, out fault);
        if (document is null)
        {
            return null;
        }

        var root = document.RootElement;
        var keys = root.ValueKind is JsonValueKind.Object && root.TryGetProperty("keys", out var list) && list.ValueKind is JsonValueKind.Array
            ? list.EnumerateArray().Where(item => StrictJson.Text(item, "kid") is AttestationKeyId).ToArray()
            : [];
        if (keys is not [var key] || RsaPublicNumbers.OfJwk(key) is not { } numbers)
        {
            fault = new ParseFault("keys", 0, $"exactly one RSA key with kid {AttestationKeyId} is expected");
            return null;
        }

        if (StrictJson.Text(root, "user-data") is not { Length: 2 * UserDataSize } text || !Hex.TryDecode(text, out var userData))
        {
            fault = new ParseFault("user-data", 0, $"{2 * UserDataSize} hexadecimal digits are expected");
            return null;
        }

        var configuration = root.TryGetProperty("vm-configuration", out var found) ? found : default;
        return new HclRuntimeData
        {
            AttestationKey = numbers,
            UserData = userData,
            SecureBoot = Flag(configuration, "secure-boot"),
            ConsoleEnabled = Flag(configuration, "console-enabled"),
            VmUniqueId = StrictJson.Text(configuration, "vmUniqueId"),
        };
    }

    private static bool? Flag(JsonElement element, string member) =>
        element.ValueKind is JsonValueKind.Object && element.TryGetProperty(member, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : null;
}

/// <summary>An RSA public key of 2048 to 4096 bits, big-endian.</summary>
/// <param name="Modulus">Without leading zeros.</param>
/// <param name="Exponent">65537, the only one that is read.</param>
public sealed record RsaPublicNumbers(ReadOnlyMemory<byte> Modulus, ReadOnlyMemory<byte> Exponent)
{
    private static ReadOnlySpan<byte> F4 => [0x01, 0x00, 0x01];

    internal static RsaPublicNumbers? OfJwk(JsonElement jwk) =>
        StrictJson.Text(jwk, "kty") is "RSA"
        && StrictJson.Text(jwk, "n") is { Length: < 1024 } n && StrictBase64.TryDecodeUrl(System.Text.Encoding.UTF8.GetBytes(n), out var modulus)
        && StrictJson.Text(jwk, "e") is { Length: < 16 } e && StrictBase64.TryDecodeUrl(System.Text.Encoding.UTF8.GetBytes(e), out var exponent)
            ? Of(modulus, exponent)
            : null;

    internal static RsaPublicNumbers? Of(ReadOnlySpan<byte> modulus, ReadOnlySpan<byte> exponent) =>
        modulus.Length is 256 or 384 or 512 && modulus is [>= 0x80, .., var last] && (last & 1) == 1 && exponent.SequenceEqual(F4)
            ? new RsaPublicNumbers(modulus.ToArray(), F4.ToArray())
            : null;

    internal RSAParameters Parameters => new() { Modulus = Modulus.ToArray(), Exponent = Exponent.ToArray() };
}

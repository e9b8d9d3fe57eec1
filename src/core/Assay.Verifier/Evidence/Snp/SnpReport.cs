using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Snp;

/// <summary>
/// An SEV-SNP attestation report of version 2, 3, 4 or 5 (SEV-SNP Firmware ABI Specification, "ATTESTATION_REPORT"): exactly 1184 bytes,
/// numbers little-endian, the signature over the first 672. Version 3 adds family, model and stepping, version 5 the mitigation vectors.
/// Every reserved byte is zero, those behind the signature too, which it does not cover. Well-formed, and believed by nobody yet.
/// </summary>
public sealed record SnpReport
{
    /// <summary>Bytes of a report.</summary>
    public const int Size = 1184;

    private const int SignedSize = 0x2A0;
    private const int DigestSize = 48;
    private const int ScalarSize = 48;
    private const int ScalarField = 72;
    private const uint EcdsaP384 = 1;

    /// <summary>2 to 5.</summary>
    public required int Version { get; init; }

    /// <summary>GUEST_SVN, from the ID block.</summary>
    public required uint GuestSvn { get; init; }

    /// <summary>POLICY.</summary>
    public required SnpPolicy Policy { get; init; }

    /// <summary>FAMILY_ID, 16 bytes, from the ID block.</summary>
    public required ReadOnlyMemory<byte> FamilyId { get; init; }

    /// <summary>IMAGE_ID, 16 bytes, from the ID block.</summary>
    public required ReadOnlyMemory<byte> ImageId { get; init; }

    /// <summary>VMPL that asked for the report: 0 is the most privileged.</summary>
    public required uint Vmpl { get; init; }

    /// <summary>CURRENT_TCB: what runs.</summary>
    public required SnpTcb CurrentTcb { get; init; }

    /// <summary>PLATFORM_INFO.</summary>
    public required SnpPlatformInfo PlatformInfo { get; init; }

    /// <summary>AUTHOR_KEY_EN: whether <see cref="AuthorKeyDigest"/> holds a key.</summary>
    public required bool AuthorKeyEnabled { get; init; }

    /// <summary>MASK_CHIP_KEY: the platform's owner forbids signing with the VCEK.</summary>
    public required bool MaskChipKey { get; init; }

    /// <summary>SIGNING_KEY; None when the report is not signed.</summary>
    public required SnpSigningKey SigningKey { get; init; }

    /// <summary>REPORT_DATA, chosen by the guest.</summary>
    public required ReportData ReportData { get; init; }

    /// <summary>MEASUREMENT: the initial memory and processor state of the guest.</summary>
    public required Digest Measurement { get; init; }

    /// <summary>HOST_DATA, 32 bytes, chosen by the host at launch.</summary>
    public required Digest HostData { get; init; }

    /// <summary>ID_KEY_DIGEST: the key that signed the ID block; zero without one.</summary>
    public required Digest IdKeyDigest { get; init; }

    /// <summary>AUTHOR_KEY_DIGEST.</summary>
    public required Digest AuthorKeyDigest { get; init; }

    /// <summary>REPORT_ID, 32 bytes: of this guest until it ends.</summary>
    public required Digest ReportId { get; init; }

    /// <summary>REPORT_ID_MA, 32 bytes: of its migration agent; all ones without one.</summary>
    public required Digest ReportIdMigrationAgent { get; init; }

    /// <summary>REPORTED_TCB: what the signing key is derived from, and so all that it proves.</summary>
    public required SnpTcb ReportedTcb { get; init; }

    /// <summary>The product by CPUID family and model; None in version 2, and for processors without a name here.</summary>
    public required SnpProduct Product { get; init; }

    /// <summary>CPUID family, model and stepping; null in version 2.</summary>
    public required (byte Family, byte Model, byte Stepping)? Cpuid { get; init; }

    /// <summary>CHIP_ID.</summary>
    public required ChipId ChipId { get; init; }

    /// <summary>COMMITTED_TCB: what the platform cannot be rolled back from.</summary>
    public required SnpTcb CommittedTcb { get; init; }

    /// <summary>CURRENT_BUILD, CURRENT_MINOR, CURRENT_MAJOR.</summary>
    public required SnpFirmware Current { get; init; }

    /// <summary>COMMITTED_BUILD, COMMITTED_MINOR, COMMITTED_MAJOR.</summary>
    public required SnpFirmware Committed { get; init; }

    /// <summary>LAUNCH_TCB: what ran when the guest was launched or migrated in.</summary>
    public required SnpTcb LaunchTcb { get; init; }

    /// <summary>LAUNCH_MIT_VECTOR: mitigations at launch; null before version 5.</summary>
    public required ulong? LaunchMitigations { get; init; }

    /// <summary>CURRENT_MIT_VECTOR: mitigations now; null before version 5.</summary>
    public required ulong? CurrentMitigations { get; init; }

    /// <summary>The first 672 bytes, which are signed.</summary>
    public required ReadOnlyMemory<byte> SignedBytes { get; init; }

    /// <summary>R‖S, 48 bytes each, big-endian: the report has them little-endian.</summary>
    public required ReadOnlyMemory<byte> Signature { get; init; }

    /// <summary>All 1184 bytes.</summary>
    public required ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>Reads one report. Trailing bytes are a fault.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out SnpReport? report, [NotNullWhen(false)] out ParseFault? fault)
    {
        report = null;
        fault = source.Length != Size ? new ParseFault("report", 0, $"{Size} bytes are expected, {source.Length} are there") : null;
        if (fault is not null)
        {
            return false;
        }

        ReadOnlyMemory<byte> bytes = source.ToArray();
        var wire = new WireReader(bytes.Span);
        var read = Read(ref wire, bytes);
        fault = wire.Fault;
        report = fault is null ? read : null;
        return report is not null;
    }

    /// <summary>The product line of a processor; None when it has no name here.</summary>
    internal static SnpProduct ProductOf(byte family, byte model) => (family, model) switch
    {
        (0x19, <= 0x0F) => SnpProduct.Milan,
        (0x19, (>= 0x10 and <= 0x1F) or (>= 0xA0 and <= 0xAF)) => SnpProduct.Genoa,
        (0x1A, <= 0x11) => SnpProduct.Turin,
        _ => SnpProduct.None,
    };

    private static SnpReport Read(ref WireReader wire, ReadOnlyMemory<byte> bytes)
    {
        var version = (int)Math.Min(wire.U32("VERSION"), 255);
        wire.Require(version is >= 2 and <= 5, "VERSION", "2 to 5 is expected: try a newer Assay");
        var guestSvn = wire.U32("GUEST_SVN");
        var policy = new SnpPolicy(wire.U64("POLICY"));
        var familyId = Slice(ref wire, bytes, 16, "FAMILY_ID");
        var imageId = Slice(ref wire, bytes, 16, "IMAGE_ID");
        var vmpl = wire.U32("VMPL");
        wire.Require(wire.U32("SIGNATURE_ALGO") == EcdsaP384, "SIGNATURE_ALGO", "1 (ECDSA P-384 with SHA-384) is expected");
        var currentTcb = new SnpTcb(wire.U64("CURRENT_TCB"));
        var platform = new SnpPlatformInfo(wire.U64("PLATFORM_INFO"));
        var signer = wire.U32("SIGNER_INFO");
        wire.Require(signer >> 5 == 0, "SIGNER_INFO", "reserved bits are set");
        var signingKey = (signer >> 2 & 7) switch { 0 => SnpSigningKey.Vcek, 1 => SnpSigningKey.Vlek, _ => SnpSigningKey.None };
        wire.Require(signingKey is not SnpSigningKey.None, "SIGNING_KEY", "0 (VCEK) or 1 (VLEK) is expected: 7 is an unsigned report");
        wire.Zeros(4, "reserved at 4C");
        var reportData = wire.Bytes(ReportData.Size, "REPORT_DATA");
        var measurement = new Digest(wire.Bytes(DigestSize, "MEASUREMENT"));
        var hostData = new Digest(wire.Bytes(32, "HOST_DATA"));
        var idKey = new Digest(wire.Bytes(DigestSize, "ID_KEY_DIGEST"));
        var authorKey = new Digest(wire.Bytes(DigestSize, "AUTHOR_KEY_DIGEST"));
        var reportId = new Digest(wire.Bytes(32, "REPORT_ID"));
        var reportIdMa = new Digest(wire.Bytes(32, "REPORT_ID_MA"));
        var reportedTcb = new SnpTcb(wire.U64("REPORTED_TCB"));
        var cpuid = ReadCpuid(ref wire, version);
        var chipId = new ChipId(wire.Bytes(ChipId.Size, "CHIP_ID"));
        var committedTcb = new SnpTcb(wire.U64("COMMITTED_TCB"));
        var current = ReadFirmware(ref wire, "CURRENT");
        var committed = ReadFirmware(ref wire, "COMMITTED");
        var launchTcb = new SnpTcb(wire.U64("LAUNCH_TCB"));
        ulong? launchMitigations = version >= 5 ? wire.U64("LAUNCH_MIT_VECTOR") : null;
        ulong? currentMitigations = version >= 5 ? wire.U64("CURRENT_MIT_VECTOR") : null;
        wire.Zeros(SignedSize - wire.Offset, "reserved before the signature");
        var signature = ReadSignature(ref wire);
        return new SnpReport
        {
            Version = version,
            GuestSvn = guestSvn,
            Policy = policy,
            FamilyId = familyId,
            ImageId = imageId,
            Vmpl = vmpl,
            CurrentTcb = currentTcb,
            PlatformInfo = platform,
            AuthorKeyEnabled = (signer & 1) == 1,
            MaskChipKey = (signer >> 1 & 1) == 1,
            SigningKey = signingKey,
            ReportData = ReportData.TryCreate(reportData, out var data) ? data : ReportData.OfExactly(new byte[ReportData.Size]),
            Measurement = measurement,
            HostData = hostData,
            IdKeyDigest = idKey,
            AuthorKeyDigest = authorKey,
            ReportId = reportId,
            ReportIdMigrationAgent = reportIdMa,
            ReportedTcb = reportedTcb,
            Cpuid = cpuid,
            Product = cpuid is { } known ? ProductOf(known.Family, known.Model) : SnpProduct.None,
            ChipId = chipId,
            CommittedTcb = committedTcb,
            Current = current,
            Committed = committed,
            LaunchTcb = launchTcb,
            LaunchMitigations = launchMitigations,
            CurrentMitigations = currentMitigations,
            SignedBytes = bytes[..SignedSize],
            Signature = signature,
            Bytes = bytes,
        };
    }

    private static (byte Family, byte Model, byte Stepping)? ReadCpuid(ref WireReader wire, int version)
    {
        if (version < 3)
        {
            wire.Zeros(24, "reserved at 188");
            return null;
        }

        var cpuid = (wire.U8("CPUID_FAM_ID"), wire.U8("CPUID_MOD_ID"), wire.U8("CPUID_STEP"));
        wire.Zeros(21, "reserved at 18B");
        return cpuid;
    }

    private static SnpFirmware ReadFirmware(ref WireReader wire, string field)
    {
        var (build, minor, major) = (wire.U8($"{field}_BUILD"), wire.U8($"{field}_MINOR"), wire.U8($"{field}_MAJOR"));
        wire.Zeros(1, $"reserved after {field}_MAJOR");
        return new SnpFirmware(major, minor, build);
    }

    private static byte[] ReadSignature(ref WireReader wire)
    {
        var signature = new byte[2 * ScalarSize];
        foreach (var (name, place) in new[] { ("R", 0), ("S", ScalarSize) })
        {
            var scalar = wire.Bytes(ScalarSize, name);
            scalar.CopyTo(signature.AsSpan(place));
            signature.AsSpan(place, ScalarSize).Reverse();
            wire.Zeros(ScalarField - ScalarSize, $"upper bytes of {name}");
        }

        wire.Zeros(wire.Remaining, "reserved behind the signature");
        return signature;
    }

    private static ReadOnlyMemory<byte> Slice(ref WireReader wire, ReadOnlyMemory<byte> bytes, int count, string field)
    {
        var start = wire.Offset;
        return wire.Bytes(count, field).Length == count ? bytes.Slice(start, count) : default;
    }
}

using System.Globalization;
using System.Security.Cryptography;

namespace Assay.Evidence.Snp;

/// <summary>A line of AMD processors: it decides the root of the chain and the layout of TCB versions.</summary>
public enum SnpProduct
{
    /// <summary>Not known.</summary>
    None,

    /// <summary>EPYC 7003 (family 19h, models 00h to 0Fh).</summary>
    Milan,

    /// <summary>EPYC 9004 and 8004 (family 19h, models 10h to 1Fh and A0h to AFh): Genoa, Bergamo, Siena.</summary>
    Genoa,

    /// <summary>EPYC 9005 (family 1Ah, models 00h to 11h). Its TCB has another layout.</summary>
    Turin,
}

/// <summary>Which key signs reports (SIGNING_KEY).</summary>
public enum SnpSigningKey
{
    /// <summary>Not known.</summary>
    None,

    /// <summary>Versioned chip endorsement key: of one chip at one TCB.</summary>
    Vcek,

    /// <summary>Versioned loaded endorsement key: of a cloud provider at one TCB, shared by its chips.</summary>
    Vlek,
}

/// <summary>The components of a TCB_VERSION that count, each one byte. A field that the product does not have is 0.</summary>
/// <param name="Fmc">First mutable code; Turin alone.</param>
/// <param name="BootLoader">PSP boot loader.</param>
/// <param name="Tee">PSP operating system.</param>
/// <param name="Snp">SNP firmware.</param>
/// <param name="Microcode">Lowest microcode patch level of all cores.</param>
public readonly record struct SnpTcbParts(byte Fmc, byte BootLoader, byte Tee, byte Snp, byte Microcode)
{
    /// <summary>Whether every component is at least that of <paramref name="other"/>.</summary>
    public bool Reaches(SnpTcbParts other) =>
        Fmc >= other.Fmc && BootLoader >= other.BootLoader && Tee >= other.Tee && Snp >= other.Snp && Microcode >= other.Microcode;

    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{(Fmc > 0 ? $"fmc {Fmc} " : "")}bl {BootLoader} tee {Tee} snp {Snp} ucode {Microcode}");
}

/// <summary>TCB_VERSION (SEV-SNP Firmware ABI Specification, tables 3 and 4): 8 bytes, little-endian, laid out by product.</summary>
/// <param name="Value">The field whole.</param>
public readonly record struct SnpTcb(ulong Value)
{
    /// <summary>Milan and Genoa: [0] boot loader, [1] TEE, [6] SNP, [7] microcode. Turin: [0] FMC, [1] boot loader, [2] TEE, [3] SNP, [7] microcode.</summary>
    public SnpTcbParts Parts(SnpProduct product) => product switch
    {
        SnpProduct.Turin => new SnpTcbParts(At(0), At(1), At(2), At(3), At(7)),
        SnpProduct.Milan or SnpProduct.Genoa => new SnpTcbParts(0, At(0), At(1), At(6), At(7)),
        _ => default,
    };

    /// <summary>The bytes that the product's layout reserves; zero in every report seen.</summary>
    public ulong Reserved(SnpProduct product) => Value & product switch
    {
        SnpProduct.Turin => 0x00FFFFFF_00000000,
        SnpProduct.Milan or SnpProduct.Genoa => 0x0000FFFF_FFFF0000,
        _ => ulong.MaxValue,
    };

    /// <summary>The field of these components; inverse of <see cref="Parts"/>.</summary>
    public static SnpTcb Of(SnpProduct product, SnpTcbParts parts) => new(product switch
    {
        SnpProduct.Turin => parts.Fmc | (ulong)parts.BootLoader << 8 | (ulong)parts.Tee << 16 | (ulong)parts.Snp << 24 | (ulong)parts.Microcode << 56,
        SnpProduct.Milan or SnpProduct.Genoa => parts.BootLoader | (ulong)parts.Tee << 8 | (ulong)parts.Snp << 48 | (ulong)parts.Microcode << 56,
        _ => 0,
    });

    /// <summary>16 hexadecimal digits, the highest byte first.</summary>
    public override string ToString() => Value.ToString("x16", CultureInfo.InvariantCulture);

    private byte At(int index) => (byte)(Value >> (8 * index) & 0xFF);
}

/// <summary>POLICY of a guest (SEV-SNP Firmware ABI Specification, "Guest policy"): 8 bytes, little-endian.</summary>
/// <param name="Value">The field whole.</param>
public readonly record struct SnpPolicy(ulong Value)
{
    private const ulong Named = 0x03FF_FFFF;

    /// <summary>Bits 7:0, ABI_MINOR: the lowest firmware version that may run the guest.</summary>
    public byte AbiMinor => (byte)(Value & 0xFF);

    /// <summary>Bits 15:8, ABI_MAJOR.</summary>
    public byte AbiMajor => (byte)(Value >> 8 & 0xFF);

    /// <summary>Bit 16, SMT: simultaneous multi-threading is allowed.</summary>
    public bool SmtAllowed => Bit(16);

    /// <summary>Bit 17, reserved: must be one.</summary>
    public bool MustBeOne => Bit(17);

    /// <summary>Bit 18, MIGRATE_MA: a migration agent may be bound.</summary>
    public bool MigrationAgentAllowed => Bit(18);

    /// <summary>Bit 19, DEBUG: the host reads and writes the guest's memory.</summary>
    public bool Debug => Bit(19);

    /// <summary>Bit 20, SINGLE_SOCKET: the guest runs on one socket only.</summary>
    public bool SingleSocket => Bit(20);

    /// <summary>Bit 21, CXL_ALLOW: devices on CXL are allowed.</summary>
    public bool CxlAllowed => Bit(21);

    /// <summary>Bit 22, MEM_AES_256_XTS: memory is encrypted with AES-256 XTS.</summary>
    public bool Aes256XtsRequired => Bit(22);

    /// <summary>Bit 23, RAPL_DIS: power measurement must be off.</summary>
    public bool RaplDisabledRequired => Bit(23);

    /// <summary>Bit 24, CIPHERTEXT_HIDING_DRAM.</summary>
    public bool CiphertextHidingRequired => Bit(24);

    /// <summary>Bit 25, PAGE_SWAP_DISABLE.</summary>
    public bool PageSwapDisabled => Bit(25);

    /// <summary>Bits without a name here.</summary>
    public ulong Unknown => Value & ~Named;

    private bool Bit(int number) => (Value >> number & 1) == 1;
}

/// <summary>PLATFORM_INFO (SEV-SNP Firmware ABI Specification, "ATTESTATION_REPORT"): 8 bytes, little-endian.</summary>
/// <param name="Value">The field whole.</param>
public readonly record struct SnpPlatformInfo(ulong Value)
{
    private const ulong Named = 0xFF;

    /// <summary>Bit 0, SMT_EN.</summary>
    public bool SmtEnabled => Bit(0);

    /// <summary>Bit 1, TSME_EN: all memory is encrypted.</summary>
    public bool TsmeEnabled => Bit(1);

    /// <summary>Bit 2, ECC_EN.</summary>
    public bool EccEnabled => Bit(2);

    /// <summary>Bit 3, RAPL_DIS.</summary>
    public bool RaplDisabled => Bit(3);

    /// <summary>Bit 4, CIPHERTEXT_HIDING_DRAM_EN.</summary>
    public bool CiphertextHidingEnabled => Bit(4);

    /// <summary>Bit 5, ALIAS_CHECK_COMPLETE: memory modules were checked for aliased addresses (AMD-SB-3015, "BadRAM").</summary>
    public bool AliasCheckComplete => Bit(5);

    /// <summary>Bit 6, IOMMU_WRITE_SAFE: the IOMMU cannot write to memory of guests.</summary>
    public bool IommuWriteSafe => Bit(6);

    /// <summary>Bit 7, TIO_EN: trusted I/O.</summary>
    public bool TioEnabled => Bit(7);

    /// <summary>Bits without a name here.</summary>
    public ulong Unknown => Value & ~Named;

    private bool Bit(int number) => (Value >> number & 1) == 1;
}

/// <summary>CHIP_ID: 64 bytes that name one processor; zero where the platform's owner masks it. Turin's has 8 bytes, then zeros.</summary>
public sealed class ChipId : IEquatable<ChipId>
{
    /// <summary>Bytes of a chip id.</summary>
    public const int Size = 64;

    private readonly byte[] _bytes;

    internal ChipId(ReadOnlySpan<byte> bytes) => _bytes = bytes.ToArray();

    /// <summary>The 64 bytes in the report's order.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes;

    /// <summary>Whether it is masked.</summary>
    public bool IsMasked => !Bytes.ContainsAnyExcept((byte)0);

    /// <inheritdoc/>
    public bool Equals(ChipId? other) => other is not null && CryptographicOperations.FixedTimeEquals(_bytes, other._bytes);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as ChipId);

    /// <inheritdoc/>
    public override int GetHashCode() => BitConverter.ToInt32(_bytes);

    /// <summary>Lower-case hexadecimal.</summary>
    public override string ToString() => Convert.ToHexStringLower(_bytes);
}

/// <summary>A version of the SNP firmware.</summary>
/// <param name="Major">Major.</param>
/// <param name="Minor">Minor.</param>
/// <param name="Build">Build.</param>
public readonly record struct SnpFirmware(byte Major, byte Minor, byte Build)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Major}.{Minor}.{Build}");
}

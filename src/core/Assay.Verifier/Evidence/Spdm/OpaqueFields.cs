using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Assay.Evidence.Spdm;

/// <summary>NVIDIA's numbers for the fields of opaque data, and their encodings.</summary>
internal static class OpaqueFields
{
    /// <summary>ASCII, GPUs only.</summary>
    public const ushort DriverVersion = 3;

    /// <summary>Eight bytes on a GPU (<see cref="TryGpuVbios"/>), ASCII on a switch.</summary>
    public const ushort VbiosVersion = 6;

    /// <summary>0xAA enabled, 0x55 disabled.</summary>
    public const ushort NvDec0Status = 11;

    /// <summary>ASCII.</summary>
    public const ushort ChipSku = 15;

    /// <summary>ASCII.</summary>
    public const ushort Project = 17;

    /// <summary>ASCII.</summary>
    public const ushort ProjectSku = 18;

    /// <summary>SHA-384 over the firmware.</summary>
    public const ushort Fwid = 20;

    /// <summary>0xAA on, 0x55 off.</summary>
    public const ushort ProtectedPcieStatus = 21;

    /// <summary>18 × 8 bytes of switch PDIs on a GPU; the switch's own 8 bytes on LS10.</summary>
    public const ushort SwitchPdi = 22;

    /// <summary>Eight PDIs of GPUs, then one byte for each of 64 ports; switches only.</summary>
    public const ushort SwitchGpuPdis = 26;

    /// <summary>A number; superseded by the header of the NVDAOD form.</summary>
    public const ushort OpaqueDataVersion = 34;

    /// <summary>ASCII, for instance GB100.</summary>
    public const ushort ChipInfo = 35;

    /// <summary>0 SPT, 1 MPT, 2 PPCIE.</summary>
    public const ushort FeatureFlag = 36;


    private static readonly Dictionary<ushort, string> s_names = new()
    {
        [1] = "CERT_ISSUER_NAME",
        [2] = "CERT_AUTHORITY_KEY_IDENTIFIER",
        [3] = "DRIVER_VERSION",
        [4] = "GPU_INFO",
        [5] = "SKU",
        [6] = "VBIOS_VERSION",
        [7] = "MANUFACTURER_ID",
        [8] = "TAMPER_DETECTION",
        [9] = "SMC",
        [10] = "VPR",
        [11] = "NVDEC0_STATUS",
        [12] = "MSRSCNT",
        [13] = "CPRINFO",
        [14] = "BOARD_ID",
        [15] = "CHIP_SKU",
        [16] = "CHIP_SKU_MOD",
        [17] = "PROJECT",
        [18] = "PROJECT_SKU",
        [19] = "PROJECT_SKU_MOD",
        [20] = "FWID",
        [21] = "PROTECTED_PCIE_STATUS",
        [22] = "SWITCH_PDI",
        [23] = "FLOORSWEPT_PORTS",
        [24] = "POSITION_ID",
        [25] = "LOCK_SWITCH_STATUS",
        [26] = "SWITCH_GPU_PDIS",
        [32] = "GPU_LINK_CONN",
        [33] = "SYS_ENABLE_STATUS",
        [34] = "OPAQUE_DATA_VERSION",
        [35] = "CHIP_INFO",
        [36] = "FEATURE_FLAG",
        [37] = "FSP_UCODE_SVN",
        [38] = "NVLE_STATUS",
    };

    /// <summary>NVIDIA's name of a field, or its number.</summary>
    public static string NameOf(ushort type) => s_names.TryGetValue(type, out var name) ? name : $"type {type}";

    /// <summary>Printable ASCII up to the first NUL; behind it only NULs.</summary>
    public static bool TryText(OpaqueField? field, [NotNullWhen(true)] out string? text)
    {
        text = null;
        if (field is null)
        {
            return false;
        }

        var bytes = field.Data.Span;
        var end = bytes.IndexOf((byte)0);
        var padding = end < 0 ? [] : bytes[end..];
        bytes = end < 0 ? bytes : bytes[..end];
        if (bytes.IsEmpty || padding.ContainsAnyExcept((byte)0) || bytes.ContainsAnyExceptInRange((byte)0x20, (byte)0x7E))
        {
            return false;
        }

        text = Encoding.ASCII.GetString(bytes);
        return true;
    }

    /// <summary>
    /// A GPU's VBIOS version: bytes b0…b7 read as <c>b3.b2.b1.b0.b4</c> in upper-case hexadecimal; b5…b7 are not part of it.
    /// </summary>
    public static bool TryGpuVbios(OpaqueField? field, [NotNullWhen(true)] out string? version)
    {
        var bytes = field is null ? [] : field.Data.Span;
        version = bytes is [var b0, var b1, var b2, var b3, var b4, _, _, _]
            ? $"{b3:X2}.{b2:X2}.{b1:X2}.{b0:X2}.{b4:X2}"
            : null;
        return version is not null;
    }

    /// <summary>A little-endian unsigned number of 1 to 8 bytes.</summary>
    public static bool TryNumber(OpaqueField? field, out ulong number)
    {
        number = 0;
        if (field is not { Data.Length: >= 1 and <= 8 })
        {
            return false;
        }

        Span<byte> padded = stackalloc byte[8];
        field.Data.Span.CopyTo(padded);
        number = BinaryPrimitives.ReadUInt64LittleEndian(padded);
        return true;
    }
}

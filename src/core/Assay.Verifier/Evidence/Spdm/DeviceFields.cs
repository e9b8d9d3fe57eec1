using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Evidence.Spdm;

/// <summary>How a GPU is passed to its VM, from FEATURE_FLAG.</summary>
internal enum GpuMode
{
    /// <summary>The report does not tell.</summary>
    NotReported,

    /// <summary>Single-GPU passthrough confidential computing.</summary>
    Spt,

    /// <summary>Multi-GPU passthrough confidential computing.</summary>
    Mpt,

    /// <summary>Protected PCIe.</summary>
    Ppcie,
}

/// <summary>The physical device identifier: 8 bytes, shown in upper-case hexadecimal.</summary>
internal readonly record struct Pdi(ulong Value)
{
    /// <summary>Bytes of a PDI.</summary>
    public const int Size = 8;

    /// <summary>Reads the bytes in the device's own order.</summary>
    internal static Pdi FromBytes(ReadOnlySpan<byte> bytes) => new(System.Buffers.Binary.BinaryPrimitives.ReadUInt64BigEndian(bytes));

    /// <summary>Reads the bytes reversed, as GPU reports list switches.</summary>
    internal static Pdi FromReversedBytes(ReadOnlySpan<byte> bytes) => new(System.Buffers.Binary.BinaryPrimitives.ReadUInt64LittleEndian(bytes));

    /// <inheritdoc/>
    public override string ToString() => Value.ToString("X16", System.Globalization.CultureInfo.InvariantCulture);
}

/// <summary>
/// What a report says about its device in NVIDIA's opaque fields. A field that is absent is null; a field that is present and makes
/// no sense is a fault.
/// </summary>
internal sealed record DeviceFields
{
    private const byte StatusOn = 0xAA;
    private const byte StatusOff = 0x55;

    /// <summary>Driver version, for instance <c>550.90.07</c>; GPUs only.</summary>
    public string? DriverVersion { get; init; }

    /// <summary>VBIOS version, for instance <c>96.00.5E.00.01</c>; of a switch its BIOS version.</summary>
    public string? VbiosVersion { get; init; }

    /// <summary>Board project, for instance <c>G520</c>.</summary>
    public string? Project { get; init; }

    /// <summary>SKU of the board project.</summary>
    public string? ProjectSku { get; init; }

    /// <summary>Chip SKU, for instance <c>885</c>.</summary>
    public string? ChipSku { get; init; }

    /// <summary>Chip name, for instance <c>GB100</c>; not before Blackwell.</summary>
    public string? ChipInfo { get; init; }

    /// <summary>SHA-384 over the firmware, to be equal to the leaf certificate's; not before driver 550.</summary>
    public Digest? Fwid { get; init; }

    /// <summary>Whether NVDEC0 is enabled; its firmware (index 35) counts only then.</summary>
    public bool? NvDec0Enabled { get; init; }

    /// <summary>PROTECTED_PCIE_STATUS.</summary>
    public bool? ProtectedPcie { get; init; }

    /// <summary>From FEATURE_FLAG.</summary>
    public GpuMode Mode { get; init; }

    /// <summary>Version of the opaque data: the header's major, else field 34, else 0.</summary>
    public ulong OpaqueVersion { get; init; }

    /// <summary>The switches that a GPU's links lead to, zero entries (disabled links) included.</summary>
    public ImmutableArray<Pdi> SwitchPdis { get; init; } = [];

    /// <summary>A switch's own PDI.</summary>
    public Pdi? OwnPdi { get; init; }

    /// <summary>The eight GPUs that a switch names.</summary>
    public ImmutableArray<Pdi> GpuPdis { get; init; } = [];

    internal static bool TryReadGpu(OpaqueData opaque, [NotNullWhen(true)] out DeviceFields? fields, [NotNullWhen(false)] out ParseFault? fault)
    {
        var read = new FieldReader(opaque);
        fields = new DeviceFields
        {
            DriverVersion = read.Text(OpaqueFields.DriverVersion),
            VbiosVersion = read.GpuVbios(),
            Project = read.Text(OpaqueFields.Project),
            ProjectSku = read.Text(OpaqueFields.ProjectSku),
            ChipSku = read.Text(OpaqueFields.ChipSku),
            ChipInfo = read.Text(OpaqueFields.ChipInfo),
            Fwid = read.Sha384(OpaqueFields.Fwid),
            NvDec0Enabled = read.Status(OpaqueFields.NvDec0Status),
            ProtectedPcie = read.Status(OpaqueFields.ProtectedPcieStatus),
            Mode = read.Mode(),
            OpaqueVersion = read.OpaqueVersion(),
            SwitchPdis = read.Pdis(OpaqueFields.SwitchPdi, 18, 18 * Pdi.Size, reversed: true),
        };
        fault = read.Fault;
        fields = fault is null ? fields : null;
        return fields is not null;
    }

    internal static bool TryReadSwitch(OpaqueData opaque, [NotNullWhen(true)] out DeviceFields? fields, [NotNullWhen(false)] out ParseFault? fault)
    {
        const int gpus = 8, ports = 64;
        var read = new FieldReader(opaque);
        fields = new DeviceFields
        {
            VbiosVersion = read.Text(OpaqueFields.VbiosVersion),
            Fwid = read.Sha384(OpaqueFields.Fwid),
            OpaqueVersion = read.OpaqueVersion(),
            OwnPdi = read.Pdis(OpaqueFields.SwitchPdi, 1, Pdi.Size, reversed: false) is [var own] ? own : null,
            GpuPdis = read.Pdis(OpaqueFields.SwitchGpuPdis, gpus, (gpus * Pdi.Size) + ports, reversed: false),
        };
        fault = read.Fault;
        fields = fault is null ? fields : null;
        return fields is not null;
    }

    /// <summary>Reads fields by number; the first fault sticks.</summary>
    private sealed class FieldReader(OpaqueData opaque)
    {
        public ParseFault? Fault { get; private set; }

        public string? Text(ushort type) =>
            Read(type, field => OpaqueFields.TryText(field, out var text) ? text : null, "not printable text");

        public string? GpuVbios() =>
            Read(OpaqueFields.VbiosVersion, field => OpaqueFields.TryGpuVbios(field, out var version) ? version : null, "not 8 bytes");

        public Digest? Sha384(ushort type)
        {
            const int sha384 = 48;
            var field = opaque.Find(type);
            Require(field is null or { Data.Length: sha384 }, type, "not 48 bytes");
            return field is { Data.Length: sha384 } ? new Digest(field.Data.Span) : null;
        }

        public bool? Status(ushort type)
        {
            var field = opaque.Find(type);
            var value = field is null ? [] : field.Data.Span;
            Require(field is null || value is [StatusOn] or [StatusOff], type, "neither 0xAA nor 0x55");
            return field is null ? null : value is [StatusOn];
        }

        public GpuMode Mode()
        {
            var field = opaque.Find(OpaqueFields.FeatureFlag);
            var told = OpaqueFields.TryNumber(field, out var flag);
            Require(field is null || (told && flag <= 2), OpaqueFields.FeatureFlag, "none of 0 (SPT), 1 (MPT), 2 (PPCIE)");
            return (told, flag) switch
            {
                (true, 0) => GpuMode.Spt,
                (true, 1) => GpuMode.Mpt,
                (true, 2) => GpuMode.Ppcie,
                _ => GpuMode.NotReported,
            };
        }

        // With a header the major version counts and field 34 is ignored: recorded headers come with 512 there.
        public ulong OpaqueVersion() =>
            opaque.Form is OpaqueForm.Nvdaod ? opaque.Major
            : OpaqueFields.TryNumber(opaque.Find(OpaqueFields.OpaqueDataVersion), out var version) ? version
            : 0;

        public ImmutableArray<Pdi> Pdis(ushort type, int count, int size, bool reversed)
        {
            var field = opaque.Find(type);
            Require(field is null || field.Data.Length == size, type, $"not {size} bytes");
            var pdis = ImmutableArray.CreateBuilder<Pdi>();
            for (var index = 0; field is not null && Fault is null && index < count; index++)
            {
                var bytes = field.Data.Span.Slice(index * Pdi.Size, Pdi.Size);
                pdis.Add(reversed ? Pdi.FromReversedBytes(bytes) : Pdi.FromBytes(bytes));
            }

            return pdis.ToImmutable();
        }

        private string? Read(ushort type, Func<OpaqueField, string?> decode, string problem)
        {
            var field = opaque.Find(type);
            var value = field is null ? null : decode(field);
            Require(field is null || value is not null, type, problem);
            return value;
        }

        private void Require(bool holds, ushort type, string problem)
        {
            if (!holds)
            {
                Fault ??= new ParseFault($"OpaqueData.{OpaqueFields.NameOf(type)}", 0, problem);
            }
        }
    }
}

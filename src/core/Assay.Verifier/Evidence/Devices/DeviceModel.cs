using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Evidence.Files;

namespace Assay.Evidence.Devices;

/// <summary>
/// All that tells one model of device from another: how its certificates name it, how its reports are read, and which reference values it
/// is compared with. Everything that differs between models is in a row of <see cref="DeviceModels"/>; docs/development/adding-a-device.md says
/// how to write one.
/// </summary>
internal sealed record DeviceModel
{
    /// <summary>What documents call it, for instance <c>Hopper</c>.</summary>
    public required string Name { get; init; }

    /// <summary>The family.</summary>
    public required DeviceArchitecture Architecture { get; init; }

    /// <summary>GPU or switch.</summary>
    public required DeviceKind Kind { get; init; }

    /// <summary>Which processor of the device answers.</summary>
    public required Responder Responder { get; init; }

    /// <summary>The common names of its leaf and of chain[1].</summary>
    public required CertificatePattern Certificates { get; init; }

    /// <summary>The first byte of chain[1]'s serial number, before the eight bytes of the PDI.</summary>
    public required byte SerialPrefix { get; init; }

    /// <summary>The first certificate, leaf first, that an OCSP responder is asked about. All from there to the root are, the root is not.</summary>
    public required int FirstAskedOfOcsp { get; init; }

    /// <summary>How evidence files declare it in <c>arch</c>.</summary>
    public required string ArchitectureWord { get; init; }

    /// <summary>The versions of opaque data that are understood.</summary>
    public required OpaqueVersions Opaque { get; init; }

    /// <summary>Whether its RIMs are known to name the chip as their product, without the underscore. If not, a RIM's product is not compared.</summary>
    public required bool RimsNameTheChip { get; init; }

    /// <summary>Its reference manifests, in the order in which they are asked about.</summary>
    public required ImmutableArray<RimNeed> Rims { get; init; }

    /// <summary>The product that its RIMs must name; null where that is not known.</summary>
    /// <param name="chip">The chip in the certificate's words.</param>
    internal string? RimProductOf(string chip) => RimsNameTheChip ? chip.Replace("_", "", StringComparison.Ordinal) : null;
}

/// <summary>The highest version of opaque data that is understood, in each of its forms.</summary>
/// <param name="Plain">Without a header: field OPAQUE_DATA_VERSION.</param>
/// <param name="Header">With the NVDAOD header: its major version.</param>
internal sealed record OpaqueVersions(ulong Plain, ulong Header);

/// <summary>
/// How certificates name a model: chain[0] is <c>chip revision processor FMC LF</c>, chain[1] <c>chip revision processor BROM</c>, with one
/// chip and revision. A revision begins with A or B.
/// </summary>
/// <param name="Chip">The chip; each question mark is one ASCII letter or digit.</param>
/// <param name="Processor">The word for the responder.</param>
internal sealed record CertificatePattern(string Chip, string Processor)
{
    private const string LeafSuffix = " FMC LF";
    private const string DeviceSuffix = " BROM";

    /// <summary>The form of chain[0]'s common name.</summary>
    public string Leaf => $"{Chip} <revision> {Processor}{LeafSuffix}";

    /// <summary>The form of chain[1]'s common name, which is NVIDIA's <c>hwmodel</c> claim.</summary>
    public string HardwareModel => $"{Chip} <revision> {Processor}{DeviceSuffix}";

    /// <summary>Whether these common names are of this model, and of which chip.</summary>
    /// <param name="leaf">Of chain[0].</param>
    /// <param name="device">Of chain[1].</param>
    /// <param name="chip">The chip in the certificate's words.</param>
    internal bool TryMatch(string leaf, string device, [NotNullWhen(true)] out string? chip)
    {
        var named = device.EndsWith(DeviceSuffix, StringComparison.Ordinal) ? device[..^DeviceSuffix.Length] : "";
        chip = leaf == named + LeafSuffix && named.Split(' ') is [var found, ['A' or 'B', ..], var processor] && processor == Processor && IsChip(found) ? found : null;
        return chip is not null;
    }

    private bool IsChip(string found) =>
        found.Length == Chip.Length && found.Zip(Chip).All(pair => pair.Second is '?' ? char.IsAsciiLetterOrDigit(pair.First) : pair.First == pair.Second);
}

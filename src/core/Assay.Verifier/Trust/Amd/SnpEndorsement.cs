using System.Diagnostics.CodeAnalysis;
using System.Text;
using Assay.Evidence.Snp;
using Assay.Wire;

namespace Assay.Trust.Amd;

/// <summary>
/// What a VCEK or VLEK certificate says about the key's owner (AMD "VCEK Certificate and KDS Interface Specification", table 8, and the
/// VLEK's; extensions 1.3.6.1.4.1.3704.1.*): product, TCB, and the chip or the cloud provider.
/// </summary>
internal sealed record SnpEndorsement
{
    /// <summary>VCEK or VLEK, by the subject's common name.</summary>
    public required SnpSigningKey Kind { get; init; }

    /// <summary>The product line.</summary>
    public required SnpProduct Product { get; init; }

    /// <summary>productName, for instance <c>Milan-B0</c>; <c>Milan</c> in VLEKs.</summary>
    public required string ProductName { get; init; }

    /// <summary>The TCB that the key is derived from.</summary>
    public required SnpTcb Tcb { get; init; }

    /// <summary>HWID as a chip id, the shorter one of Turin padded with zeros; null in VLEKs.</summary>
    public required ChipId? ChipId { get; init; }

    /// <summary>CSP_ID: which cloud provider; null in VCEKs.</summary>
    public required string? CloudProvider { get; init; }

    private const int TurinHardwareId = 8;

    // Arcs below 1.3.6.1.4.1.3704.1; the SPLs of the reserved bytes 2 to 5 are spl4 to spl7.
    private static ReadOnlySpan<byte> ProductNameArc => [2];
    private static ReadOnlySpan<byte> HardwareIdArc => [4];
    private static ReadOnlySpan<byte> CloudProviderArc => [5];

    /// <summary>Reads the extensions of the leaf of an AMD chain.</summary>
    internal static bool TryRead(Certificate leaf, [NotNullWhen(true)] out SnpEndorsement? endorsement, [NotNullWhen(false)] out string? whyNot)
    {
        endorsement = null;
        var faults = new DerFaults();
        var kind = leaf.Subject.CommonName switch { "SEV-VCEK" => SnpSigningKey.Vcek, "SEV-VLEK" => SnpSigningKey.Vlek, _ => SnpSigningKey.None };
        var name = ReadText(leaf, ProductNameArc, "productName", faults);
        var product = ProductOf(name ?? "");
        var tcb = ReadTcb(leaf, product, faults);
        var provider = ReadText(leaf, CloudProviderArc, "cspId", faults);
        var hardware = leaf.Extensions.Find([.. Oids.AmdEndorsement, .. HardwareIdArc]);
        var size = product is SnpProduct.Turin ? TurinHardwareId : ChipId.Size;
        whyNot = kind is SnpSigningKey.None ? $"the leaf is \"{leaf.Subject.CommonName}\": SEV-VCEK or SEV-VLEK is expected"
            : faults.First is { } fault ? $"the certificate's extensions are malformed: {fault}"
            : product is SnpProduct.None ? $"productName {(name is null ? "is missing" : $"\"{name}\" is not known: try a newer Assay")}"
            : kind is SnpSigningKey.Vcek && hardware?.Length != size ? $"hwID of a {product} VCEK has {size} bytes, {(hardware is null ? "none is" : $"{hardware.Length} are")} there"
            : kind is SnpSigningKey.Vcek && provider is not null ? "a VCEK names a cloud provider"
            : kind is SnpSigningKey.Vlek && (hardware is not null || provider is null) ? "a VLEK names a chip, or no cloud provider"
            : null;
        endorsement = whyNot is not null ? null : new SnpEndorsement
        {
            Kind = kind,
            Product = product,
            ProductName = name!,
            Tcb = tcb,
            ChipId = hardware is null ? null : new ChipId([.. hardware, .. new byte[ChipId.Size - hardware.Length]]),
            CloudProvider = provider,
        };
        return endorsement is not null;
    }

    /// <summary>Bergamo and Siena are of the Genoa line, and have its roots.</summary>
    private static SnpProduct ProductOf(string name) => name.Split('-')[0] switch
    {
        "Milan" => SnpProduct.Milan,
        "Genoa" or "Bergamo" or "Siena" => SnpProduct.Genoa,
        "Turin" => SnpProduct.Turin,
        _ => SnpProduct.None,
    };

    // Byte of the TCB by arc of 3704.1.3: blSPL 1, teeSPL 2, snpSPL 3, spl4 to spl7, ucodeSPL 8, and on Turin fmcSPL 9.
    private static SnpTcb ReadTcb(Certificate leaf, SnpProduct product, DerFaults faults)
    {
        ReadOnlySpan<byte> places = product is SnpProduct.Turin ? [1, 2, 3, 4, 5, 6, 6, 7, 0] : [0, 1, 6, 2, 3, 4, 5, 7];
        var value = 0UL;
        for (var index = 0; index < places.Length; index++)
        {
            var arc = (byte)(index + 1);
            var required = arc is 1 or 2 or 3 or 8 or 9;
            var octets = leaf.Extensions.Find([.. Oids.AmdEndorsement, 3, arc]);
            var reader = new DerReader(octets ?? [], faults);
            reader.Require(octets is not null || !required, $"3704.1.3.{arc}", "missing");
            if (octets is null)
            {
                continue;
            }

            var level = reader.SmallInteger($"3704.1.3.{arc}");
            reader.End($"3704.1.3.{arc}");
            reader.Require(level <= byte.MaxValue, $"3704.1.3.{arc}", "more than one byte");
            // Turin's layout has one byte less than there are reserved levels: they must be zero anyway.
            reader.Require(product is not SnpProduct.Turin || arc is < 4 or > 7 || level == 0, $"3704.1.3.{arc}", "reserved, and not zero");
            value |= reader.Fault is null ? (ulong)level << (8 * places[index]) : 0;
        }

        return new SnpTcb(value);
    }

    private static string? ReadText(Certificate leaf, ReadOnlySpan<byte> arc, string field, DerFaults faults)
    {
        if (leaf.Extensions.Find([.. Oids.AmdEndorsement, .. arc]) is not { } value)
        {
            return null;
        }

        var reader = new DerReader(value, faults);
        var text = reader.Value(DerTag.Ia5String, field);
        reader.End(field);
        reader.Require(text.Length <= Limits.ShortNameCharacters && !text.ContainsAnyExceptInRange((byte)' ', (byte)'~'), field, "not a short printable text");
        return Encoding.ASCII.GetString(text);
    }
}

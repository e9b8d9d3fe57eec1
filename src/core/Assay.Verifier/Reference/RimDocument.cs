using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>A golden measurement: the values that one measurement block may have.</summary>
/// <param name="Index">0-based; the block of a report has this plus 1 (DSP0274 numbers blocks from 1).</param>
/// <param name="Active">Whether it counts. Inactive entries are fillers.</param>
/// <param name="Alternatives">1 to <see cref="Limits.RimAlternatives"/> values of <paramref name="Size"/> bytes; any of them matches.</param>
/// <param name="Name">What is measured, in the manufacturer's words.</param>
/// <param name="Size">Bytes of each value.</param>
internal sealed record GoldenMeasurement(int Index, bool Active, ImmutableArray<Digest> Alternatives, string Name, int Size);

/// <summary>A floor for a security version number that the report carries in its opaque data.</summary>
/// <param name="FieldType">Type of the opaque data field: the record's index minus 0x1000.</param>
/// <param name="Name">The claim's name.</param>
/// <param name="Minimum">The least acceptable value, 0 to 65,535.</param>
/// <param name="IncludeInResult">Whether the value that the report carries becomes an attester claim.</param>
internal sealed record MinimumSvn(int FieldType, string Name, int Minimum, bool IncludeInResult);

/// <summary>
/// A reference integrity manifest: a signed SWID tag (ISO/IEC 19770-2:2015) after the TCG RIM information model, as NVIDIA serves it.
/// Well-formed, and believed by nobody yet: that is <see cref="AuthenticRim"/>.
/// </summary>
internal sealed class RimDocument
{
    internal RimDocument()
    {
    }

    /// <summary>Meta@product, for example <c>GH100</c>.</summary>
    public string Product { get; internal init; } = "";

    /// <summary>Meta@edition: <c>GPU</c> or <c>SWITCH</c> in recorded RIMs.</summary>
    public string Edition { get; internal init; } = "";

    /// <summary>Meta@revision.</summary>
    public string Revision { get; internal init; } = "";

    /// <summary>Meta@colloquialVersion: the version of the driver or firmware, compared exactly with the report's.</summary>
    public string ColloquialVersion { get; internal init; } = "";

    /// <summary>SoftwareIdentity@tagId: 96 hexadecimal digits.</summary>
    public string TagId { get; internal init; } = "";

    /// <summary>Meta@FirmwareManufacturerId: a decimal IANA enterprise number, 5703 for NVIDIA; the <c>oemid</c> claim.</summary>
    public string FirmwareManufacturerId { get; internal init; } = "";

    /// <summary>The golden measurements, ascending by index, inactive ones included.</summary>
    public ImmutableArray<GoldenMeasurement> Measurements { get; internal init; } = [];

    /// <summary>The active floors, ascending by field type.</summary>
    public ImmutableArray<MinimumSvn> MinimumSvns { get; internal init; } = [];

    /// <summary>The certificates of KeyInfo in DER, in document order: the signer's first.</summary>
    public ImmutableArray<ReadOnlyMemory<byte>> Certificates { get; internal init; } = [];

    /// <summary>SHA-256 of the file.</summary>
    public Digest Content { get; internal init; }

    /// <summary>SHA-384 of the canonical document without its signature.</summary>
    public Digest DocumentDigest { get; internal init; }

    /// <summary>What DigestValue claims <see cref="DocumentDigest"/> to be.</summary>
    public Digest ClaimedDigest { get; internal init; }

    /// <summary>Canonical ds:SignedInfo, which <see cref="SignatureValue"/> signs.</summary>
    internal ReadOnlyMemory<byte> SignedInfo { get; init; }

    /// <summary>R‖S, 48 bytes each, big-endian (XML Signature 1.1 §6.4.3).</summary>
    public ReadOnlyMemory<byte> SignatureValue { get; internal init; }

    /// <summary>Reads a RIM from its file. Whatever is not exactly the known shape is a fault.</summary>
    public static bool TryParse(ReadOnlySpan<byte> xml, [NotNullWhen(true)] out RimDocument? document, [NotNullWhen(false)] out ParseFault? fault)
    {
        using var canonical = new CanonicalRim();
        var reader = new RimReader(xml, canonical);
        document = reader.ReadDocument();
        fault = document is null ? reader.Fault ?? new ParseFault("RIM", 0, "unreadable") : null;
        return document is not null;
    }
}

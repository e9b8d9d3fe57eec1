using System.Security.Cryptography;
using System.Text;
using Assay.Wire;

namespace Assay.Trust;

/// <summary>
/// An X.501 name. Two names are equal when their DER is: the issuers here copy their own subject byte for byte,
/// so the case folding of RFC 5280 §7.1 would only widen what is accepted.
/// </summary>
public sealed class DistinguishedName : IEquatable<DistinguishedName>
{
    private readonly byte[] _der;

    private DistinguishedName(byte[] der, string? commonName, string? serialNumber, string text)
    {
        _der = der;
        CommonName = commonName;
        SerialNumber = serialNumber;
        Text = text;
    }

    /// <summary>The DER of the Name.</summary>
    public ReadOnlySpan<byte> Der => _der;

    /// <summary>The one commonName; null when there is none.</summary>
    public string? CommonName { get; }

    /// <summary>The one serialNumber attribute (2.5.4.5), not to be mistaken for the certificate's; null when there is none.</summary>
    public string? SerialNumber { get; }

    private string Text { get; }

    internal static DistinguishedName? Read(ref DerReader outer, string field)
    {
        var whole = outer.Element(DerTag.Sequence, field);
        var faults = new DerFaults();
        var name = new DerReader(whole, faults).Sequence(field);
        string? commonName = null, serialNumber = null;
        var text = new StringBuilder();

        while (name.HasMore)
        {
            var relative = name.Set(field);
            var attribute = relative.Sequence(field);
            var type = attribute.Oid(field);
            var tag = attribute.PeekTag();
            var value = attribute.Value(tag, field);
            attribute.End(field);
            relative.End(field);
            var decoded = Decode(tag, value);
            name.Require(decoded is not null, field, "an attribute is not a UTF8String, PrintableString or IA5String of printable characters");

            var isCommonName = type.SequenceEqual(Oids.CommonName);
            var isSerialNumber = type.SequenceEqual(Oids.SerialNumber);
            name.Require(!(isCommonName && commonName is not null) && !(isSerialNumber && serialNumber is not null), field, "an attribute is repeated");
            commonName = isCommonName ? decoded : commonName;
            serialNumber = isSerialNumber ? decoded : serialNumber;
            text.Append(text.Length > 0 ? ", " : "").Append(Label(type)).Append('=').Append(decoded);
        }

        outer.Require(faults.First is null, field, faults.First?.Problem ?? "");
        return outer.Fault is null ? new DistinguishedName(whole.ToArray(), commonName, serialNumber, text.ToString()) : null;
    }

    /// <inheritdoc/>
    public bool Equals(DistinguishedName? other) => other is not null && CryptographicOperations.FixedTimeEquals(_der, other._der);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as DistinguishedName);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(_der);
        return hash.ToHashCode();
    }

    /// <summary>The attributes in the order of the certificate.</summary>
    public override string ToString() => Text;

    private static string? Decode(byte tag, ReadOnlySpan<byte> value)
    {
        var known = tag is DerTag.Utf8String or DerTag.PrintableString or DerTag.Ia5String;
        foreach (var octet in value)
        {
            known &= octet < 0x80 || tag is DerTag.Utf8String;
        }

        var text = known && System.Text.Unicode.Utf8.IsValid(value) ? Encoding.UTF8.GetString(value) : null;
        // A certificate must not draw on the reader's terminal, nor reverse what follows its name.
        return text is not null && !text.EnumerateRunes().Any(Printable.IsHarmful) ? text : null;
    }

    private static string Label(ReadOnlySpan<byte> type) => type switch
    {
        [0x55, 0x04, 0x03] => "CN",
        [0x55, 0x04, 0x05] => "serialNumber",
        [0x55, 0x04, 0x06] => "C",
        [0x55, 0x04, 0x07] => "L",
        [0x55, 0x04, 0x08] => "ST",
        [0x55, 0x04, 0x0A] => "O",
        [0x55, 0x04, 0x0B] => "OU",
        _ => Oids.ToText(type),
    };
}

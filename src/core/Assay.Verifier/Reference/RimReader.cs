using System.Text;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>
/// Reads a RIM element by element and has each node canonicalised on the way. What a schema would say is said here: the elements in
/// their order, the attributes by namespace, and nothing else. The first fault sticks, so that the methods read like the schema.
/// </summary>
internal ref partial struct RimReader(ReadOnlySpan<byte> source, CanonicalRim canonical)
{
    private const int DecimalDigits = 9;

    private readonly ReadOnlySpan<byte> _source = source;
    private readonly CanonicalRim _canonical = canonical;
    private StrictXml _xml = new(source);
    private ulong _taken;

    public readonly ParseFault? Fault => _xml.Fault;

    /// <summary>The whole document; null after a fault.</summary>
    public RimDocument? ReadDocument()
    {
        Open(XmlNamespace.Swid, "SoftwareIdentity"u8, "SoftwareIdentity");
        var tagId = ReadIdentity();
        Open(XmlNamespace.Swid, "Entity"u8, "Entity");
        TakeText("name"u8, "Entity.name");
        TakeText("role"u8, "Entity.role");
        Close("Entity");
        Open(XmlNamespace.Swid, "Meta"u8, "Meta");
        var meta = ReadMeta();
        Open(XmlNamespace.Swid, "Payload"u8, "Payload");
        NoOtherAttributes("Payload");
        var payload = ReadPayload();
        Open(XmlNamespace.XmlDsig, "Signature"u8, "ds:Signature");
        var signature = ReadSignature();
        Close("SoftwareIdentity", attributesRead: true);
        Require(Step() is XmlNode.EndOfDocument, "RIM", "content after the root element");
        Require(!_canonical.Overflowed, "ds:SignedInfo", "larger than any RIM's");
        if (Fault is not null)
        {
            return null;
        }

        return new RimDocument
        {
            TagId = tagId,
            Product = meta.Product,
            Edition = meta.Edition,
            Revision = meta.Revision,
            ColloquialVersion = meta.ColloquialVersion,
            FirmwareManufacturerId = meta.ManufacturerId,
            Measurements = payload.Measurements,
            MinimumSvns = payload.MinimumSvns,
            Certificates = signature.Certificates,
            ClaimedDigest = signature.Digest,
            SignatureValue = signature.Value,
            SignedInfo = _canonical.SignedInfo,
            DocumentDigest = _canonical.FinishDocument(),
            Content = Digest.Sha256(_source),
        };
    }

    // A corpus, patch or supplemental tag describes something else than an installed version (ISO/IEC 19770-2).
    private string ReadIdentity()
    {
        TakeExactly(XmlNamespace.None, "corpus"u8, "false"u8, "SoftwareIdentity.corpus");
        TakeExactly(XmlNamespace.None, "patch"u8, "false"u8, "SoftwareIdentity.patch");
        TakeExactly(XmlNamespace.None, "supplemental"u8, "false"u8, "SoftwareIdentity.supplemental");
        TakeText("name"u8, "SoftwareIdentity.name");
        TakeText("version"u8, "SoftwareIdentity.version");
        TakeDecimal("tagVersion"u8, "SoftwareIdentity.tagVersion");
        var tagId = TakeText("tagId"u8, "SoftwareIdentity.tagId");
        Require(tagId.Length == 96 && tagId.All(char.IsAsciiHexDigit), "SoftwareIdentity.tagId", $"96 hexadecimal digits are expected, {tagId.Length} characters are given");
        NoOtherAttributes("SoftwareIdentity");
        return tagId;
    }

    private (string Product, string Edition, string Revision, string ColloquialVersion, string ManufacturerId) ReadMeta()
    {
        // PayloadType "indirect" would mean that the measurements stand elsewhere (TCG RIM information model).
        TakeExactly(XmlNamespace.None, "PayloadType"u8, "direct"u8, "Meta.PayloadType");
        TakeExactly(XmlNamespace.TcgRim, "BindingSpec"u8, "RIMIM"u8, "Meta.BindingSpec");
        Take(XmlNamespace.TcgRim, "BindingSpecVersion"u8, "Meta.BindingSpecVersion", required: false);
        Take(XmlNamespace.TcgRim, "PlatformManufacturerId"u8, "Meta.PlatformManufacturerId", required: false);
        Take(XmlNamespace.TcgRim, "PlatformManufacturerStr"u8, "Meta.PlatformManufacturerStr", required: false);
        Take(XmlNamespace.TcgRim, "PlatformModel"u8, "Meta.PlatformModel", required: false);
        Take(XmlNamespace.TcgRim, "FirmwareManufacturer"u8, "Meta.FirmwareManufacturer", required: false);
        var id = Take(XmlNamespace.TcgRim, "FirmwareManufacturerId"u8, "Meta.FirmwareManufacturerId");
        Require(TryDecimal(id, out _), "Meta.FirmwareManufacturerId", "not a canonical decimal number");
        var meta = (
            TakeText("product"u8, "Meta.product"),
            TakeText("edition"u8, "Meta.edition"),
            TakeText("revision"u8, "Meta.revision"),
            TakeText("colloquialVersion"u8, "Meta.colloquialVersion"),
            Encoding.UTF8.GetString(id));
        Close("Meta");
        return meta;
    }

    // Every node goes through here, so that none escapes the canonical form.
    private XmlNode Step()
    {
        var node = _xml.Read();
        _canonical.Write(in _xml);
        return node;
    }

    /// <summary>Moves to the next tag; only white space may stand before it.</summary>
    private XmlNode StepToTag(string field)
    {
        var node = Step();
        while (node is XmlNode.Text)
        {
            Require(_xml.IsWhiteSpace, field, "character data where only elements are expected");
            node = Step();
        }

        return node;
    }

    private void Open(XmlNamespace space, ReadOnlySpan<byte> local, string field)
    {
        var node = StepToTag(field);
        if (node is not XmlNode.Start || !IsAt(space, local))
        {
            _xml.Refuse(field, node is XmlNode.Start ? $"expected here, {Found()} is found" : "missing");
        }

        _taken = 0;
    }

    private readonly bool IsAt(XmlNamespace space, ReadOnlySpan<byte> local) => _xml.Namespace == space && _xml.LocalName.SequenceEqual(local);

    private readonly string Found() => _xml.LocalName.Length <= 40 ? Encoding.ASCII.GetString(_xml.LocalName) : "another element";

    /// <summary>Ends an element without further children.</summary>
    private void Close(string field, bool attributesRead = false)
    {
        if (!attributesRead)
        {
            NoOtherAttributes(field);
        }

        Require(StepToTag(field) is XmlNode.End, field, "an element too many");
    }

    private ReadOnlySpan<byte> Take(XmlNamespace space, scoped ReadOnlySpan<byte> local, string field, bool required = true)
    {
        if (Fault is not null)
        {
            return [];
        }

        var attributes = _xml.Attributes;
        for (var index = 0; index < attributes.Length; index++)
        {
            if (attributes[index].Namespace == space && _xml.At(attributes[index].Local).SequenceEqual(local))
            {
                _taken |= 1UL << index;
                return _xml.ValueOf(in attributes[index]);
            }
        }

        Require(!required, field, "missing");
        return [];
    }

    private void TakeExactly(XmlNamespace space, ReadOnlySpan<byte> local, ReadOnlySpan<byte> value, string field)
    {
        if (!Take(space, local, field).SequenceEqual(value))
        {
            _xml.Refuse(field, $"\"{Encoding.ASCII.GetString(value)}\" is expected");
        }
    }

    private string TakeText(ReadOnlySpan<byte> local, string field)
    {
        var value = Take(XmlNamespace.None, local, field);
        Require(!value.IsEmpty, field, "empty");
        return Encoding.UTF8.GetString(value);
    }

    private int TakeDecimal(ReadOnlySpan<byte> local, string field, XmlNamespace space = XmlNamespace.None)
    {
        Require(TryDecimal(Take(space, local, field), out var number), field, "not a canonical decimal number");
        return number;
    }

    // Digits without sign or leading zero. Nine of them fit an int.
    private static bool TryDecimal(ReadOnlySpan<byte> digits, out int number)
    {
        number = 0;
        if (digits.Length is 0 or > DecimalDigits || digits is [(byte)'0', _, ..] || digits.ContainsAnyExceptInRange((byte)'0', (byte)'9'))
        {
            return false;
        }

        foreach (var digit in digits)
        {
            number = number * 10 + (digit - '0');
        }

        return true;
    }

    private void NoOtherAttributes(string field)
    {
        var count = _xml.Attributes.Length;
        var all = count == 64 ? ulong.MaxValue : (1UL << count) - 1;
        Require(_taken == all, field, "an attribute that is not known here");
    }

    // For problems that cost nothing to word; others are worded where they are found, as every RIM passes there hundreds of times.
    private void Require(bool holds, string field, string problem)
    {
        if (!holds)
        {
            _xml.Refuse(field, problem);
        }
    }
}

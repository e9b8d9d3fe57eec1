using Assay.Wire;

namespace Assay.Reference;

/// <summary>Bounds of <see cref="StrictXml"/> beside those of <see cref="Limits"/>.</summary>
internal static class XmlBounds
{
    /// <summary>Namespace declarations in force at once: 4 in recorded RIMs.</summary>
    public const int Bindings = 64;

    /// <summary>Bytes of an attribute value: 103 in recorded RIMs.</summary>
    public const int ValueBytes = 4096;
}

internal ref partial struct StrictXml
{
    private XmlNode ReadStartTag()
    {
        _elements++;
        if (_elements > Limits.RimElements || Depth >= Limits.RimDepth)
        {
            return RefuseNode($"more than {Limits.RimElements} elements, or deeper than {Limits.RimDepth}");
        }

        _offset++;
        if (!TryReadName(out var name, out var prefix, out var local))
        {
            return XmlNode.None;
        }

        _frames[Depth] = new Frame { Name = name, Local = local, BindingsBefore = _bindingCount };
        Depth++;
        _attributeCount = 0;
        while (ReadAttribute())
        {
        }

        if (Fault is not null || !TryResolve(prefix, isElement: true, out var space))
        {
            return XmlNode.None;
        }

        _frames[Depth - 1].Namespace = space;
        SortAttributes();
        return Fault is null ? XmlNode.Start : XmlNode.None;
    }

    // False at the end of the tag, and after a fault.
    private bool ReadAttribute()
    {
        var rest = _source[_offset..];
        var trimmed = rest.TrimStart(" \t\n"u8);
        var separated = trimmed.Length < rest.Length;
        _offset = _source.Length - trimmed.Length;
        if (trimmed is [(byte)'>', ..] or [(byte)'/', (byte)'>', ..])
        {
            _isEmptyElement = trimmed[0] == '/';
            _offset += _isEmptyElement ? 2 : 1;
            return false;
        }

        if (!separated)
        {
            Refuse("XML", "white space or the end of the tag is expected");
            return false;
        }

        if (!TryReadName(out var name, out var prefix, out var local) || !TryReadValue(out var value, out var normalized))
        {
            return false;
        }

        // Declarations count too: they are what makes a tag long.
        if (_attributeCount + _bindingCount - _frames[Depth - 1].BindingsBefore >= Limits.RimAttributes)
        {
            Refuse("XML", $"more than {Limits.RimAttributes} attributes");
            return false;
        }

        if (At(name).SequenceEqual("xmlns"u8) || At(prefix).SequenceEqual("xmlns"u8))
        {
            return Declare(At(prefix).IsEmpty ? local.End..local.End : local, normalized is null ? At(value) : []);
        }

        _attributes[_attributeCount++] = new XmlAttribute { Prefix = prefix, Local = local, Value = value, Normalized = normalized };
        return true;
    }

    private bool Declare(Range prefix, ReadOnlySpan<byte> name)
    {
        var space = XmlNamespaces.Find(name);
        if (space is XmlNamespace.None || At(prefix).SequenceEqual("xml"u8) || At(prefix).SequenceEqual("xmlns"u8))
        {
            Refuse("XML", "declares a namespace that no RIM has, or a reserved prefix");
            return false;
        }

        foreach (ref readonly var binding in Declarations)
        {
            if (At(binding.Prefix).SequenceEqual(At(prefix)))
            {
                Refuse("XML", "declares a prefix twice");
                return false;
            }
        }

        if (_bindingCount == XmlBounds.Bindings)
        {
            Refuse("XML", $"more than {XmlBounds.Bindings} namespace declarations in force");
            return false;
        }

        _bindings[_bindingCount] = new XmlBinding { Prefix = prefix, Namespace = space, IsSuperfluous = InForce(prefix) == space };
        _bindingCount++;
        return true;
    }

    private readonly XmlNamespace InForce(Range prefix)
    {
        for (var index = _bindingCount - 1; index >= 0; index--)
        {
            if (At(_bindings[index].Prefix).SequenceEqual(At(prefix)))
            {
                return _bindings[index].Namespace;
            }
        }

        return XmlNamespace.None;
    }

    // Namespaces in XML 1.0 §6.2: the default namespace is not that of unprefixed attributes.
    private bool TryResolve(Range prefix, bool isElement, out XmlNamespace space)
    {
        var unprefixed = At(prefix).IsEmpty;
        space = unprefixed && !isElement ? XmlNamespace.None : InForce(prefix);
        if (!unprefixed && space is XmlNamespace.None)
        {
            Refuse("XML", "a prefix that is not declared (xml: attributes are refused)");
        }

        return Fault is null;
    }

    private void SortAttributes()
    {
        var attributes = _attributes.AsSpan(0, _attributeCount);
        for (var index = 0; index < attributes.Length; index++)
        {
            if (!TryResolve(attributes[index].Prefix, isElement: false, out attributes[index].Namespace))
            {
                return;
            }

            var moving = attributes[index];
            var place = index;
            while (place > 0 && Compare(attributes[place - 1], moving) > 0)
            {
                attributes[place] = attributes[place - 1];
                place--;
            }

            attributes[place] = moving;
            if (place > 0 && Compare(attributes[place - 1], moving) == 0)
            {
                Refuse("XML", "a duplicate attribute");
            }
        }
    }

    private readonly int Compare(in XmlAttribute left, in XmlAttribute right) =>
        left.Namespace != right.Namespace ? (int)left.Namespace - (int)right.Namespace : At(left.Local).SequenceCompareTo(At(right.Local));

    private bool TryReadName(out Range name, out Range prefix, out Range local)
    {
        var rest = _source[_offset..];
        var end = rest.IndexOfAnyExcept(s_nameOctets);
        var length = end < 0 ? rest.Length : end;
        var colon = rest[..length].IndexOf((byte)':');
        (name, prefix) = (_offset..(_offset + length), _offset..(_offset + Math.Max(colon, 0)));
        local = (_offset + colon + 1)..(_offset + length);
        var sound = end >= 0 && IsName(At(local)) && (colon < 0 || IsName(At(prefix)));
        if (!sound)
        {
            Refuse("XML", "a name of ASCII letters, digits, '_', '.' and '-', with at most one colon, is expected");
        }

        _offset += length;
        return sound;
    }

    private static bool IsName(ReadOnlySpan<byte> name) =>
        name is [(>= (byte)'A' and <= (byte)'Z') or (>= (byte)'a' and <= (byte)'z') or (byte)'_', ..] && !name.Contains((byte)':');

    private bool TryReadValue(out Range value, out byte[]? normalized)
    {
        (value, normalized) = (default, null);
        if (_source[_offset..] is not [(byte)'=', ((byte)'"' or (byte)'\'') and var quote, .. var rest])
        {
            Refuse("XML", "an equals sign and a quotation mark are expected");
            return false;
        }

        var length = rest.IndexOf(quote);
        if (length is < 0 or > XmlBounds.ValueBytes || rest[..length].Contains((byte)'<'))
        {
            Refuse("XML", $"an attribute value is truncated, longer than {XmlBounds.ValueBytes} bytes or contains '<'");
            return false;
        }

        value = (_offset + 2)..(_offset + 2 + length);
        _offset += 2 + length + 1;
        var asWritten = rest[..length].IndexOfAny("&\t\n"u8) < 0;
        return asWritten || TryNormalize(rest[..length], out normalized);
    }

    // XML 1.0 §3.3.3 for attributes of type CDATA, which all are where there is no DTD.
    private bool TryNormalize(ReadOnlySpan<byte> value, out byte[]? normalized)
    {
        var written = new byte[value.Length];
        var length = 0;
        while (!value.IsEmpty)
        {
            var (octet, consumed) = value switch
            {
                [(byte)'\t' or (byte)'\n', ..] => ((byte)' ', 1),
                [(byte)'&', (byte)'a', (byte)'m', (byte)'p', (byte)';', ..] => ((byte)'&', 5),
                [(byte)'&', (byte)'l', (byte)'t', (byte)';', ..] => ((byte)'<', 4),
                [(byte)'&', (byte)'g', (byte)'t', (byte)';', ..] => ((byte)'>', 4),
                [(byte)'&', (byte)'q', (byte)'u', (byte)'o', (byte)'t', (byte)';', ..] => ((byte)'"', 6),
                [(byte)'&', (byte)'a', (byte)'p', (byte)'o', (byte)'s', (byte)';', ..] => ((byte)'\'', 6),
                [(byte)'&', ..] => ((byte)0, 0),
                _ => (value[0], 1),
            };
            if (consumed == 0)
            {
                normalized = null;
                Refuse("XML", "a reference to another entity than amp, lt, gt, quot and apos, or a character reference");
                return false;
            }

            written[length++] = octet;
            value = value[consumed..];
        }

        normalized = written[..length];
        return true;
    }
}

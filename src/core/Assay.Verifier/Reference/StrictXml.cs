using System.Buffers;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>What the reader stands on.</summary>
internal enum XmlNode : byte
{
    /// <summary>Nothing yet, or a fault.</summary>
    None,

    /// <summary>A start tag. An empty-element tag is a start followed by an end.</summary>
    Start,

    /// <summary>An end tag.</summary>
    End,

    /// <summary>Character data between two tags.</summary>
    Text,

    /// <summary>The end of the document.</summary>
    EndOfDocument,
}

/// <summary>An attribute of the current element; positions are bytes in the source.</summary>
internal struct XmlAttribute
{
    public Range Prefix;
    public Range Local;
    public Range Value;

    /// <summary>The value after XML 1.0 §3.3.3, when that is not what the source says.</summary>
    public byte[]? Normalized;

    public XmlNamespace Namespace;
}

/// <summary>A namespace declaration in force.</summary>
internal struct XmlBinding
{
    /// <summary>Empty for the default namespace.</summary>
    public Range Prefix;

    public XmlNamespace Namespace;

    /// <summary>The parent element has the same binding, so that canonical form leaves this one out.</summary>
    public bool IsSuperfluous;
}

/// <summary>
/// Reads XML 1.0 with namespaces, UTF-8 without byte order mark, in one forward pass and without a tree.
/// Much of XML is refused, because no RIM needs it and each piece has served an attack on signed XML: XML declarations, DTDs,
/// processing instructions, comments, CDATA, character references, references to any but the five predefined entities (and those
/// only in attribute values), xml: attributes, namespaces that are not a RIM's, names beyond ASCII, carriage returns, white space around
/// the equals sign and before the root.
/// The first fault sticks; every later <see cref="Read"/> yields <see cref="XmlNode.None"/>.
/// </summary>
internal ref partial struct StrictXml
{
    private static readonly SearchValues<byte> s_nameOctets = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-:"u8);
    private static readonly SearchValues<byte> s_whiteSpace = SearchValues.Create(" \t\n"u8);
    private static readonly SearchValues<byte> s_forbidden = SearchValues.Create([.. Enumerable.Range(0, 0x20).Select(octet => (byte)octet).Except("\t\n"u8.ToArray())]);

    private readonly ReadOnlySpan<byte> _source;
    private readonly XmlAttribute[] _attributes = new XmlAttribute[Limits.RimAttributes];
    private readonly XmlBinding[] _bindings = new XmlBinding[XmlBounds.Bindings];
    private readonly Frame[] _frames = new Frame[Limits.RimDepth];
    private Range _text;
    private int _offset;
    private int _elements;
    private int _bindingCount;
    private int _attributeCount;
    private bool _isEmptyElement;

    public StrictXml(ReadOnlySpan<byte> source)
    {
        _source = source;
        CheckCharacters();
    }

    public XmlNode Node { get; private set; }

    public ParseFault? Fault { get; private set; }

    /// <summary>Open elements, the current one included.</summary>
    public int Depth { get; private set; }

    public readonly XmlNamespace Namespace => Depth == 0 ? XmlNamespace.None : _frames[Depth - 1].Namespace;

    /// <summary>Prefix, colon and local name of the current element.</summary>
    public readonly ReadOnlySpan<byte> QualifiedName => Depth == 0 ? [] : _source[_frames[Depth - 1].Name];

    public readonly ReadOnlySpan<byte> LocalName => Depth == 0 ? [] : _source[_frames[Depth - 1].Local];

    /// <summary>The attributes of the current start tag in canonical order; namespace declarations are not among them.</summary>
    public readonly ReadOnlySpan<XmlAttribute> Attributes => _attributes.AsSpan(0, _attributeCount);

    /// <summary>The declarations of the current start tag.</summary>
    public readonly ReadOnlySpan<XmlBinding> Declarations => _bindings.AsSpan(_frames[Depth - 1].BindingsBefore.._bindingCount);

    /// <summary>All declarations in force; a later one hides an earlier one of the same prefix.</summary>
    public readonly ReadOnlySpan<XmlBinding> Bindings => _bindings.AsSpan(0, _bindingCount);

    public readonly ReadOnlySpan<byte> Text => _source[_text];

    public readonly bool IsWhiteSpace => !Text.ContainsAnyExcept(s_whiteSpace);

    public readonly ReadOnlySpan<byte> At(Range range) => _source[range];

    public readonly ReadOnlySpan<byte> ValueOf(in XmlAttribute attribute) => attribute.Normalized ?? _source[attribute.Value];

    public void Refuse(string field, string problem)
    {
        Fault ??= new ParseFault(field, _offset, problem);
        Node = XmlNode.None;
    }

    /// <summary>Moves to the next node.</summary>
    public XmlNode Read()
    {
        if (Fault is not null || Node is XmlNode.EndOfDocument)
        {
            return Node;
        }

        if (Node is XmlNode.Start && _isEmptyElement)
        {
            return Node = XmlNode.End;
        }

        if (Node is XmlNode.End)
        {
            Depth--;
            _bindingCount = _frames[Depth].BindingsBefore;
        }

        var closed = Depth == 0 && _elements > 0;
        Node = closed ? ReadEpilogue() : ReadNode();
        return Fault is null ? Node : XmlNode.None;
    }

    private void CheckCharacters()
    {
        if (_source.Length > Limits.RimBytes)
        {
            Refuse("XML", $"{_source.Length} bytes, and at most {Limits.RimBytes} are read");
        }
        else if (_source.StartsWith("\uFEFF"u8))
        {
            Refuse("XML", "begins with a byte order mark");
        }
        else if (_source.IndexOfAny(s_forbidden) is >= 0 and var control)
        {
            _offset = control;
            Refuse("XML", $"control character {_source[control]:X2}; line ends are line feeds alone");
        }
        else if (_source.IndexOf("\uFFFE"u8) >= 0 || _source.IndexOf("\uFFFF"u8) >= 0 || !System.Text.Unicode.Utf8.IsValid(_source))
        {
            Refuse("XML", "not UTF-8, or with a code point that XML does not allow");
        }
    }

    // White space after the root is no part of the canonical form; recorded RIMs end with none, one or two line feeds.
    private XmlNode ReadEpilogue()
    {
        var rest = _source[_offset..];
        if (rest.IndexOfAnyExcept(s_whiteSpace) is >= 0 and var other)
        {
            _offset += other;
            Refuse("XML", "content after the root element");
        }

        return Fault is null ? XmlNode.EndOfDocument : XmlNode.None;
    }

    private XmlNode ReadNode()
    {
        var rest = _source[_offset..];
        if (rest.IsEmpty)
        {
            Refuse("XML", "truncated");
            return XmlNode.None;
        }

        return rest switch
        {
            [(byte)'<', (byte)'/', ..] => ReadEndTag(),
            [(byte)'<', (byte)'!', ..] => RefuseNode("comments, CDATA sections and document types are refused"),
            [(byte)'<', (byte)'?', ..] => RefuseNode("XML declarations and processing instructions are refused"),
            [(byte)'<', ..] => ReadStartTag(),
            _ when Depth == 0 => RefuseNode("content before the root element"),
            _ => ReadText(rest),
        };
    }

    private XmlNode RefuseNode(string problem)
    {
        Refuse("XML", problem);
        return XmlNode.None;
    }

    private XmlNode ReadText(ReadOnlySpan<byte> rest)
    {
        var length = rest.IndexOf((byte)'<');
        if (length < 0)
        {
            return RefuseNode("truncated in character data");
        }

        var text = rest[..length];
        if (text.Contains((byte)'&') || text.IndexOf("]]>"u8) >= 0)
        {
            return RefuseNode("references and ]]> are refused in character data");
        }

        _text = _offset..(_offset + length);
        _offset += length;
        return XmlNode.Text;
    }

    private XmlNode ReadEndTag()
    {
        var rest = _source[(_offset + 2)..];
        var name = QualifiedName;
        if (Depth == 0 || !rest.StartsWith(name))
        {
            return RefuseNode("an end tag without its start tag");
        }

        var tail = rest[name.Length..].TrimStart(" \t\n"u8);
        if (tail is not [(byte)'>', ..])
        {
            return RefuseNode("an end tag that does not close the open element, or is truncated");
        }

        _offset = _source.Length - tail.Length + 1;
        return XmlNode.End;
    }

    private struct Frame
    {
        public Range Name;
        public Range Local;
        public XmlNamespace Namespace;
        public int BindingsBefore;
    }
}

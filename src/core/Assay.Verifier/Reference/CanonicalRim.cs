using System.Buffers;
using System.Security.Cryptography;
using Assay.Wire;

namespace Assay.Reference;

/// <summary>
/// Canonical XML 1.1 of a RIM while it is read, as the signature needs it: the document without its ds:Signature, hashed with SHA-384;
/// and ds:SignedInfo with the namespaces of its ancestors. Without xml: attributes, which the reader refuses, this equals inclusive
/// Canonical XML 1.0 (W3C REC-xml-c14n-20010315 §2.3). Comments do not occur.
/// </summary>
internal sealed class CanonicalRim : IDisposable
{
    /// <summary>Bytes kept before hashing, and the most that a canonical ds:SignedInfo may have: 1,102 in recorded RIMs.</summary>
    private const int BufferSize = 16 * 1024;

    private static readonly SearchValues<byte> s_escaped = SearchValues.Create("&<>\""u8);

    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA384);
    private readonly byte[] _buffer = ArrayPool<byte>.Shared.Rent(BufferSize);
    private int _used;
    private Part _part = Part.Document;

    private enum Part
    {
        Document,
        Signature,
        SignedInfo,
    }

    /// <summary>Canonical ds:SignedInfo; empty until it was read.</summary>
    public byte[] SignedInfo { get; private set; } = [];

    /// <summary>ds:SignedInfo was larger than any RIM's.</summary>
    public bool Overflowed { get; private set; }

    public void Dispose()
    {
        ArrayPool<byte>.Shared.Return(_buffer);
        _hash.Dispose();
    }

    /// <summary>SHA-384 of the canonical document, once it was read to its end.</summary>
    public Digest FinishDocument()
    {
        Flush();
        Span<byte> digest = stackalloc byte[SHA384.HashSizeInBytes];
        _hash.TryGetHashAndReset(digest, out _);
        return new Digest(digest);
    }

    /// <summary>Writes the node that the reader stands on.</summary>
    public void Write(scoped ref readonly StrictXml xml)
    {
        switch (xml.Node)
        {
            case XmlNode.Start:
                var isApex = EnterPart(in xml);
                WriteStart(in xml, isApex);
                break;
            case XmlNode.End:
                Put("</"u8);
                Put(xml.QualifiedName);
                Put(">"u8);
                LeavePart(in xml);
                break;
            case XmlNode.Text:
                PutEscaped(xml.Text, inAttribute: false);
                break;
            default:
                break;
        }
    }

    // The schema allows ds:Signature only as the root's last child and ds:SignedInfo only as its first: elsewhere the parse fails.
    private bool EnterPart(scoped ref readonly StrictXml xml)
    {
        if (xml.Namespace is not XmlNamespace.XmlDsig)
        {
            return false;
        }

        if (_part is Part.Document && xml.LocalName.SequenceEqual("Signature"u8))
        {
            Flush();
            _part = Part.Signature;
        }

        var isApex = _part is Part.Signature && xml.LocalName.SequenceEqual("SignedInfo"u8);
        _part = isApex ? Part.SignedInfo : _part;
        return isApex;
    }

    private void LeavePart(scoped ref readonly StrictXml xml)
    {
        if (xml.Namespace is not XmlNamespace.XmlDsig)
        {
            return;
        }

        if (_part is Part.SignedInfo && xml.LocalName.SequenceEqual("SignedInfo"u8))
        {
            SignedInfo = _buffer.AsSpan(0, _used).ToArray();
            _used = 0;
            _part = Part.Signature;
        }
        else if (_part is Part.Signature && xml.LocalName.SequenceEqual("Signature"u8))
        {
            _part = Part.Document;
        }
    }

    private void WriteStart(scoped ref readonly StrictXml xml, bool isApex)
    {
        if (_part is Part.Signature)
        {
            return;
        }

        Put("<"u8);
        Put(xml.QualifiedName);
        WriteNamespaces(in xml, isApex);
        foreach (ref readonly var attribute in xml.Attributes)
        {
            Put(" "u8);
            if (!xml.At(attribute.Prefix).IsEmpty)
            {
                Put(xml.At(attribute.Prefix));
                Put(":"u8);
            }

            Put(xml.At(attribute.Local));
            Put("=\""u8);
            PutEscaped(xml.ValueOf(in attribute), inAttribute: true);
            Put("\""u8);
        }

        Put(">"u8);
    }

    // The apex shows all that is in force; any other element what it changes.
    private void WriteNamespaces(scoped ref readonly StrictXml xml, bool isApex)
    {
        var bindings = isApex ? xml.Bindings : xml.Declarations;
        Span<int> order = stackalloc int[XmlBounds.Bindings];
        var count = 0;
        for (var index = 0; index < bindings.Length; index++)
        {
            var prefix = xml.At(bindings[index].Prefix);
            var shown = isApex ? !IsHidden(in xml, bindings[(index + 1)..], prefix) : !bindings[index].IsSuperfluous;
            var place = shown ? count++ : -1;
            while (place > 0 && xml.At(bindings[order[place - 1]].Prefix).SequenceCompareTo(prefix) > 0)
            {
                order[place] = order[place - 1];
                place--;
            }

            if (shown)
            {
                order[place] = index;
            }
        }

        foreach (var index in order[..count])
        {
            var prefix = xml.At(bindings[index].Prefix);
            Put(prefix.IsEmpty ? " xmlns"u8 : " xmlns:"u8);
            Put(prefix);
            Put("=\""u8);
            Put(XmlNamespaces.NameOf(bindings[index].Namespace));
            Put("\""u8);
        }
    }

    private static bool IsHidden(scoped ref readonly StrictXml xml, ReadOnlySpan<XmlBinding> later, ReadOnlySpan<byte> prefix)
    {
        foreach (ref readonly var binding in later)
        {
            if (xml.At(binding.Prefix).SequenceEqual(prefix))
            {
                return true;
            }
        }

        return false;
    }

    // §2.3: tab, line feed and carriage return in values become references; the reader leaves none of them there.
    private void PutEscaped(ReadOnlySpan<byte> text, bool inAttribute)
    {
        while (text.IndexOfAny(s_escaped) is >= 0 and var next)
        {
            Put(text[..next]);
            Put(text[next] switch
            {
                (byte)'&' => "&amp;"u8,
                (byte)'<' => "&lt;"u8,
                (byte)'>' => inAttribute ? ">"u8 : "&gt;"u8,
                _ => inAttribute ? "&quot;"u8 : "\""u8,
            });
            text = text[(next + 1)..];
        }

        Put(text);
    }

    private void Put(ReadOnlySpan<byte> octets)
    {
        if (_part is Part.Signature || Overflowed)
        {
            return;
        }

        if (octets.Length > _buffer.Length - _used)
        {
            Overflowed = _part is Part.SignedInfo;
            if (Overflowed)
            {
                return;
            }

            Flush();
        }

        if (octets.Length > _buffer.Length)
        {
            _hash.AppendData(octets);
            return;
        }

        octets.CopyTo(_buffer.AsSpan(_used));
        _used += octets.Length;
    }

    private void Flush()
    {
        _hash.AppendData(_buffer, 0, _used);
        _used = 0;
    }
}

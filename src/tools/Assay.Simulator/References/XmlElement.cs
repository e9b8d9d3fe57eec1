using System.Collections.Immutable;
using System.Text;

namespace Assay.Simulator;

/// <summary>
/// Just enough XML to write a RIM twice: as NVIDIA's files are written, and in the canonical form that is signed
/// (Canonical XML 1.1, inclusive, without comments; no xml:* attributes, no processing instructions, no DTD).
/// A namespace may not be declared again below its declaration: then every declaration is also rendered in the canonical form.
/// </summary>
internal sealed record XmlElement(string Name)
{
    /// <summary>Prefix (empty: default) and URI, in document order.</summary>
    public ImmutableArray<(string Prefix, string Uri)> Namespaces { get; init; } = [];

    /// <summary>Prefixed name, value, and the URI of the prefix (empty: none), in document order.</summary>
    public ImmutableArray<(string Name, string Value, string Uri)> Attributes { get; init; } = [];

    /// <summary>Elements and text (<see cref="string"/>), in document order.</summary>
    public ImmutableArray<object> Content { get; init; } = [];

    /// <summary>Attributes in the order given, empty elements closed in one tag.</summary>
    public string ToDocument() => Write(new StringBuilder(), this, canonical: false, Namespaces).ToString();

    /// <summary>The element as the apex of a canonical document, with the namespaces in scope around it.</summary>
    public byte[] ToCanonical(params ReadOnlySpan<(string Prefix, string Uri)> inScope) =>
        Encoding.UTF8.GetBytes(Write(new StringBuilder(), this, canonical: true, [.. Namespaces, .. inScope]).ToString());

    private static StringBuilder Write(
        StringBuilder text, XmlElement element, bool canonical, ImmutableArray<(string Prefix, string Uri)> namespaces)
    {
        text.Append('<').Append(element.Name);
        foreach (var (prefix, uri) in canonical ? namespaces.Sort(ByPrefix) : namespaces)
        {
            Append(text, prefix.Length == 0 ? "xmlns" : $"xmlns:{prefix}", uri);
        }

        foreach (var (name, value, _) in canonical ? element.Attributes.Sort(ByUriThenLocalName) : element.Attributes)
        {
            Append(text, name, value);
        }

        if (element.Content.IsEmpty && !canonical)
        {
            return text.Append("/>");
        }

        text.Append('>');
        foreach (var item in element.Content)
        {
            _ = item is XmlElement child ? Write(text, child, canonical, child.Namespaces) : text.Append(EscapeText((string)item));
        }

        return text.Append("</").Append(element.Name).Append('>');
    }

    private static void Append(StringBuilder text, string name, string value) =>
        text.Append(' ').Append(name).Append("=\"").Append(EscapeText(value).Replace("\"", "&quot;", StringComparison.Ordinal)).Append('"');

    private static string EscapeText(string value) => value
        .Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal);

    private static int ByPrefix((string Prefix, string Uri) left, (string Prefix, string Uri) right) =>
        string.CompareOrdinal(left.Prefix, right.Prefix);

    private static int ByUriThenLocalName((string Name, string Value, string Uri) left, (string Name, string Value, string Uri) right)
    {
        var byUri = string.CompareOrdinal(left.Uri, right.Uri);
        return byUri != 0 ? byUri : string.CompareOrdinal(LocalName(left.Name), LocalName(right.Name));
    }

    private static string LocalName(string name) => name[(name.IndexOf(':', StringComparison.Ordinal) + 1)..];
}

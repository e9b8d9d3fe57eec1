using System.Collections.Immutable;
using System.Globalization;
using Assay.Wire;

namespace Assay.Inspection;

/// <summary>How a node stands in text and in JSON.</summary>
public enum NodeForm
{
    /// <summary>A value: a JSON string.</summary>
    Text,

    /// <summary>A value: a JSON number.</summary>
    Number,

    /// <summary>A value: a JSON boolean, yes or no for people.</summary>
    Flag,

    /// <summary>Named members: a JSON object.</summary>
    Group,

    /// <summary>Members without a name of their own: a JSON array, one block each for people.</summary>
    List,

    /// <summary>Groups of the same members: a JSON array of objects, one line each for people.</summary>
    Table,
}

/// <summary>A field of a file with its value, or with the fields it consists of.</summary>
/// <param name="Name">The JSON key, words joined by underscores; people see spaces. Heading only, inside a list.</param>
/// <param name="Value">As it stands, in full; null when there are children instead.</param>
/// <param name="Children">Members or elements.</param>
public sealed record InspectionNode(string Name, string? Value, ImmutableArray<InspectionNode> Children)
{
    // Bytes beyond this are cut for people: enough to compare two digests with the eye.
    private const int ShownBytes = 16;
    private const int ShownWholeBytes = 20;

    /// <summary>How it stands in text and in JSON.</summary>
    public NodeForm Form { get; private init; }

    /// <summary>What people see in place of the value or, of a list, in place of its elements.</summary>
    public string? Shown { get; init; }

    /// <summary>Left out for people: it would repeat another field, or there is too much of it.</summary>
    public bool JsonOnly { get; init; }

    internal static InspectionNode Text(string name, string value, string? shown = null) => new(name, value, []) { Shown = shown };

    internal static InspectionNode Number(string name, long value) =>
        new(name, value.ToString(CultureInfo.InvariantCulture), []) { Form = NodeForm.Number };

    internal static InspectionNode Flag(string name, bool value) =>
        new(name, value ? "true" : "false", []) { Form = NodeForm.Flag, Shown = value ? "yes" : "no" };

    internal static InspectionNode Time(string name, DateTimeOffset value) =>
        Text(name, Utc.Text(value));

    /// <summary>Bytes in lower-case hexadecimal, cut for people unless <paramref name="whole"/>.</summary>
    internal static InspectionNode Hex(string name, ReadOnlySpan<byte> value, bool whole = false) =>
        Text(name, Convert.ToHexStringLower(value), whole ? null : Abbreviate(value));

    internal static InspectionNode Group(string name, params IEnumerable<InspectionNode?> children) =>
        new(name, null, [.. children.OfType<InspectionNode>()]) { Form = NodeForm.Group };

    internal static InspectionNode List(string name, params IEnumerable<InspectionNode> elements) => new(name, null, [.. elements]) { Form = NodeForm.List };

    internal static InspectionNode Table(string name, params IEnumerable<InspectionNode> rows) => new(name, null, [.. rows]) { Form = NodeForm.Table };

    internal static string Abbreviate(ReadOnlySpan<byte> bytes) => bytes.Length switch
    {
        0 => "(empty)",
        <= ShownWholeBytes => Convert.ToHexStringLower(bytes),
        _ => $"{Convert.ToHexStringLower(bytes[..ShownBytes])}… ({bytes.Length} bytes)",
    };
}

using System.Collections.Immutable;
using System.Text.Json;

namespace Assay.Guest.Configuration;

/// <summary>
/// Members of one JSON object, each read by name, type and limit. The first fault sticks, and a member that nobody read is one: a
/// misspelled expectation must not be one that was never stated.
/// </summary>
internal sealed class StrictNode
{
    private const int Depth = 16;

    private static readonly JsonDocumentOptions s_options = new() { MaxDepth = Depth, AllowDuplicateProperties = false };

    private readonly JsonElement _element;
    private readonly string _path;
    private readonly Shared _shared;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly List<StrictNode> _children = [];

    private StrictNode(JsonElement element, string path, Shared shared)
    {
        (_element, _path, _shared) = (element, path, shared);
        Require(element.ValueKind is JsonValueKind.Object, "", "an object is expected");
    }

    /// <summary>Reads a document; the caller closes the node.</summary>
    public static StrictNode Parse(ReadOnlyMemory<byte> json)
    {
        var shared = new Shared();
        try
        {
            using var document = JsonDocument.Parse(json, s_options);
            return new StrictNode(document.RootElement.Clone(), "", shared);
        }
        catch (JsonException exception)
        {
            shared.Fault = $"malformed, or a member twice, at line {(exception.LineNumber ?? 0) + 1}";
            return new StrictNode(default, "", shared);
        }
    }

    /// <summary>The first fault, or a member that nobody asked for; null where all is well.</summary>
    public string? Close()
    {
        if (_shared.Fault is null && _element.ValueKind is JsonValueKind.Object && _element.EnumerateObject().FirstOrDefault(member => !_asked.Contains(member.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } unknown)
        {
            Refuse(unknown.Name, "unknown member");
        }

        foreach (var child in _children)
        {
            child.Close();
        }

        return _shared.Fault;
    }

    public bool Has(string name) => Member(name).ValueKind is not (JsonValueKind.Undefined or JsonValueKind.Null);

    public StrictNode Object(string name)
    {
        var child = new StrictNode(Member(name), $"{_path}{name}.", _shared);
        _children.Add(child);
        return child;
    }

    public StrictNode? ObjectOrNull(string name) => Has(name) ? Object(name) : null;

    public string Text(string name, int longest = 256)
    {
        var member = Member(name);
        var text = member.ValueKind is JsonValueKind.String ? member.GetString()! : "";
        Require(text.Length > 0 && text.Length <= longest && !text.AsSpan().ContainsAnyExceptInRange(' ', '~'), name, $"a text of 1 to {longest} printable characters is expected");
        return text;
    }

    public string? TextOrNull(string name) => Has(name) ? Text(name) : null;

    public string Word(string name, params ReadOnlySpan<string> words)
    {
        var text = Text(name);
        Require(words.Contains(text), name, $"{string.Join(" or ", words.ToArray().Select(word => $"\"{word}\""))} is expected");
        return text;
    }

    public long Number(string name, long least, long most)
    {
        var member = Member(name);
        var value = least;
        Require(member.ValueKind is JsonValueKind.Number && member.TryGetInt64(out value) && value >= least && value <= most, name, $"a whole number from {least} to {most} is expected");
        return value;
    }

    public long NumberOr(string name, long least, long most, long otherwise) => Has(name) ? Number(name, least, most) : otherwise;

    public bool Flag(string name)
    {
        var member = Member(name);
        Require(member.ValueKind is JsonValueKind.True or JsonValueKind.False or JsonValueKind.Undefined, name, "true or false is expected");
        return member.ValueKind is JsonValueKind.True;
    }

    /// <summary>An object as it was received, byte for byte; null where there is none.</summary>
    public byte[]? Raw(string name, int longest)
    {
        var member = Member(name);
        var bytes = member.ValueKind is JsonValueKind.Object ? System.Text.Encoding.UTF8.GetBytes(member.GetRawText()) : null;
        Require(bytes is null ? !Has(name) : bytes.Length <= longest, name, $"an object of at most {longest} bytes is expected");
        return bytes;
    }

    public byte[] Hex(string name, int size)
    {
        var text = Text(name, 2 * size);
        var bytes = new byte[size];
        Require(text.Length == 2 * size && !text.AsSpan().ContainsAnyInRange('A', 'F') && Convert.FromHexString(text, bytes, out _, out _) is System.Buffers.OperationStatus.Done, name, $"{2 * size} lower-case hexadecimal digits are expected");
        return bytes;
    }

    public ImmutableArray<string> Texts(string name, int most)
    {
        var member = Member(name);
        var sound = member.ValueKind is JsonValueKind.Array && member.GetArrayLength() is var count && count > 0 && count <= most && member.EnumerateArray().All(item => item.ValueKind is JsonValueKind.String && item.GetString()!.Length is > 0 and <= 64);
        Require(sound, name, $"an array of 1 to {most} short texts is expected");
        return sound ? [.. member.EnumerateArray().Select(item => item.GetString()!)] : [];
    }

    public ImmutableArray<uint> Numbers(string name, int most)
    {
        var member = Member(name);
        var sound = member.ValueKind is JsonValueKind.Array && member.GetArrayLength() <= most && member.EnumerateArray().All(item => item.ValueKind is JsonValueKind.Number && item.TryGetUInt32(out _));
        Require(sound, name, $"an array of at most {most} numbers is expected");
        return sound ? [.. member.EnumerateArray().Select(item => item.GetUInt32())] : [];
    }

    public void Require(bool holds, string name, string problem)
    {
        if (!holds)
        {
            Refuse(name, problem);
        }
    }

    private JsonElement Member(string name)
    {
        _asked.Add(name);
        return _element.ValueKind is JsonValueKind.Object && _element.TryGetProperty(name, out var value) ? value : default;
    }

    private void Refuse(string name, string problem) => _shared.Fault ??= $"{(_path + name).TrimEnd('.')}: {problem}".TrimStart(':', ' ');

    private sealed class Shared
    {
        public string? Fault { get; set; }
    }
}

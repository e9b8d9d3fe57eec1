using System.Collections.Immutable;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Assay.Wire;

/// <summary>Writes one object in canonical form; members are given in their order, which is checked.</summary>
internal sealed class CanonicalObject
{
    private readonly StringBuilder _text = new("{");
    private string? _last;

    public CanonicalObject Text(string name, string value)
    {
        Name(name);
        CanonicalJson.WriteString(value, _text);
        return this;
    }

    public CanonicalObject Number(string name, long value)
    {
        Name(name);
        _text.Append(value.ToString(CultureInfo.InvariantCulture));
        return this;
    }

    /// <summary>A value that is in canonical form already.</summary>
    public CanonicalObject Raw(string name, string json)
    {
        Name(name);
        _text.Append(json);
        return this;
    }

    public CanonicalObject List(string name, IEnumerable<string> items) => Raw(name, $"[{string.Join(',', items)}]");

    public override string ToString() => _text + "}";

    public byte[] ToBytes() => Encoding.UTF8.GetBytes(ToString());

    /// <summary>SHA-384 of <see cref="ToBytes"/>, piece by piece: the evidence of a whole machine would be three large objects.</summary>
    public byte[] Sha384()
    {
        _text.Append('}');
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA384);
        var encoder = Encoding.UTF8.GetEncoder();
        Span<byte> bytes = stackalloc byte[3 * 1024];
        foreach (var chunk in _text.GetChunks())
        {
            for (var rest = chunk.Span; !rest.IsEmpty;)
            {
                encoder.Convert(rest, bytes, flush: false, out var read, out var written, out _);
                hash.AppendData(bytes[..written]);
                rest = rest[read..];
            }
        }

        encoder.Convert([], bytes, flush: true, out _, out var last, out _);
        hash.AppendData(bytes[..last]);
        _text.Length--;
        return hash.GetHashAndReset();
    }

    public static string Quoted(string value)
    {
        var text = new StringBuilder();
        CanonicalJson.WriteString(value, text);
        return text.ToString();
    }

    private void Name(string name)
    {
        if (_last is not null && string.CompareOrdinal(_last, name) >= 0)
        {
            throw new ArgumentException($"{name} does not follow {_last}", nameof(name));
        }

        _text.Append(_last is null ? "" : ",");
        _last = name;
        CanonicalJson.WriteString(name, _text);
        _text.Append(':');
    }
}

/// <summary>Reads one canonical object; a member that nobody asked for is a fault at the end.</summary>
internal sealed class CanonicalMembers : IDisposable
{
    private readonly JsonDocument? _document;
    private readonly JsonElement _root;
    private readonly string _path;
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private ParseFault? _fault;

    private CanonicalMembers(JsonDocument? document, JsonElement root, string path)
    {
        (_document, _root, _path) = (document, root, path);
        if (root.ValueKind is not JsonValueKind.Object)
        {
            Refuse("", "an object is expected");
        }
    }

    public static CanonicalMembers? Read(ReadOnlySpan<byte> payload, string path, ref ParseFault? fault)
    {
        if (payload.Length > Limits.EventPayloadBytes)
        {
            fault = new ParseFault(path, 0, $"larger than {Limits.EventPayloadBytes} bytes");
            return null;
        }

        if (!CanonicalJson.TryRead(payload, out var document, out var problem))
        {
            fault = problem.Within(path, 0);
            return null;
        }

        return new CanonicalMembers(document, document.RootElement, path);
    }

    public string Word(string name, ImmutableArray<string> words)
    {
        var text = Text(name, Limits.EventNameCharacters);
        if (!words.Contains(text))
        {
            Refuse(name, $"{string.Join(" or ", words.Select(word => $"\"{word}\""))} is expected");
        }

        return text;
    }

    public string Text(string name, int longest)
    {
        var text = Member(name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : null;
        if (text is null or "" || text.Length > longest)
        {
            Refuse(name, $"a string of 1 to {longest} characters is expected");
        }

        return text ?? "";
    }

    public Digest Digest(string name)
    {
        const int sha384 = 48;
        return new Digest(Bytes(name, sha384));
    }

    public byte[] Bytes(string name, int size)
    {
        var text = Member(name) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";
        if (text.Length == 2 * size && !text.AsSpan().ContainsAnyInRange('A', 'F') && Hex.TryDecode(text, out var bytes))
        {
            return bytes;
        }

        Refuse(name, $"lower-case hexadecimal of {size} bytes is expected");
        return [];
    }

    public long Number(string name, long largest)
    {
        if (Member(name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt64(out var number) && number >= 0 && number <= largest)
        {
            return number;
        }

        Refuse(name, $"a whole number from 0 to {largest} is expected");
        return 0;
    }

    public void Version(int expected)
    {
        if (Number("version", int.MaxValue) != expected)
        {
            Refuse("version", $"{expected} is expected");
        }
    }

    public bool IsNull(string name) => Member(name) is { ValueKind: JsonValueKind.Null };

    public CanonicalMembers Object(string name) => new(null, Member(name), $"{_path}.{name}");

    public ImmutableArray<CanonicalMembers> List(string name, int longest)
    {
        if (Member(name) is not { ValueKind: JsonValueKind.Array } value || value.GetArrayLength() > longest)
        {
            Refuse(name, $"an array of at most {longest} items is expected");
            return [];
        }

        return [.. value.EnumerateArray().Select((item, index) => new CanonicalMembers(null, item, $"{_path}.{name}[{index}]"))];
    }

    public void Require(bool holds, string name, string problem)
    {
        if (!holds)
        {
            Refuse(name, problem);
        }
    }

    /// <summary>Takes over the fault of an object inside this one.</summary>
    public void Adopt(CanonicalMembers inner) => _fault ??= inner.Close();

    /// <summary>The first fault, or that of a member which is not known; null when every member was read.</summary>
    public ParseFault? Close()
    {
        if (_fault is null && _root.ValueKind is JsonValueKind.Object && _root.EnumerateObject().FirstOrDefault(member => !_asked.Contains(member.Name)) is { Value.ValueKind: not JsonValueKind.Undefined } unknown)
        {
            Refuse(unknown.Name, "unknown member");
        }

        return _fault;
    }

    public void Dispose() => _document?.Dispose();

    private JsonElement Member(string name)
    {
        _asked.Add(name);
        return _root.ValueKind is JsonValueKind.Object && _root.TryGetProperty(name, out var value) ? value : default;
    }

    private void Refuse(string name, string problem) => _fault ??= new ParseFault(name.Length == 0 ? _path : $"{_path}.{name}", 0, problem);
}

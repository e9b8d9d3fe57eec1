using System.Collections.Immutable;
using System.Text.Json;

namespace Assay.Wire;

/// <summary>
/// Reads the members of strict JSON by name and type. The first fault sticks: every later read yields nothing, so that a reader looks like
/// the table in its specification.
/// </summary>
internal sealed class JsonFields
{
    public ParseFault? Fault { get; private set; }

    public void Require(bool holds, string field, string problem)
    {
        if (!holds)
        {
            Fault ??= new ParseFault(field, 0, problem);
        }
    }

    /// <summary>A member that must be an object.</summary>
    public JsonElement Object(JsonElement parent, string name) => Member(parent, name, JsonValueKind.Object, "an object");

    /// <summary>The elements of a member that must be an array.</summary>
    public ImmutableArray<JsonElement> Array(JsonElement parent, string name, int most)
    {
        var array = Member(parent, name, JsonValueKind.Array, "an array");
        var count = array.ValueKind is JsonValueKind.Array ? array.GetArrayLength() : 0;
        Require(count <= most, name, $"more than {most} elements");
        return Fault is null ? [.. array.EnumerateArray()] : [];
    }

    /// <summary>A short text of printable ASCII.</summary>
    public string Name(JsonElement parent, string name) => NameOf(Member(parent, name, JsonValueKind.String, "a string"), name);

    /// <summary>The same of an element of an array.</summary>
    public string NameOf(JsonElement element, string field)
    {
        Require(element.ValueKind is JsonValueKind.String, field, "a string is expected");
        var text = Fault is null ? element.GetString()! : "";
        Require(text.Length <= Limits.ShortNameCharacters && !text.AsSpan().ContainsAnyExceptInRange(' ', '~'), field, $"at most {Limits.ShortNameCharacters} printable ASCII characters are expected");
        return Fault is null ? text : "";
    }

    /// <summary>A text of any length, as the member's string says it.</summary>
    public string Text(JsonElement parent, string name)
    {
        var member = Member(parent, name, JsonValueKind.String, "a string");
        return Fault is null ? member.GetString()! : "";
    }

    /// <summary>A number from 0 to <paramref name="most"/>, without fraction.</summary>
    public int Number(JsonElement parent, string name, int most = int.MaxValue)
    {
        var member = Member(parent, name, JsonValueKind.Number, "a number");
        var value = 0;
        Require(Fault is not null || (member.TryGetInt32(out value) && value >= 0 && value <= most), name, $"a whole number from 0 to {most} is expected");
        return Fault is null ? value : 0;
    }

    /// <summary>A number between two bounds, without fraction, beyond 32 bits.</summary>
    public long LongNumber(JsonElement parent, string name, long least, long most)
    {
        var member = Member(parent, name, JsonValueKind.Number, "a number");
        var value = 0L;
        Require(Fault is not null || (member.TryGetInt64(out value) && value >= least && value <= most), name, $"a whole number from {least} to {most} is expected");
        return Fault is null ? value : 0;
    }

    /// <summary>Hexadecimal of exactly <paramref name="size"/> bytes, in either case.</summary>
    public byte[] Hex(JsonElement parent, string name, int size)
    {
        var bytes = Wire.Hex.TryDecode(Text(parent, name), out var decoded) ? decoded : [];
        Require(bytes.Length == size, name, $"{2 * size} hexadecimal digits are expected");
        return Fault is null ? bytes : new byte[size];
    }

    /// <summary>ISO 8601 in whole seconds, UTC, suffix Z.</summary>
    public DateTimeOffset Time(JsonElement parent, string name)
    {
        var sound = Utc.TryParse(Text(parent, name), out var time);
        Require(sound, name, "a time like 2025-07-01T00:00:00Z is expected");
        return time;
    }

    /// <summary>Whether the member is there.</summary>
    public bool Has(JsonElement parent, string name) => Fault is null && parent.ValueKind is JsonValueKind.Object && parent.TryGetProperty(name, out _);

    private JsonElement Member(JsonElement parent, string name, JsonValueKind kind, string what)
    {
        var member = default(JsonElement);
        var found = Fault is null && parent.ValueKind is JsonValueKind.Object && parent.TryGetProperty(name, out member);
        Require(found && member.ValueKind == kind, name, found ? $"{what} is expected" : "missing");
        return Fault is null ? member : default;
    }
}

using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Assay.Service.Audit;

/// <summary>
/// Something that somebody may have to answer for. It holds names, numbers, ids and digests by an allow-list: never evidence, keys, tokens, or the names
/// of a tenant's models.
/// </summary>
/// <param name="Kind">What was done, <c>noun.verb</c>: docs/reference/service.md lists them.</param>
/// <param name="Tenant">For whom; empty for the service itself.</param>
/// <param name="Actor">Who did it: the id of a key, the subject of a login, or <c>service</c>.</param>
/// <param name="Outcome">What came of it.</param>
public sealed record AuditEvent(string Kind, string Tenant, string Actor, AuditOutcome Outcome)
{
    private const int LongestText = 512;
    private readonly SortedDictionary<string, object> _members = new(StringComparer.Ordinal);

    /// <summary>A further member, text.</summary>
    public AuditEvent With(string name, string? value)
    {
        if (value is not null)
        {
            _members[name] = value.Length <= LongestText ? value : value[..LongestText];
        }

        return this;
    }

    /// <summary>A further member, a number.</summary>
    public AuditEvent With(string name, long? value)
    {
        if (value is { } number)
        {
            _members[name] = number;
        }

        return this;
    }

    /// <summary>A further member, several texts.</summary>
    public AuditEvent With(string name, IEnumerable<string> values)
    {
        _members[name] = values.ToArray();
        return this;
    }

    /// <summary>A member that is text; null if it has none of this name.</summary>
    public string? Text(string name) => _members.GetValueOrDefault(name) as string;

    /// <summary>One object, its members sorted.</summary>
    internal string ToJson()
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.Default }))
        {
            writer.WriteStartObject();
            foreach (var (name, value) in _members.Append(new("actor", Actor)).Append(new("outcome", Outcome.ToString().ToLowerInvariant())).OrderBy(member => member.Key, StringComparer.Ordinal))
            {
                writer.WritePropertyName(name);
                JsonSerializer.Serialize(writer, value, value.GetType());
            }

            writer.WriteEndObject();
        }

        return System.Text.Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}

/// <summary>What came of an action.</summary>
public enum AuditOutcome
{
    /// <summary>It was tried, and an outage ended it.</summary>
    Failed,

    /// <summary>It was refused.</summary>
    Denied,

    /// <summary>It was done.</summary>
    Allowed,
}

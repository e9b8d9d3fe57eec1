using System.Text.Json;
using Assay.Log;

namespace Assay.Cli.Audit;

/// <summary>An entry of a transparency log that was verified under a signed checkpoint.</summary>
/// <param name="Position">Where it is.</param>
/// <param name="Head">The checkpoint.</param>
/// <param name="Root">What it says.</param>
/// <param name="Witnessed">The witness that cosigned the checkpoint; null: none was asked for.</param>
internal sealed record LogEntry(long Position, Checkpoint Head, JsonElement Root, Witnessed? Witnessed = null)
{
    public string Tenant => Root.GetProperty("tenant").GetString() ?? "";

    public string Kind => Root.GetProperty("kind").GetString() ?? "";

    public DateTimeOffset At => DateTimeOffset.FromUnixTimeMilliseconds(Root.GetProperty("at").GetInt64());

    /// <summary>The tenant's entry before; null: it is the first.</summary>
    public long? Previous => Root.GetProperty("previous") is { ValueKind: JsonValueKind.Number } number ? number.GetInt64() : null;

    public JsonElement Event => Root.GetProperty("event");

    /// <summary>A member of the event as text; empty where it has none.</summary>
    public string Text(string name) => Event.TryGetProperty(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value.ToString() : "";

    /// <summary>The texts of an array of the event.</summary>
    public IEnumerable<string> Texts(string name) => Event.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.Array ? value.EnumerateArray().Select(item => item.GetString() ?? "") : [];
}

/// <summary>That a witness saw a checkpoint, and none that contradicts it.</summary>
/// <param name="Name">The witness's.</param>
/// <param name="Size">How many entries the checkpoint has.</param>
/// <param name="At">When, by the witness's clock.</param>
internal sealed record Witnessed(string Name, long Size, DateTimeOffset At);

/// <summary>What a log's own signed words show that it must not.</summary>
internal sealed class LogFaultException(string message) : Exception(message);

/// <summary>What was given to verify a log by is of another log, or of none: nothing was verified.</summary>
internal sealed class LogInputException(string id, string message) : Exception(message)
{
    /// <summary>Of the error.</summary>
    public string Id => id;
}

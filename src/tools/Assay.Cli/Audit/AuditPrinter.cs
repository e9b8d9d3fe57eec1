using System.Globalization;
using System.Text.Json;
using Assay.Wire;

namespace Assay.Cli.Audit;

/// <summary>Entries of a log, as people read them and as programs do.</summary>
internal static class AuditPrinter
{
    /// <summary>What a log promises that a witness has cosigned (S-25).</summary>
    public const string WitnessedPromise = "This shows that the entry was in the log at that checkpoint, and that the witness cosigned no checkpoint that contradicts it. It is worth as much as the witness's independence of the operator.";

    /// <summary>What a verified log promises without a witness, and what not (S-25).</summary>
    public const string Promise = "Consistent, not witnessed: this shows that the entry was in the log at that checkpoint. It does not show that everyone is shown the same log: have a witness cosign it (--witness), or compare checkpoints with another party (assay audit monitor).";

    private const int ShownDigest = 12;

    /// <summary>One line: position, time, what happened, to which key and what it came to, by whom, and why not.</summary>
    public static void Print(LogEntry entry, bool json)
    {
        if (json)
        {
            PrintJson(entry);
            return;
        }

        var outcome = entry.Text("outcome");
        var key = entry.Text("key");
        string[] said =
        [
            key.Length == 0 && entry.Text("freeze").Length > 0 ? "every key" : key, Said(entry, "of", ""), Said(entry, "version"), Said(entry, "state"), DestroyedAt(entry),
            Policy(entry), Said(entry, "binding"), Said(entry, "freeze"), Said(entry, "approval", "act "), Short(entry.Text("act"), "its digest "), Short(entry.Text("digest"), ""),
            Said(entry, "why", "why: "), Said(entry, "proposedBy", "proposed by "), Said(entry, "actor", "by "), entry.Text("reason"),
        ];
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"{entry.Position,8}  {Instant.Text(entry.At)}  {entry.Tenant}  {entry.Kind,-16} {outcome,-8} {Printable.Of(string.Join("  ", said.Where(text => text.Length > 0)))}"));
    }

    private static string Said(LogEntry entry, string name, string? label = null) => entry.Text(name) is { Length: > 0 } text ? $"{label ?? $"{name} "}{text}" : "";

    // assay audit prove POSITION has the whole digest.
    private static string Short(string digest, string label) => digest.Length > ShownDigest ? $"{label}{digest[..ShownDigest]}…" : "";

    private static string Policy(LogEntry entry)
    {
        var version = entry.Text("policyVersion") is { Length: > 0 } number and not "0" ? $" {number}" : "";
        var digest = Short(entry.Text("policyDigest"), " ");
        return version.Length + digest.Length > 0 ? $"policy{version}{digest}" : "";
    }

    private static string DestroyedAt(LogEntry entry) =>
        long.TryParse(entry.Text("destroyAt"), NumberStyles.None, CultureInfo.InvariantCulture, out var at) ? $"its secrets are deleted at {Instant.Text(DateTimeOffset.FromUnixTimeMilliseconds(at))}" : "";

    /// <summary>Every member of an entry.</summary>
    public static void PrintWhole(LogEntry entry)
    {
        Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"entry {entry.Position} of {entry.Head.Origin}, in the log under the signed checkpoint of {entry.Head.Size} entries"));
        if (entry.Witnessed is { } witnessed)
        {
            Row("witness", $"{witnessed.Name}, at {Instant.Text(witnessed.At)}");
        }

        Row("at", Instant.Text(entry.At));
        Row("tenant", entry.Tenant);
        Row("kind", entry.Kind);
        foreach (var member in entry.Event.EnumerateObject().Where(member => member.Value.ValueKind is not JsonValueKind.Null))
        {
            Row(member.Name, member.Value.ValueKind is JsonValueKind.Array ? string.Join(", ", member.Value.EnumerateArray().Select(item => item.ToString())) : member.Value.ToString());
        }

        Console.Out.WriteLine(entry.Witnessed is null ? Promise : WitnessedPromise);
    }

    /// <summary>The same for programs: one line each, so that they are read as they come.</summary>
    public static void PrintJson(LogEntry entry)
    {
        using var line = new MemoryStream();
        // Not indented, and all that is not ASCII escaped.
        using (var writer = new Utf8JsonWriter(line))
        {
            writer.WriteStartObject();
            writer.WriteNumber("position", entry.Position);
            writer.WriteString("log", entry.Head.Origin);
            writer.WriteNumber("checkpointSize", entry.Head.Size);
            writer.WriteString("checkpointRoot", Convert.ToBase64String(entry.Head.Root.Bytes));
            Write(writer, entry.Witnessed);
            writer.WritePropertyName("entry");
            entry.Root.WriteTo(writer);
            writer.WriteEndObject();
        }

        line.WriteByte((byte)'\n');
        using var output = Console.OpenStandardOutput();
        output.Write(line.ToArray());
    }

    /// <summary>The member <c>witnessed</c>; null: no witness was asked for.</summary>
    public static void Write(Utf8JsonWriter writer, Witnessed? witnessed)
    {
        if (witnessed is null)
        {
            writer.WriteNull("witnessed");
            return;
        }

        writer.WriteStartObject("witnessed");
        writer.WriteString("by", witnessed.Name);
        writer.WriteNumber("size", witnessed.Size);
        writer.WriteString("at", Instant.Text(witnessed.At));
        writer.WriteEndObject();
    }

    private static void Row(string name, string value) => Console.Out.WriteLine($"  {name,-16} {Printable.Of(value)}");
}

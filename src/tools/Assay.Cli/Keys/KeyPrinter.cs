using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Keys;

/// <summary>What a key broker answered, as people read it and as programs do.</summary>
internal static class KeyPrinter
{
    /// <summary>A key, or an array of keys.</summary>
    public static int Print(JsonElement answer, bool json)
    {
        if (json)
        {
            JsonOutput.Print(answer.WriteTo);
            return ExitCode.Verified;
        }

        JsonElement[] keys = answer.ValueKind is JsonValueKind.Array ? [.. answer.EnumerateArray()] : [answer];
        var table = Table("key", "state", "version", "policy", "revision", "created", "by");
        foreach (var key in keys)
        {
            var policy = key.GetProperty("policyVersion").GetInt64();
            Add(table, Text(key, "id"), State(key), key.TryGetProperty("version", out var version) ? version.ToString() : "", policy == 0 ? "none" : $"version {policy}", key.GetProperty("revision").ToString(), Instant.Text(key.GetProperty("createdAt").GetDateTimeOffset()), Text(key, "createdBy"));
        }

        Output.Out.Write(table);
        if (keys.Any(key => key.GetProperty("policyVersion").GetInt64() == 0 && Text(key, "state") is not ("destroying" or "destroyed")))
        {
            Console.Out.WriteLine("A key without a policy is released to no machine: assay key policy ID --file FILE sets one.");
        }

        return ExitCode.Verified;
    }

    private static string State(JsonElement key) => string.Join(", ", ((string?[])
    [
        key.TryGetProperty("destroyAt", out var at) ? $"will be destroyed at {Instant.Text(at.GetDateTimeOffset())}" : Text(key, "state"),
        Is(key, "frozen") ? "frozen" : null,
        Is(key, "derived") ? "derived" : null,
        Text(key, "use") is { Length: > 0 } use ? use : null,
        Text(key, "approval") is "two-person" ? "two persons" : null,
    ]).OfType<string>());

    private static bool Is(JsonElement key, string name) => key.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.True;

    /// <summary>One key with its policy.</summary>
    public static int PrintWhole(JsonElement key, JsonElement? policy, bool json)
    {
        if (json)
        {
            JsonOutput.Print(writer =>
            {
                writer.WriteStartObject();
                writer.WritePropertyName("key");
                key.WriteTo(writer);
                writer.WritePropertyName("policy");
                if (policy is { } set)
                {
                    set.WriteTo(writer);
                }
                else
                {
                    writer.WriteNullValue();
                }

                writer.WriteEndObject();
            });
            return ExitCode.Verified;
        }

        var version = key.TryGetProperty("version", out var released) ? released.GetInt64() : 0;
        Row("key", Text(key, "id"));
        Row("state", State(key));
        Row("revision", key.GetProperty("revision").ToString());
        Row("versions", version switch { 0 => "none is left", 1 => "1 is released", _ => $"{version} is released; those before are kept, and not released" });
        Row("secret", !key.TryGetProperty("imported", out var imported) ? "not known whether it was imported" : imported.GetBoolean() ? "imported by its owner" : "random bytes, made by the broker");
        Row("resource", Text(key, "resource"));
        Row("created", $"{Instant.Text(key.GetProperty("createdAt").GetDateTimeOffset())} by {Text(key, "createdBy")}");
        if (policy is not { } document)
        {
            Row("policy", "none: the key is released to no machine");
            return ExitCode.Verified;
        }

        PolicySet(key, document);
        using var text = JsonDocument.Parse(Text(document, "text"));
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            text.WriteTo(writer);
        }

        Console.Out.WriteLine(Encoding.UTF8.GetString(buffer.ToArray()));
        return ExitCode.Verified;
    }

    /// <summary>Which policy is in force.</summary>
    public static void PolicySet(JsonElement key, JsonElement? policy)
    {
        if (policy is { } set)
        {
            // Of what was read back: the digest is not the broker's word for it.
            Row("policy", $"version {set.GetProperty("version")}, SHA-384 {Convert.ToHexStringLower(SHA384.HashData(Encoding.UTF8.GetBytes(Text(set, "text"))))}");
        }
    }

    /// <summary>What a rotation did to the version before.</summary>
    public static void Rotated(JsonElement key, JsonElement? policy)
    {
        if (key.TryGetProperty("version", out var version) && version.GetInt64() is > 1 and var now)
        {
            Console.Out.WriteLine($"Version {now} is released from now on. Version {now - 1} is kept, and released to no machine any more: encrypt again what it opens.");
        }
    }

    private static void Row(string name, string value)
    {
        if (value.Length > 0)
        {
            Console.Out.WriteLine($"{name,-10} {Printable.Of(value)}");
        }
    }

    /// <summary>A freeze that was made.</summary>
    /// <param name="freeze">The broker's answer.</param>
    /// <param name="key">Which key; null: all of the tenant.</param>
    /// <param name="json">For programs.</param>
    public static int PrintFreeze(JsonElement freeze, string? key, bool json)
    {
        var witnessed = freeze.TryGetProperty("witnessed", out var seen) && seen.ValueKind is JsonValueKind.True or JsonValueKind.False ? seen.GetBoolean() : (bool?)null;
        if (json)
        {
            JsonOutput.Print(freeze.WriteTo);
        }
        else
        {
            Console.Out.WriteLine($"{key ?? "every key of the tenant"} is frozen: nothing of it is released until two persons lift freeze {Printable.Of(Text(freeze, "id"))}");
            Console.Out.WriteLine(witnessed switch
            {
                true => "witnessed: every witness of the log has seen it, and no database from before it is of use",
                false => "not witnessed",
                _ => "the log has no witness: an operator who sets the database back undoes the freeze",
            });
        }

        if (witnessed is false)
        {
            Console.Error.WriteLine("assay: not every witness of the log has seen this freeze: until one has, an operator who sets the database back undoes it. The broker shows it again every 10 seconds; assay audit monitor --witness KEY --witness-url URL tells when a witness has it");
        }

        if (freeze.TryGetProperty("persons", out var persons) && persons.ValueKind is JsonValueKind.False)
        {
            Console.Error.WriteLine(KeyCommand.NoPersons("two persons lift this freeze"));
        }

        return ExitCode.Verified;
    }

    /// <summary>One value, or a sentence.</summary>
    public static int Print(bool json, (string Name, string Value) value, string sentence)
    {
        if (!json)
        {
            Console.Out.WriteLine(sentence);
            return ExitCode.Verified;
        }

        JsonOutput.Print(writer =>
        {
            writer.WriteStartObject();
            writer.WriteString(value.Name, value.Value);
            writer.WriteEndObject();
        });
        return ExitCode.Verified;
    }

    /// <summary>An array of freezes.</summary>
    public static int PrintFreezes(JsonElement answer, bool json)
    {
        if (json)
        {
            JsonOutput.Print(answer.WriteTo);
            return ExitCode.Verified;
        }

        if (answer.GetArrayLength() == 0)
        {
            Console.Out.WriteLine("nothing is frozen");
            return ExitCode.Verified;
        }

        var table = Table("freeze", "key", "since", "by", "reason");
        foreach (var freeze in answer.EnumerateArray())
        {
            var key = Text(freeze, "key");
            Add(table, Text(freeze, "id"), key.Length == 0 ? "all" : key, Instant.Text(DateTimeOffset.FromUnixTimeMilliseconds(freeze.GetProperty("frozenAt").GetInt64())), Text(freeze, "frozenBy"), Text(freeze, "reason"));
        }

        Output.Out.Write(table);
        return ExitCode.Verified;
    }

    /// <summary>An act that waits for a second person.</summary>
    public static int PrintAct(JsonElement act, bool json)
    {
        if (json)
        {
            JsonOutput.Print(act.WriteTo);
            return ExitCode.Verified;
        }

        Describe(act);
        Console.Out.WriteLine($"It is not done yet: another person reads it, and runs assay key approve {Printable.Of(Text(act, "id"))} --digest {Printable.Of(Text(act, "digest"))}");
        return ExitCode.Verified;
    }

    /// <summary>An array of them.</summary>
    public static int PrintActs(JsonElement acts, bool json)
    {
        if (json)
        {
            JsonOutput.Print(acts.WriteTo);
            return ExitCode.Verified;
        }

        if (acts.GetArrayLength() == 0)
        {
            Console.Out.WriteLine("nothing waits for a second person");
        }

        foreach (var act in acts.EnumerateArray())
        {
            Describe(act);
        }

        return ExitCode.Verified;
    }

    // The digest is computed here, over what is shown: an approval of it is of these words.
    private static void Describe(JsonElement act)
    {
        var text = Text(act, "act");
        Console.Out.WriteLine($"act {Printable.Of(Text(act, "id"))}: {Printable.Of(Text(act, "of"))} {Printable.Of(Text(act, "key"))}, proposed by {Printable.Of(Text(act, "proposedBy"))}, waits until {Instant.Text(act.GetProperty("expiresAt").GetDateTimeOffset())}");
        Console.Out.WriteLine($"  {Printable.Of(text)}");
        Console.Out.WriteLine($"  digest {Convert.ToHexStringLower(SHA384.HashData(Encoding.UTF8.GetBytes(text)))}");
    }

    private static string Text(JsonElement item, string name) => item.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.String ? value.GetString()! : "";

    private static Table Table(params string[] columns)
    {
        var table = new Table { Border = TableBorder.None, ShowRowSeparators = false };
        foreach (var column in columns)
        {
            table.AddColumn(new TableColumn(Markup.Escape(column)) { NoWrap = true, Padding = new Padding(0, 0, 2, 0) });
        }

        return table;
    }

    // What comes from a service draws on no terminal.
    private static void Add(Table table, params string[] cells) => table.AddRow([.. cells.Select(cell => Markup.Escape(Printable.Of(cell)))]);
}

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
        var table = Table("key", "state", "version", "policy", "created", "by");
        foreach (var key in keys)
        {
            var policy = key.GetProperty("policyVersion").GetInt64();
            Add(table, Text(key, "id"), State(key), key.TryGetProperty("version", out var version) ? version.ToString() : "", policy == 0 ? "none" : $"version {policy}", Instant.Text(key.GetProperty("createdAt").GetDateTimeOffset()), Text(key, "createdBy"));
        }

        Output.Out.Write(table);
        if (keys.Any(key => key.GetProperty("policyVersion").GetInt64() == 0 && Text(key, "state") is not ("destroying" or "destroyed")))
        {
            Console.Out.WriteLine("A key without a policy is released to no machine: assay key policy ID --file FILE sets one.");
        }

        return ExitCode.Verified;
    }

    private static string State(JsonElement key) =>
        key.TryGetProperty("destroyAt", out var at) ? $"destroyed at {Instant.Text(at.GetDateTimeOffset())}"
        : key.TryGetProperty("use", out var use) ? $"{Text(key, "state")}, {use.GetString()}"
        : key.TryGetProperty("derived", out var derived) && derived.GetBoolean() ? $"{Text(key, "state")}, derived"
        : Text(key, "state");

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

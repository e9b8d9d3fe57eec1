using System.Text.Json;
using Assay.Cli.Explain;
using Assay.Wire;

namespace Assay.Cli.Keys;

/// <summary>What a dry run came to, as people read it. For programs its members are the broker's: docs/reference/broker.md.</summary>
internal static class DryRunPrinter
{
    /// <summary>Prints it. Returns the exit code.</summary>
    public static int Print(JsonElement report, bool hasEvidence, bool json)
    {
        var passed = !report.TryGetProperty("tests", out var tests) || tests.GetProperty("passed").GetBoolean();
        var code = (hasEvidence ? report.GetProperty("released").GetBoolean() : passed) ? ExitCode.Verified : ExitCode.Refused;
        if (json)
        {
            JsonOutput.Print(report.WriteTo);
            return code;
        }

        var why = Texts(report, "why");
        if (!hasEvidence)
        {
            Console.Out.WriteLine("no evidence given: the policy was read, and its tests run");
        }
        else if (why.Length == 0)
        {
            Console.Out.WriteLine($"would be released: binding {Text(report, "binding")}, tier {Text(report, "tier")}");
        }

        if (why.Length > 0)
        {
            Console.Out.WriteLine(hasEvidence ? "would not be released, because" : "the key is released to no machine now, because");
        }

        foreach (var word in why)
        {
            Console.Out.WriteLine($"  {Printable.Of(word)}: {Explanations.Find(word)?.Cause ?? "docs/reference/broker.md says more"}");
        }

        Row("failed", Texts(report, "failed"));
        Row("not accepted", Texts(report, "unaccepted"));
        Console.Out.WriteLine($"  policy {Text(report, "policyDigest")}");
        WriteTests(tests);
        return code;
    }

    private static void WriteTests(JsonElement tests)
    {
        if (tests.ValueKind is not JsonValueKind.Object)
        {
            Console.Out.WriteLine("  the policy has no tests");
            return;
        }

        foreach (var test in tests.GetProperty("tests").EnumerateArray())
        {
            var passed = test.GetProperty("passed").GetBoolean();
            Console.Out.WriteLine($"  test {Text(test, "name")}: {(passed ? "as it says" : $"expects {Text(test, "expected")} and got {Text(test, "found")} {Text(test, "detail")}")}");
        }
    }

    private static void Row(string name, string[] words)
    {
        if (words.Length > 0)
        {
            Console.Out.WriteLine($"  {name}: {Printable.Of(string.Join(", ", words))}");
        }
    }

    private static string[] Texts(JsonElement item, string name) => item.TryGetProperty(name, out var all) && all.ValueKind is JsonValueKind.Array ? [.. all.EnumerateArray().Select(word => word.ToString())] : [];

    private static string Text(JsonElement item, string name) => item.TryGetProperty(name, out var value) ? Printable.Of(value.ToString()) : "";
}

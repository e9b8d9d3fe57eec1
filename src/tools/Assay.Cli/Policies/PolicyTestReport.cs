using System.Globalization;
using System.Text;
using System.Xml;
using Assay.Policies;

namespace Assay.Cli.Policies;

/// <summary>What a suite of tests gave: for people, for programs, and in the XML that build servers read.</summary>
internal static class PolicyTestReport
{
    // Longer lists are for programs.
    private const int MostShown = 20;

    public static void PrintText(PolicyTestSuite suite)
    {
        foreach (var outcome in suite.Outcomes)
        {
            var line = string.Create(CultureInfo.InvariantCulture, $"{Word(outcome.State),-7} {outcome.Rule}  {outcome.File}");
            Console.Out.WriteLine(Printable.Of(outcome.State is PolicyTestState.Failed ? $"{line}: {outcome.Reason}" : line));
            foreach (var print in outcome.State is PolicyTestState.Failed ? outcome.Prints : [])
            {
                Console.Out.WriteLine(Printable.Of($"        {print}"));
            }
        }

        var skipped = Count(suite, PolicyTestState.Skipped);
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{Count(suite, PolicyTestState.Passed)} passed, {Count(suite, PolicyTestState.Failed)} failed{(skipped > 0 ? $", {skipped} skipped" : "")}; {suite.Reached} of {suite.Statements} statements reached"));
        var missed = suite.NotReached.ToArray();
        if (missed.Length > 0)
        {
            var shown = string.Join(", ", missed.Take(MostShown).Select(place => string.Create(CultureInfo.InvariantCulture, $"{place.File}:{place.Line}")));
            Console.Out.WriteLine(Printable.Of($"not reached: {shown}{(missed.Length > MostShown ? ", …" : "")}"));
        }
    }

    public static void PrintJson(PolicyTestSuite suite) => JsonOutput.Print(writer =>
    {
        writer.WriteStartObject();
        writer.WriteStartArray("tests");
        foreach (var outcome in suite.Outcomes)
        {
            writer.WriteStartObject();
            writer.WriteString("file", outcome.File);
            writer.WriteString("rule", outcome.Rule);
            writer.WriteString("state", Word(outcome.State).ToLowerInvariant());
            if (outcome.Reason is { } reason)
            {
                writer.WriteString("reason", reason);
            }

            if (outcome.Prints.Count > 0)
            {
                writer.WriteStartArray("prints");
                foreach (var print in outcome.Prints)
                {
                    writer.WriteStringValue(print);
                }

                writer.WriteEndArray();
            }

            writer.WriteNumber("seconds", Math.Round(outcome.Took.TotalSeconds, 6));
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteStartObject("coverage");
        writer.WriteNumber("statements", suite.Statements);
        writer.WriteNumber("reached", suite.Reached);
        writer.WriteStartArray("notReached");
        foreach (var (file, line) in suite.NotReached)
        {
            writer.WriteStartObject();
            writer.WriteString("file", file);
            writer.WriteNumber("line", line);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        writer.WriteEndObject();
        writer.WriteEndObject();
    });

    public static void PrintJUnit(PolicyTestSuite suite)
    {
        using var output = Console.OpenStandardOutput();
        using (var xml = XmlWriter.Create(output, new XmlWriterSettings { Indent = true, Encoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false) }))
        {
            xml.WriteStartElement("testsuites");
            foreach (var file in suite.Outcomes.GroupBy(outcome => outcome.File, StringComparer.Ordinal))
            {
                WriteFile(xml, file.Key, [.. file]);
            }

            xml.WriteEndElement();
        }

        output.Write("\n"u8);
    }

    private static void WriteFile(XmlWriter xml, string file, PolicyTestOutcome[] outcomes)
    {
        xml.WriteStartElement("testsuite");
        xml.WriteAttributeString("name", Printable.Of(file));
        xml.WriteAttributeString("tests", Number(outcomes.Length));
        xml.WriteAttributeString("failures", Number(outcomes.Count(outcome => outcome.State is PolicyTestState.Failed)));
        xml.WriteAttributeString("skipped", Number(outcomes.Count(outcome => outcome.State is PolicyTestState.Skipped)));
        xml.WriteAttributeString("errors", "0");
        foreach (var outcome in outcomes)
        {
            xml.WriteStartElement("testcase");
            xml.WriteAttributeString("classname", Printable.Of(file));
            xml.WriteAttributeString("name", Printable.Of(outcome.Rule));
            xml.WriteAttributeString("time", outcome.Took.TotalSeconds.ToString("0.000000", CultureInfo.InvariantCulture));
            if (outcome.State is PolicyTestState.Failed or PolicyTestState.Skipped)
            {
                xml.WriteStartElement(outcome.State is PolicyTestState.Failed ? "failure" : "skipped");
                // Characters that XML cannot hold at all are among those that Printable writes otherwise.
                xml.WriteAttributeString("message", Printable.Of(outcome.Reason ?? ""));
                xml.WriteEndElement();
            }

            if (outcome.Prints.Count > 0)
            {
                xml.WriteElementString("system-out", string.Join('\n', outcome.Prints.Select(Printable.Of)));
            }

            xml.WriteEndElement();
        }

        xml.WriteEndElement();
    }

    private static int Count(PolicyTestSuite suite, PolicyTestState state) => suite.Outcomes.Count(outcome => outcome.State == state);

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);

    private static string Word(PolicyTestState state) => state switch
    {
        PolicyTestState.Passed => "passed",
        PolicyTestState.Skipped => "skipped",
        _ => "FAILED",
    };
}

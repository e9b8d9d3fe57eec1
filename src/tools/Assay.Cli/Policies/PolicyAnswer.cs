using System.Globalization;
using System.Text.Json;
using Assay.Rego;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Cli.Policies;

/// <summary>What a query gave: a value, bindings of its variables, or the word that it is undefined.</summary>
internal sealed class PolicyAnswer(EvaluationResult result)
{
    private const int LongestValue = 120;

    /// <summary>0 defined, 1 undefined or false, 2 an error of the policy, 70 a fault of the engine.</summary>
    public int ExitCode => result switch
    {
        { Error.Code: RegoErrorCode.EvalInternalError } => Cli.ExitCode.Internal,
        { Error: not null } => Cli.ExitCode.Unusable,
        { Rows: [] } => Cli.ExitCode.Refused,
        _ => Cli.ExitCode.Verified,
    };

    private bool HasBindings => result.Rows.Any(row => row.Count > 0);

    public void Print()
    {
        if (result.Error is not null)
        {
            return;
        }

        if (HasBindings || result.Value is not null)
        {
            PolicyJson.Print(WriteAnswer);
        }
        else
        {
            // Not JSON's null, which is a value.
            Console.Out.WriteLine(result.Rows.Count == 0 ? "undefined" : "true");
        }
    }

    public void Write(Utf8JsonWriter writer, bool explain)
    {
        writer.WriteStartObject();
        writer.WriteBoolean("defined", result.Error is null && (result.Rows.Count > 0 || result.Value is not null));
        if (result.Error is { } error)
        {
            PolicyFaults.Write(writer, [], [error]);
        }
        else if (HasBindings || result.Value is not null)
        {
            writer.WritePropertyName(HasBindings ? "bindings" : "value");
            WriteAnswer(writer);
        }

        writer.WriteNumber("steps", result.Steps);
        if (explain)
        {
            PolicyJson.Write(writer, result.Explanation);
        }

        writer.WriteEndObject();
    }

    /// <summary>Every statement that was reached: + where it held, - where evaluation ended.</summary>
    public void Explain()
    {
        foreach (var statement in result.Explanation.Where(statement => statement.Tried > 0))
        {
            var seen = statement.Seen.Select(item => $"{item.Name} is {Shown(item.Value)}").ToArray();
            var line = string.Create(CultureInfo.InvariantCulture, $"{(statement.Stopped ? '-' : '+')} {statement.Location}: {statement.Text}");
            Console.Error.WriteLine(Printable.Of(seen.Length == 0 ? line : $"{line}  ({string.Join(", ", seen)})"));
        }
    }

    private void WriteAnswer(Utf8JsonWriter writer)
    {
        if (!HasBindings)
        {
            PolicyJson.Write(writer, result.Value!);
            return;
        }

        writer.WriteStartArray();
        foreach (var row in result.Rows)
        {
            PolicyJson.Write(writer, row);
        }

        writer.WriteEndArray();
    }

    private static string Shown(RegoValue? value)
    {
        var text = value?.ToString() ?? "undefined";
        return text.Length <= LongestValue ? text : text[..LongestValue] + "…";
    }
}

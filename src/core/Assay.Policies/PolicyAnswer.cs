using System.Globalization;
using System.Text.Json;
using Assay.Rego;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Policies;

/// <summary>How a question ended.</summary>
public enum PolicyAnswerState
{
    /// <summary>Unset.</summary>
    None,

    /// <summary>There is a solution, and none of its values is false.</summary>
    Defined,

    /// <summary>No solution: undefined, or false.</summary>
    Undefined,

    /// <summary>The policy failed, or took more than it may.</summary>
    Failed,

    /// <summary>A fault of the engine.</summary>
    EngineFault,
}

/// <summary>What a question gave: a value, bindings of its variables, or that it is undefined; or an error.</summary>
public sealed class PolicyAnswer
{
    private const int LongestValue = 120;

    private readonly EvaluationResult _result;

    internal PolicyAnswer(EvaluationResult result) => _result = result;

    /// <summary>How the question ended.</summary>
    public PolicyAnswerState State => _result switch
    {
        { Error.Code: RegoErrorCode.EvalInternalError } => PolicyAnswerState.EngineFault,
        { Error: not null } => PolicyAnswerState.Failed,
        { Rows: [] } => PolicyAnswerState.Undefined,
        _ => PolicyAnswerState.Defined,
    };

    /// <summary>The error; null when there is none.</summary>
    public PolicyError? Error => _result.Error is { } error ? new PolicyError(error) : null;

    /// <summary>Whether there is a value or bindings to write. Without: undefined, or solutions of statements that bind nothing. False is a value.</summary>
    public bool HasValue => _result.Error is null && (HasBindings || _result.Value is not null);

    private bool HasBindings => _result.Rows.Any(row => row.Count > 0);

    /// <summary>Writes the value, or the array of bindings, one object for each solution. Only where <see cref="HasValue"/> is true.</summary>
    public void WriteValue(Utf8JsonWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        if (!HasBindings)
        {
            Write(writer, _result.Value ?? throw new InvalidOperationException("the answer has no value"));
            return;
        }

        writer.WriteStartArray();
        foreach (var row in _result.Rows)
        {
            Write(writer, row);
        }

        writer.WriteEndArray();
    }

    /// <summary>Writes one JSON object: <c>defined</c>, then <c>value</c>, <c>bindings</c> or <c>errors</c>, <c>steps</c>, and the explanation when it is wanted.</summary>
    public void Write(Utf8JsonWriter writer, bool explain)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStartObject();
        writer.WriteBoolean("defined", _result.Error is null && (_result.Rows.Count > 0 || _result.Value is not null));
        if (Error is { } error)
        {
            writer.WriteStartArray("errors");
            error.Write(writer);
            writer.WriteEndArray();
        }
        else if (HasValue)
        {
            writer.WritePropertyName(HasBindings ? "bindings" : "value");
            WriteValue(writer);
        }

        writer.WriteNumber("steps", _result.Steps);
        if (explain)
        {
            WriteExplanation(writer);
        }

        writer.WriteEndObject();
    }

    /// <summary>A line for every statement that was reached: + where it held, - where evaluation ended. Empty unless the question was prepared to explain. Not made printable.</summary>
    public IEnumerable<string> Explain()
    {
        foreach (var statement in _result.Explanation.Where(statement => statement.Tried > 0))
        {
            var seen = statement.Seen.Select(item => $"{item.Name} is {Shown(item.Value)}").ToArray();
            var line = string.Create(CultureInfo.InvariantCulture, $"{(statement.Stopped ? '-' : '+')} {statement.Location}: {statement.Text}");
            yield return seen.Length == 0 ? line : $"{line}  ({string.Join(", ", seen)})";
        }
    }

    private void WriteExplanation(Utf8JsonWriter writer)
    {
        writer.WriteStartArray("explanation");
        foreach (var statement in _result.Explanation)
        {
            writer.WriteStartObject();
            writer.WriteString("file", statement.Location.File);
            writer.WriteNumber("line", statement.Location.Line);
            writer.WriteNumber("column", statement.Location.Column);
            writer.WriteString("statement", statement.Text);
            writer.WriteNumber("tried", statement.Tried);
            writer.WriteNumber("solved", statement.Solved);
            writer.WriteStartArray("seen");
            foreach (var (name, value) in statement.Seen)
            {
                writer.WriteStartObject();
                writer.WriteString("name", name);
                writer.WriteBoolean("defined", value is not null);
                if (value is not null)
                {
                    writer.WritePropertyName("value");
                    Write(writer, value);
                }

                writer.WriteEndObject();
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter writer, RegoValue value)
    {
        // Through a document, because the engine's own text leaves characters as they are: the writer escapes all but plain ASCII, so that no string draws on a terminal.
        using var document = JsonDocument.Parse(value.ToJson(), new JsonDocumentOptions { MaxDepth = 2 * RegoValue.MaxDepth });
        document.RootElement.WriteTo(writer);
    }

    private static string Shown(RegoValue? value)
    {
        var text = value?.ToString() ?? "undefined";
        return text.Length <= LongestValue ? text : text[..LongestValue] + "…";
    }
}

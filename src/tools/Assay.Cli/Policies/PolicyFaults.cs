using System.Text.Json;
using Assay.Policies;

namespace Assay.Cli.Policies;

/// <summary>What is wrong with files and policies, as it is shown: faults with an id, then errors of policies at their places.</summary>
internal static class PolicyFaults
{
    /// <summary>Writes to standard error what could not be read, and every error.</summary>
    public static void Report(IEnumerable<(string Id, string Message)> unread, IEnumerable<PolicyError> errors)
    {
        foreach (var (id, message) in unread)
        {
            Output.Error(id, message);
        }

        foreach (var line in errors.SelectMany(error => error.ToDisplay()))
        {
            Console.Error.WriteLine(line);
        }
    }

    /// <summary>The member <c>errors</c>: those of files and those of policies.</summary>
    public static void Write(Utf8JsonWriter writer, IEnumerable<(string Id, string Message)> unread, IEnumerable<PolicyError> errors)
    {
        writer.WriteStartArray("errors");
        foreach (var (id, message) in unread)
        {
            writer.WriteStartObject();
            writer.WriteString("code", id);
            writer.WriteString("message", message);
            writer.WriteEndObject();
        }

        foreach (var error in errors)
        {
            error.Write(writer);
        }

        writer.WriteEndArray();
    }

    /// <summary>The words for base documents that are no object.</summary>
    public static string NoObject(string file, PolicyDocument document) => $"{file}: one JSON object is expected, found {document.Kind}";

    /// <summary>Why a policy cannot decide, in the words of the options that name the rule and the data.</summary>
    public static string Of(PolicyFault fault) => fault.Kind switch
    {
        PolicyFaultKind.NoRuleNamed => $"{fault} with --query",
        PolicyFaultKind.UnknownRule => Printable.Of($"{fault.Name}: --query: {fault.Problem}"),
        PolicyFaultKind.DataCoverRule => Printable.Of($"{fault.Name}: {fault.Rule} is defined in the policy and in --policy-data: where the rule is undefined, the data would be used instead. Remove it from the data."),
        PolicyFaultKind.DataConflict => Printable.Of($"--policy: {fault.Name}: {fault.Problem}"),
        _ => fault.ToString(),
    };
}

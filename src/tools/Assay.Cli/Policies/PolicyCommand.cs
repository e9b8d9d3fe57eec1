using System.CommandLine;

namespace Assay.Cli.Policies;

/// <summary><c>assay policy</c>: checks, evaluates and tests policies in Rego. Nothing here judges evidence.</summary>
internal static class PolicyCommand
{
    public static Command Create() => new("policy", "Checks, evaluates and tests policies in Rego.")
    {
        PolicyCheckCommand.Create(),
        PolicyEvalCommand.Create(),
        PolicyTestCommand.Create(),
    };
}

namespace Assay.Cli.Policies;

/// <summary><c>assay policy</c>: checks, evaluates and tests policies in Rego. Nothing here judges evidence.</summary>
internal static class PolicyCommand
{
    public static DescribedCommand Create() => new(
        "policy",
        "Checks, evaluates and tests policies in Rego.",
        DescribedCommand.OfItsCommands,
        [
            "assay policy check policies/strict.rego",
            "assay policy test policies",
        ])
    {
        PolicyCheckCommand.Create(),
        PolicyEvalCommand.Create(),
        PolicyTestCommand.Create(),
    };
}

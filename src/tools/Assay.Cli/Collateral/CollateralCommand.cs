using System.CommandLine;

namespace Assay.Cli.Collateral;

/// <summary><c>assay collateral</c>: what keeps and serves manifests, revocation answers and the processors' collateral.</summary>
internal static class CollateralCommand
{
    public static Command Create() => new("collateral", "Keeps verified collateral and serves it where its services are out of reach.")
    {
        ServeCommand.Create(),
        StageCommand.Create(),
        PoolCommands.Promote(),
        PoolCommands.RollBack(),
        PoolCommands.Remove(),
        PoolCommands.List(),
    };
}

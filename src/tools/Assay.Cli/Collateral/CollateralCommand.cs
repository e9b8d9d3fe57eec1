namespace Assay.Cli.Collateral;

/// <summary><c>assay collateral</c>: what keeps and serves manifests, revocation answers and the processors' collateral.</summary>
internal static class CollateralCommand
{
    public static DescribedCommand Create() => new(
        "collateral",
        "Caches verified collateral and serves it where its services are unreachable.",
        DescribedCommand.OfItsCommands,
        [
            "assay collateral serve --cache /var/lib/assay-collateral --learn gpu.json",
        ])
    {
        ServeCommand.Create(),
        CheckCommand.Create(),
        StageCommand.Create(),
        PoolCommands.Promote(),
        PoolCommands.RollBack(),
        PoolCommands.Remove(),
        PoolCommands.List(),
    };
}

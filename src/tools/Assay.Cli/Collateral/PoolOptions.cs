using System.CommandLine;
using Assay.Collateral.Staging;

namespace Assay.Cli.Collateral;

/// <summary>What the commands about pools share: the cache's folder, the pool, the set, and how they fail.</summary>
internal sealed class PoolOptions
{
    public Option<string> Cache { get; } = new("--cache") { Description = "the folder of assay collateral serve, which may run", HelpName = "DIR", Required = true };

    public Option<string> Pool { get; } = Name(new("--pool") { Description = "the pool of machines; listeners name theirs", HelpName = "NAME", DefaultValueFactory = _ => RimPool.Default });

    public Option<string> Set { get; } = Name(new("--set") { Description = "the name of a set of RIMs that are promoted and removed together", HelpName = "NAME", Required = true });

    /// <summary>Runs what writes to the folder; what keeps it from doing so is no bug.</summary>
    public static int Guarded(Func<int> work)
    {
        try
        {
            return work();
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Output.Error("collateral.pool", exception.Message);
            return ExitCode.Unusable;
        }
    }

    /// <summary>The pools of a folder that is there: a mistyped one would look like one without pools. Throws <see cref="IOException"/>.</summary>
    public PoolFolder Existing(ParseResult parsed)
    {
        var folder = parsed.GetValue(Cache)!;
        return Directory.Exists(folder) ? new PoolFolder(folder) : throw new IOException($"--cache: {folder}: no such folder");
    }

    private static Option<string> Name(Option<string> option)
    {
        option.Validators.Add(result =>
        {
            if (result.Tokens.Count > 0 && !RimPool.IsName(result.Tokens[0].Value))
            {
                result.AddError($"{option.Name}: a name of at most 64 letters, digits and - _ . is expected");
            }
        });
        return option;
    }
}

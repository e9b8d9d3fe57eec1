using System.CommandLine;

namespace Assay.Cli.Policies;

/// <summary>How long one evaluation may take. The engine's budget of steps and bytes stands besides.</summary>
internal static class PolicyPatience
{
    private const int Longest = 3600;

    public static Option<int> Option()
    {
        var option = new Option<int>("--timeout") { Description = "the most seconds for one evaluation", HelpName = "SECONDS", DefaultValueFactory = _ => 10 };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<int>() is < 1 or > Longest)
            {
                result.AddError($"--timeout: 1 to {Longest} seconds are expected");
            }
        });
        return option;
    }

    public static CancellationTokenSource Start(int seconds) => new(TimeSpan.FromSeconds(seconds));
}

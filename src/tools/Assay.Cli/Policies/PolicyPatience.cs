using System.CommandLine;

namespace Assay.Cli.Policies;

/// <summary>How long compiling and one evaluation may take. The engine's budgets of steps and bytes stand besides.</summary>
internal static class PolicyPatience
{
    private const int Longest = 3600;

    public static Option<int> Option() =>
        new Option<int>("--timeout") { Description = "the time limit in seconds for one evaluation", HelpName = "SECONDS", DefaultValueFactory = _ => 10 }.Within(1, Longest);

    public static CancellationTokenSource Start(int seconds) => new(TimeSpan.FromSeconds(seconds));
}

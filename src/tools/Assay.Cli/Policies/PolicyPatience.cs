using System.CommandLine;
using System.Globalization;

namespace Assay.Cli.Policies;

/// <summary>How long compiling and one evaluation may take. The engine's budgets of steps and bytes stand besides.</summary>
internal static class PolicyPatience
{
    private const int Longest = 3600;

    public static Option<int> Option()
    {
        var option = new Option<int>("--timeout") { Description = "the most seconds for one evaluation", HelpName = "SECONDS", DefaultValueFactory = _ => 10 };
        option.Validators.Add(result =>
        {
            // The text itself: asked for a number, the parser throws where the text is none.
            if (result.Tokens is [{ Value: var text }]
                && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds is < 1 or > Longest))
            {
                result.AddError($"--timeout: 1 to {Longest} seconds are expected, a whole number, found {text}");
            }
        });
        return option;
    }

    public static CancellationTokenSource Start(int seconds) => new(TimeSpan.FromSeconds(seconds));
}

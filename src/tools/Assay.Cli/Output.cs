using Spectre.Console;

namespace Assay.Cli;

/// <summary>Where text goes: results to standard output, everything else to standard error; colour on a terminal only.</summary>
internal static class Output
{
    // Redirected output must not be folded: scripts and people with wide files read it line by line.
    private const int Unfolded = 100_000;

    public static IAnsiConsole Out { get; } = Create(Console.Out, Console.IsOutputRedirected);

    public static IAnsiConsole Err { get; } = Create(Console.Error, Console.IsErrorRedirected);

    /// <summary>An error with its permanent id, on standard error. The message may quote foreign input.</summary>
    public static void Error(string id, string message)
    {
        // Names of files, certificates and servers come from strangers: none of them draws on a terminal.
        // A stack trace keeps its lines, set in so that a line of a stranger's never looks like one of ours.
        message = string.Join("\n    ", message.Split('\n').Select(line => Printable.Of(line.TrimEnd('\r'))));
        if (Console.IsErrorRedirected)
        {
            Console.Error.WriteLine($"assay: {id}: {message}");
            return;
        }

        Err.MarkupLineInterpolated($"assay: [red]{id}[/]: {message}");
    }

    private static IAnsiConsole Create(TextWriter writer, bool redirected)
    {
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = redirected ? AnsiSupport.No : AnsiSupport.Detect,
            ColorSystem = redirected ? ColorSystemSupport.NoColors : ColorSystemSupport.Detect,
            // Bars are drawn for people alone; nothing is asked of anybody.
            Interactive = redirected ? InteractionSupport.No : InteractionSupport.Detect,
        });
        if (redirected)
        {
            console.Profile.Width = Unfolded;
        }

        return console;
    }
}

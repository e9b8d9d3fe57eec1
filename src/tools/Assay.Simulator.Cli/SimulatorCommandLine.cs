using System.CommandLine;
using System.CommandLine.Parsing;

namespace Assay.Simulator.Cli;

/// <summary>The command <c>assay-sim</c>. Exit codes: 0 done, 2 unusable command line, 70 a bug.</summary>
internal static class SimulatorCommandLine
{
    public const int Done = 0;
    public const int Unusable = 2;
    private const int Internal = 70;

    private static readonly string[] s_examples =
    [
        "assay-sim machine --out machine",
        "assay-sim machine --fault replayed-switch --out machine",
        "assay-sim evidence --device hopper-580 --fault mismatch --index 9 --out gpu",
        "assay-sim serve --port 8471",
        "assay-sim guest-sources --socket hardware.sock --root root",
        "assay-sim faults",
    ];

    public static RootCommand Create() => new("Simulates GPUs, switches and machines, and the services around them. Nobody trusts its output without being told to.")
    {
        EvidenceCommand.Machine(),
        EvidenceCommand.Device(),
        ServeCommand.Create(),
        GuestSourcesCommand.Create(),
        FaultsCommand.Create(),
    };

    public static async Task<int> RunAsync(string[] arguments)
    {
        var root = Create();
        // Without response files, as the command assay.
        var parsed = root.Parse(arguments, new ParserConfiguration { ResponseFileTokenReplacer = null });
        if (arguments.Length == 0)
        {
            await root.Parse("--help").InvokeAsync().ConfigureAwait(false);
            await Console.Out.WriteLineAsync($"Examples:\n{string.Concat(s_examples.Select(example => $"  {example}\n"))}").ConfigureAwait(false);
            return Unusable;
        }

        if (parsed.Errors.Count > 0 && !arguments.Any(word => word is "--help" or "-h" or "-?"))
        {
            foreach (var error in parsed.Errors)
            {
                Error("sim.arguments", Plain(error));
            }

            return Unusable;
        }

        try
        {
            return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false }).ConfigureAwait(false);
        }
        // The last line of defence: whatever it is, it is a bug.
        catch (Exception exception) when (exception is not OperationCanceledException)
        {
            Error("sim.internal", $"this is a bug, please report it: {exception}");
            return Internal;
        }
    }

    /// <summary>The library's words, but for those about its types.</summary>
    public static string Plain(ParseError error) => error.SymbolResult is OptionResult { Option: { } option, Tokens: [{ Value: var value }, ..] } && Number(option.ValueType)
        ? $"{option.Name}: a whole number is expected, found \"{value}\""
        : error.Message.ReplaceLineEndings(" ").Replace("\t", "", StringComparison.Ordinal);

    private static bool Number(Type type) => type == typeof(int) || type == typeof(int?);

    public static void Error(string id, string message) => Console.Error.WriteLine($"assay-sim: {id}: {message}");
}

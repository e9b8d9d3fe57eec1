using System.CommandLine;

namespace Assay.Cli.Demo;

/// <summary>
/// <c>assay demo</c>: makes a simulated machine with a CA and RIMs of its own, verifies it, writes and checks a token, then attacks it.
/// Needs no hardware, no network and no file.
/// </summary>
internal static class DemoCommand
{
    public static DescribedCommand Create()
    {
        var chapter = new Argument<string?>("chapter") { Description = "devices, machine, outage, or guest, which builds the guest's program in a checkout; all but guest when none is given", Arity = ArgumentArity.ZeroOrOne, HelpName = "CHAPTER" }.OneOf("devices", "machine", "outage", "guest");
        var output = new Option<string?>("--out") { Description = "also write the simulated set to this folder, to play with", HelpName = "DIR" };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "show every check" };
        var format = Options.Format();
        var command = new DescribedCommand(
            "demo",
            "Verifies a simulated machine, writes and checks a token, then shows attacks refused. Needs no hardware and no network.",
            "0 the honest machine passed and every attack was refused · 1 one of them did not · 2 unusable command line or folder",
            [
                "assay demo",
                "assay demo machine",
                "assay demo guest",
                "assay demo --out machine",
            ])
        {
            chapter, output, verbose, format,
        };
        command.SetAction((parsed, cancellation) => RunAsync(Read(parsed.GetValue(chapter)), parsed.GetValue(output), parsed.GetValue(verbose), parsed.GetValue(format) == Options.Json, cancellation));
        return command;
    }

    private static DemoChapter? Read(string? word) => word is null ? null : Enum.Parse<DemoChapter>(word, ignoreCase: true);

    private static async Task<int> RunAsync(DemoChapter? chapter, string? folder, bool verbose, bool json, CancellationToken cancellation)
    {
        if (folder is not null && (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())))
        {
            Output.Error("cli.folder", $"--out: {folder} exists and is not an empty folder");
            return ExitCode.Unusable;
        }

        if (chapter is DemoChapter.Guest)
        {
            return await RunGuestAsync(folder, json, cancellation).ConfigureAwait(false);
        }

        using var stage = DemoStage.Create(TimeProvider.System.GetUtcNow());
        if (folder is not null && !await TryWriteAsync(stage, folder, cancellation).ConfigureAwait(false))
        {
            return ExitCode.Unusable;
        }

        var asExpected = json
            ? await DemoJson.PrintAsync(stage, chapter, cancellation).ConfigureAwait(false)
            : await new DemoPrinter(stage, Output.Out, verbose).PrintAsync(chapter, folder, cancellation).ConfigureAwait(false);
        return asExpected ? ExitCode.Verified : ExitCode.Refused;
    }

    private static async Task<int> RunGuestAsync(string? folder, bool json, CancellationToken cancellation)
    {
        if (folder is not null)
        {
            Output.Error("cli.folder", "--out: the chapter guest writes no folder; leave out --out, or take another chapter");
            return ExitCode.Unusable;
        }

        var (program, whyNot) = await DemoGuest.BuildAsync(cancellation).ConfigureAwait(false);
        if (program is null)
        {
            Output.Error("cli.demo", whyNot!);
            return ExitCode.Unusable;
        }

        await using var guest = await DemoGuest.StartAsync(program, TimeProvider.System.GetUtcNow(), cancellation).ConfigureAwait(false);
        var asExpected = json ? await DemoGuestPrinter.PrintJsonAsync(guest, cancellation).ConfigureAwait(false) : await DemoGuestPrinter.PrintAsync(guest, Output.Out, cancellation).ConfigureAwait(false);
        return asExpected ? ExitCode.Verified : ExitCode.Refused;
    }

    private static async Task<bool> TryWriteAsync(DemoStage stage, string folder, CancellationToken cancellation)
    {
        try
        {
            await stage.WriteAsync(folder, cancellation).ConfigureAwait(false);
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            Output.Error("cli.folder", $"--out: {exception.Message}");
            return false;
        }
    }
}

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
        var chapter = new Argument<string?>("chapter") { Description = "devices, machine, outage, guest, seal, channel, service or broker; the first three when none is given: the others build the programs that they run, and need a checkout", Arity = ArgumentArity.ZeroOrOne, HelpName = "CHAPTER" }.OneOf("devices", "machine", "outage", "guest", "seal", "channel", "service", "broker");
        var output = new Option<string?>("--out") { Description = "also write the simulated set to this folder, to play with; with broker: what each party has, and broker and VM run until interrupted", HelpName = "DIR" };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "show every check" };
        var format = Options.Format();
        var command = new DescribedCommand(
            "demo",
            "Verifies a simulated machine, writes and checks a token, then shows attacks refused. Needs no hardware and no network.",
            "0 everything honest worked and every attack was refused · 1 one of them did not · 2 unusable command line or folder",
            [
                "assay demo",
                "assay demo machine",
                "assay demo guest",
                "assay demo seal",
                "assay demo channel",
                "assay demo service",
                "assay demo broker",
                "assay demo broker --out broker",
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

        if (chapter is DemoChapter.Guest or DemoChapter.Seal or DemoChapter.Channel or DemoChapter.Service or DemoChapter.Broker)
        {
            return await RunGuestAsync(chapter.Value, folder, json, cancellation).ConfigureAwait(false);
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

    private static async Task<int> RunGuestAsync(DemoChapter chapter, string? folder, bool json, CancellationToken cancellation)
    {
        if (folder is not null && chapter is not DemoChapter.Broker)
        {
            Output.Error("cli.folder", $"--out: the chapter {chapter.ToString().ToLowerInvariant()} writes no folder; leave out --out, or take another chapter");
            return ExitCode.Unusable;
        }

        var (guest, whyNot) = await BuildAsync(CheckoutProgram.Guest, cancellation).ConfigureAwait(false);
        var (server, whyNoServer) = guest is null || chapter is not (DemoChapter.Service or DemoChapter.Broker) ? (null, null) : await BuildAsync(CheckoutProgram.Server, cancellation).ConfigureAwait(false);
        if ((whyNot ?? whyNoServer) is { } reason)
        {
            Output.Error("cli.demo", reason);
            return ExitCode.Unusable;
        }

        var now = TimeProvider.System.GetUtcNow();
        var show = chapter switch
        {
            DemoChapter.Guest => ShowGuestAsync(guest!, now, json, cancellation),
            DemoChapter.Seal => ShowSealAsync(guest!, now, json, cancellation),
            DemoChapter.Service => ShowAsync(DemoService.StartAsync(guest!, server!, now, cancellation), json, cancellation),
            DemoChapter.Broker => ShowBrokerAsync(DemoBroker.StartAsync(guest!, server!, now, folder, cancellation), folder is not null, json, cancellation),
            _ => ShowChannelAsync(guest!, now, json, cancellation),
        };
        var asExpected = await show.ConfigureAwait(false);
        return asExpected ? ExitCode.Verified : ExitCode.Refused;
    }

    private static async Task<bool> ShowGuestAsync(string program, DateTimeOffset now, bool json, CancellationToken cancellation)
    {
        await using var guest = await DemoGuest.StartAsync(program, now, cancellation).ConfigureAwait(false);
        return json ? await DemoGuestPrinter.PrintJsonAsync(guest, cancellation).ConfigureAwait(false) : await DemoGuestPrinter.PrintAsync(guest, Output.Out, cancellation).ConfigureAwait(false);
    }

    private static async Task<bool> ShowSealAsync(string program, DateTimeOffset now, bool json, CancellationToken cancellation)
    {
        await using var seal = await DemoSeal.StartAsync(program, now, cancellation).ConfigureAwait(false);
        return json ? await DemoSealPrinter.PrintJsonAsync(seal, cancellation).ConfigureAwait(false) : await DemoSealPrinter.PrintAsync(seal, Output.Out, cancellation).ConfigureAwait(false);
    }

    private static async Task<bool> ShowChannelAsync(string program, DateTimeOffset now, bool json, CancellationToken cancellation)
    {
        await using var channel = await DemoChannel.StartAsync(program, now, cancellation).ConfigureAwait(false);
        return json ? await DemoChannelPrinter.PrintJsonAsync(channel, cancellation).ConfigureAwait(false) : await DemoChannelPrinter.PrintAsync(channel, Output.Out, cancellation).ConfigureAwait(false);
    }

    private static async Task<bool> ShowAsync<T>(Task<T> starting, bool json, CancellationToken cancellation)
        where T : IDemoSteps
    {
        await using var chapter = await starting.ConfigureAwait(false);
        return json ? await DemoStepPrinter.PrintJsonAsync(chapter, cancellation).ConfigureAwait(false) : await DemoStepPrinter.PrintAsync(chapter, Output.Out, cancellation).ConfigureAwait(false);
    }

    private static async Task<bool> ShowBrokerAsync(Task<DemoBroker> starting, bool isKept, bool json, CancellationToken cancellation)
    {
        await using var chapter = await starting.ConfigureAwait(false);
        var asExpected = json ? await DemoStepPrinter.PrintJsonAsync(chapter, cancellation).ConfigureAwait(false) : await DemoStepPrinter.PrintAsync(chapter, Output.Out, cancellation).ConfigureAwait(false);
        if (!isKept || !asExpected)
        {
            return asExpected;
        }

        if (!json)
        {
            // Not folded: they are copied.
            Console.Out.WriteLine("In another terminal, in this folder:");
            foreach (var line in await chapter.CommandsAsync(cancellation).ConfigureAwait(false))
            {
                Console.Out.WriteLine($"  {line}");
            }
        }

        try
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // As it was asked to.
        }

        return asExpected;
    }

    private static Task<(string? Program, string? WhyNot)> BuildAsync(CheckoutProgram program, CancellationToken cancellation)
    {
        var building = $"building {program.What}";
        return Bar.ShowAsync(building, tell =>
        {
            tell?.Invoke(new Step(0, 0, building));
            return program.BuildAsync(cancellation);
        });
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

using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Assay.Checks;
using Assay.Cli.Verify;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>
/// <c>assay demo</c>: makes a simulated machine with a CA and RIMs of its own, verifies it, writes and checks a token, then attacks it.
/// Needs no hardware, no network and no file.
/// </summary>
internal static class DemoCommand
{
    public static DescribedCommand Create()
    {
        var output = new Option<string?>("--out") { Description = "also write the simulated set to this folder, to play with", HelpName = "DIR" };
        var verbose = new Option<bool>("--verbose", "-v") { Description = "show every check" };
        var format = Options.Format();
        var command = new DescribedCommand(
            "demo",
            "Verifies a simulated machine, writes and checks a token, then shows attacks refused. Needs no hardware and no network.",
            "0 the honest machine passed and every attack was refused · 1 one of them did not · 2 unusable command line or folder",
            [
                "assay demo",
                "assay demo --out machine",
            ])
        {
            output, verbose, format,
        };
        command.SetAction((parsed, cancellation) => RunAsync(parsed.GetValue(output), parsed.GetValue(verbose), parsed.GetValue(format) == Options.Json, cancellation));
        return command;
    }

    private static async Task<int> RunAsync(string? folder, bool verbose, bool json, CancellationToken cancellation)
    {
        if (folder is not null && (File.Exists(folder) || (Directory.Exists(folder) && Directory.EnumerateFileSystemEntries(folder).Any())))
        {
            Output.Error("cli.folder", $"--out: {folder} exists and is not an empty folder");
            return ExitCode.Unusable;
        }

        using var stage = DemoStage.Create(TimeProvider.System.GetUtcNow());
        if (folder is not null && !await TryWriteAsync(stage, folder, cancellation).ConfigureAwait(false))
        {
            return ExitCode.Unusable;
        }

        var asExpected = json
            ? await PrintJsonAsync(stage, cancellation).ConfigureAwait(false)
            : await PrintAsync(stage, Output.Out, verbose, folder, cancellation).ConfigureAwait(false);
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

    private static async Task<bool> PrintAsync(DemoStage stage, IAnsiConsole console, bool verbose, string? folder, CancellationToken cancellation)
    {
        console.MarkupLineInterpolated($"[bold]A simulated machine: {DemoStage.Gpus} GPUs and {DemoStage.Switches} NVSwitches answer one challenge[/]");
        console.WriteLine("Simulated devices prove nothing about hardware: each of their certificates says so in a critical extension.");
        console.WriteLine();
        var watch = Stopwatch.StartNew();
        var verdict = await stage.VerifyAsync(stage.Honest, cancellation).ConfigureAwait(false);
        var asExpected = verdict.Kind is VerdictKind.Pass;
        if (verbose || !asExpected)
        {
            new VerdictPrinter(console, verbose).Print(verdict);
        }
        else
        {
            PrintShort(console, verdict, watch.ElapsedMilliseconds);
        }

        asExpected &= PrintToken(stage, console, verdict);
        asExpected &= await PrintShippedAsync(console, cancellation).ConfigureAwait(false);
        console.WriteLine();
        console.MarkupLine("[bold]Attacks, each refused for its own reason[/]");
        asExpected &= await PrintAttacksAsync(stage, console, DemoAttacks.All, cancellation).ConfigureAwait(false);
        asExpected &= await PrintMachineAsync(stage, console, verbose, cancellation).ConfigureAwait(false);
        asExpected &= await PrintPlugAsync(stage, console, cancellation).ConfigureAwait(false);
        if (folder is not null)
        {
            PrintCommand(console, stage, folder);
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? "[green]The honest machine passed, every attack was refused.[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected;
    }

    /// <summary>Devices, processor, boot log and key as one: S-1 is about nothing else.</summary>
    private static async Task<bool> PrintMachineAsync(DemoStage stage, IAnsiConsole console, bool verbose, CancellationToken cancellation)
    {
        console.WriteLine();
        console.MarkupLine("[bold]The confidential VM that uses them: TDX quote, boot log, devices and its key as one[/]");
        var cvm = await stage.CvmAsync(cancellation).ConfigureAwait(false);
        var verdict = await cvm.HonestAsync().ConfigureAwait(false);
        var asExpected = verdict is { Kind: VerdictKind.Pass, Binding: "boot-event" };
        if (verbose || !asExpected)
        {
            new VerdictPrinter(console, verbose).Print(verdict);
        }
        else
        {
            var machine = verdict.Machine!;
            console.MarkupLineInterpolated($"  [bold green]{verdict.Word.ToUpperInvariant()}[/]  freshness: {verdict.Freshness}, binding to a CVM: {verdict.Binding}, TCB: {machine.Parts.Cpu!.Tee!.TcbStatus}");
            foreach (var finding in machine.Findings.Where(finding => finding.Id.StartsWith("binding.", StringComparison.Ordinal)))
            {
                console.WriteLine(Folded.To($"    {finding.Id,-24} {Printable.Of(finding.Found ?? finding.Reason ?? "held")}", console.Profile.Width));
            }
        }

        console.WriteLine();
        console.MarkupLine("[bold]Attacks on the binding[/]");
        return asExpected & await PrintAttacksAsync(stage, console, DemoAttacks.OnMachine, cancellation).ConfigureAwait(false);
    }

    /// <summary>An outage must stop nothing while signatures are current, and a date that is known in advance must.</summary>
    private static async Task<bool> PrintPlugAsync(DemoStage stage, IAnsiConsole console, CancellationToken cancellation)
    {
        console.WriteLine();
        console.MarkupLine("[bold]The plug is pulled: collateral through a proxy, from its cache, from a bundle[/]");
        var outcome = await DemoPlug.PullAsync(stage, cancellation).ConfigureAwait(false);
        Say(outcome.Proxied, $"through the proxy: {outcome.Fetched} items fetched from the services, each verified before it is kept");
        Say(outcome.Cached, $"the services are stopped: {outcome.FromCache} items from the cache");
        Say(outcome.Alone, $"the proxy is stopped too: all from a bundle of {outcome.Bundle.Items.Length} items that the site signed");
        console.MarkupLineInterpolated($"  [{(outcome.Past is null ? "red" : "green")}]{(outcome.Past is null ? "PASSED " : "refused")}[/]  the same bundle, a second past the date that it was made known to be good until");
        console.WriteLine(Folded.To($"           {outcome.Past?.Id ?? "bundle.current"}: {Printable.Of(outcome.Past?.Reason ?? "not found")}", console.Profile.Width));
        return outcome.AsExpected;

        void Say(Verdict verdict, string what) => console.MarkupLineInterpolated($"  [{(verdict.Kind is VerdictKind.Pass ? "green" : "red")}]{verdict.Word.ToUpperInvariant(),-7}[/]  {what}");
    }

    private static async Task<bool> PrintAttacksAsync(DemoStage stage, IAnsiConsole console, IEnumerable<DemoAttacks.Attack> attacks, CancellationToken cancellation)
    {
        var asExpected = true;
        foreach (var attack in attacks)
        {
            var answer = await attack.RunAsync(stage, cancellation).ConfigureAwait(false);
            asExpected &= answer.Refused;
            console.MarkupLineInterpolated($"  [{(answer.Refused ? "green" : "red")}]{(answer.Refused ? "refused" : "PASSED ")}[/]  {attack.Title}");
            console.WriteLine(Folded.To($"           {attack.Finding}: {Printable.Of(answer.Reason ?? "not found")}", console.Profile.Width));
        }

        return asExpected;
    }

    private static void PrintShort(IAnsiConsole console, Verdict verdict, long milliseconds)
    {
        console.MarkupLineInterpolated($"  [bold green]{verdict.Word.ToUpperInvariant()}[/]  anchors: {verdict.Anchors}, freshness: {verdict.Freshness}, binding to a CVM: {verdict.Binding}  ({milliseconds} ms, nothing cached)");
        console.WriteLine(Folded.To($"  weakened by {string.Join(", ", verdict.Weakened)}: devices alone are a weak statement", console.Profile.Width));
        foreach (var kind in verdict.Appraisal.Devices.GroupBy(device => (device.Kind, device.Device!.Identity.HardwareModel, device.Measurements?.Matched, device.Measurements?.Compared)))
        {
            var word = kind.Key.Kind switch { DeviceKind.Gpu => "GPUs", DeviceKind.Switch => "NVSwitches", _ => "devices of no known kind" };
            console.WriteLine($"  {kind.Count()} {word} {kind.Key.HardwareModel}: {kind.First().Findings.Length} checks and {kind.Key.Matched} of {kind.Key.Compared} measurements each");
        }

        foreach (var sentence in verdict.Proven)
        {
            console.MarkupLineInterpolated($"  [green]+[/] {sentence}");
        }

        foreach (var sentence in verdict.NotProven)
        {
            console.MarkupLineInterpolated($"  [yellow]-[/] {sentence}");
        }
    }

    private static bool PrintToken(DemoStage stage, IAnsiConsole console, Verdict verdict)
    {
        console.WriteLine();
        console.MarkupLine("[bold]Its result as a token, checked with the issuer's public key alone[/]");
        console.WriteLine("  Its reader accepts by name what devices alone leave open (assay token verify --accept-weakened).");
        var token = stage.Token(verdict);
        var accepted = EatBundleReader.TryVerify(token, stage.Keys, stage.ExpectToken(stage.Nonce), out var verified, out var findings);
        if (!accepted)
        {
            var failed = findings.First(finding => finding.State is CheckState.Failed);
            console.MarkupLineInterpolated($"  [red]refused[/]  {failed.Id}: {failed.Reason}");
            return false;
        }

        console.MarkupLineInterpolated($"  [green]accepted[/]  detached EAT bundle of {token.Length:N0} bytes by {verified!.Issuer}, {verified.Devices.Count()} submodules, {findings.Length} checks");
        return true;
    }

    // The set that ships with the source, judged at the time of its making: the same bytes for everybody, today and in ten years.
    private static async Task<bool> PrintShippedAsync(IAnsiConsole console, CancellationToken cancellation)
    {
        if (ShippedSet.TryFind() is not { } shipped)
        {
            // A published command brings no vectors; in a checkout a missing set is an error, not a pass.
            return true;
        }

        var verdict = await DemoStage.VerifyAsync(shipped, new VerifierCache(), cancellation).ConfigureAwait(false);
        var asExpected = verdict.Kind is VerdictKind.Pass;
        console.WriteLine();
        console.MarkupLine("[bold]The switch of vectors/simulated, the same bytes in every checkout[/]");
        console.MarkupLineInterpolated($"  [{(asExpected ? "green" : "red")}]{verdict.Word}[/]  {verdict.Appraisal.Devices.Sum(device => device.Measurements?.Matched ?? 0)} measurements match");
        return asExpected;
    }

    private static void PrintCommand(IAnsiConsole console, DemoStage stage, string folder)
    {
        console.WriteLine();
        console.WriteLine($"Written to {Printable.Of(folder)}. Try:");
        var quoted = $"'{folder.Replace("'", "'\\''", StringComparison.Ordinal)}'";
        var command = Environment.GetEnvironmentVariable("ASSAY_COMMAND") ?? "assay";
        console.WriteLine(
            $"  {command} verify --evidence {quoted}/gpu_evidence.json {quoted}/switch_evidence.json --anchors {quoted}/anchors.json --rim-store {quoted}/rims --ocsp-store {quoted}/ocsp --nonce {stage.Nonce}");
        console.WriteLine(
            $"  {command} verify --evidence {quoted}/{DemoMachineFiles.Bundle} --nonce {DemoMachine.Challenge} --reference-values {quoted}/{DemoMachineFiles.References} --cpu-collateral {quoted}/{DemoMachineFiles.Collateral}"
            + $" --anchors {quoted}/{DemoMachineFiles.Anchors} --rim-store {quoted}/rims --ocsp-store {quoted}/ocsp --expect gpus={DemoStage.Gpus},switches={DemoStage.Switches}");
    }

    private static async Task<bool> PrintJsonAsync(DemoStage stage, CancellationToken cancellation)
    {
        var honest = await stage.VerifyAsync(stage.Honest, cancellation).ConfigureAwait(false);
        var shipped = ShippedSet.TryFind() is { } scene ? await DemoStage.VerifyAsync(scene, new VerifierCache(), cancellation).ConfigureAwait(false) : null;
        var token = EatBundleReader.TryVerify(stage.Token(honest), stage.Keys, stage.ExpectToken(stage.Nonce), out _, out _);
        var cvm = await stage.CvmAsync(cancellation).ConfigureAwait(false);
        var machine = await cvm.HonestAsync().ConfigureAwait(false);
        var asExpected = token && machine is { Kind: VerdictKind.Pass, Binding: "boot-event" } && honest.Kind is VerdictKind.Pass && (shipped is null || shipped.Kind is VerdictKind.Pass);
        using var buffer = new MemoryStream();
        using var writer = new Utf8JsonWriter(buffer, HarmlessJson.Options);
        writer.WriteStartObject();
        writer.WriteString("shipped", shipped?.Word);
        writer.WriteString("honest", honest.Word);
        writer.WriteBoolean("tokenAccepted", token);
        writer.WriteString("machine", machine.Word);
        writer.WriteString("binding", machine.Binding);
        writer.WriteStartArray("attacks");
        foreach (var attack in DemoAttacks.All.Concat(DemoAttacks.OnMachine))
        {
            var answer = await attack.RunAsync(stage, cancellation).ConfigureAwait(false);
            asExpected &= answer.Refused;
            writer.WriteStartObject();
            writer.WriteString("attack", attack.Title);
            writer.WriteBoolean("refused", answer.Refused);
            writer.WriteString("finding", attack.Finding);
            writer.WriteString("reason", answer.Reason);
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
        var plug = await DemoPlug.PullAsync(stage, cancellation).ConfigureAwait(false);
        asExpected &= plug.AsExpected;
        writer.WriteStartObject("outage");
        writer.WriteString("throughProxy", plug.Proxied.Word);
        writer.WriteString("fromCache", plug.Cached.Word);
        writer.WriteString("fromBundle", plug.Alone.Word);
        writer.WriteString("pastGoodUntil", plug.Past?.Id);
        writer.WriteEndObject();
        writer.WriteBoolean("asExpected", asExpected);
        writer.WriteEndObject();
        await writer.FlushAsync(cancellation).ConfigureAwait(false);
        using var output = Console.OpenStandardOutput();
        output.Write(HarmlessJson.Of(buffer.ToArray()));
        output.Write("\n"u8);
        return asExpected;
    }
}

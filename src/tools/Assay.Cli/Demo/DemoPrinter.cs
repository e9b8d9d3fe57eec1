using System.Diagnostics;
using Assay.Checks;
using Assay.Cli.Verify;
using Assay.Evidence.Files;
using Assay.Policy;
using Assay.Tokens;
using Assay.Trust;
using Assay.Wire;
using Spectre.Console;

namespace Assay.Cli.Demo;

/// <summary>The chapters of the demonstration as people read them. Each answers whether all went as expected.</summary>
internal sealed class DemoPrinter(DemoStage stage, IAnsiConsole console, bool verbose)
{
    public async Task<bool> PrintAsync(DemoChapter? only, string? folder, CancellationToken cancellation)
    {
        console.WriteLine("Everything here is simulated and proves nothing about hardware: each certificate says so in an extension.");
        var asExpected = true;
        if (only is null or DemoChapter.Devices)
        {
            asExpected &= await PrintDevicesAsync(cancellation).ConfigureAwait(false);
        }

        if (only is null or DemoChapter.Machine)
        {
            asExpected &= await PrintMachineAsync(cancellation).ConfigureAwait(false);
        }

        if (only is null or DemoChapter.Outage)
        {
            asExpected &= await PrintOutageAsync(cancellation).ConfigureAwait(false);
        }

        if (folder is not null)
        {
            PrintCommand(folder);
        }

        console.WriteLine();
        console.MarkupLine(asExpected ? $"[green]{Summary(only)}[/]" : "[red]Something above is not as it should be.[/]");
        return asExpected;
    }

    private static string Summary(DemoChapter? only) => only is DemoChapter.Outage
        ? "The outage stopped nothing until the date that the bundle states."
        : "The honest machine passed, every attack was refused.";

    private async Task<bool> PrintDevicesAsync(CancellationToken cancellation)
    {
        console.WriteLine();
        console.MarkupLineInterpolated($"[bold]A simulated machine: {DemoStage.Gpus} GPUs and {DemoStage.Switches} NVSwitches answer one challenge[/]");
        var watch = Stopwatch.StartNew();
        var verdict = await stage.VerifyAsync(stage.Honest, cancellation).ConfigureAwait(false);
        var asExpected = verdict.Kind is VerdictKind.Pass;
        if (verbose || !asExpected)
        {
            new VerdictPrinter(console, verbose).Print(verdict);
        }
        else
        {
            PrintShort(verdict, watch.ElapsedMilliseconds);
        }

        asExpected &= PrintToken(verdict);
        asExpected &= await PrintShippedAsync(cancellation).ConfigureAwait(false);
        console.WriteLine();
        console.MarkupLine("[bold]Attacks, each refused for its own reason[/]");
        return asExpected & await PrintAttacksAsync(DemoAttacks.All, cancellation).ConfigureAwait(false);
    }

    /// <summary>Devices, processor, boot log and key as one: S-1 is about nothing else.</summary>
    private async Task<bool> PrintMachineAsync(CancellationToken cancellation)
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
            console.WriteLine(Folded.To($"    weakened by {string.Join(", ", verdict.Weakened)}", console.Profile.Width));
            foreach (var finding in machine.Findings.Where(finding => finding.Id.StartsWith("binding.", StringComparison.Ordinal)))
            {
                console.WriteLine(Folded.To($"    {finding.Id,-24} {Printable.Of(finding.Found ?? finding.Reason ?? "held")}", console.Profile.Width));
            }
        }

        console.WriteLine();
        console.MarkupLine("[bold]Attacks on the binding[/]");
        return asExpected & await PrintAttacksAsync(DemoAttacks.OnMachine, cancellation).ConfigureAwait(false);
    }

    /// <summary>An outage must stop nothing while signatures are current, and a date that is known in advance must.</summary>
    private async Task<bool> PrintOutageAsync(CancellationToken cancellation)
    {
        console.WriteLine();
        console.MarkupLine("[bold]An outage: collateral through a proxy, from its cache, from a bundle[/]");
        var outcome = await DemoPlug.PullAsync(stage, cancellation).ConfigureAwait(false);
        Say(outcome.Proxied, $"through the proxy: {outcome.Fetched} items fetched from the services, each verified before it is kept");
        Say(outcome.Cached, $"the services are stopped: {outcome.FromCache} items from the cache");
        Say(outcome.Alone, $"the proxy is stopped too: all from a bundle of {outcome.Bundle.Items.Length} items that the site signed");
        DemoLine.Print(console, outcome.Past is not null, outcome.Past is null ? "PASSED" : "refused", "the same bundle, a second after the date it is good until", $"{outcome.Past?.Id ?? "bundle.current"}: {outcome.Past?.Reason ?? "not found"}");
        return outcome.AsExpected;

        void Say(Verdict verdict, string what) => DemoLine.Print(console, verdict.Kind is VerdictKind.Pass, verdict.Word.ToUpperInvariant(), what);
    }

    private async Task<bool> PrintAttacksAsync(IEnumerable<DemoAttacks.Attack> attacks, CancellationToken cancellation)
    {
        var asExpected = true;
        foreach (var attack in attacks)
        {
            var answer = await attack.RunAsync(stage, cancellation).ConfigureAwait(false);
            asExpected &= answer.Refused;
            DemoLine.Print(console, answer.Refused, answer.Refused ? "refused" : "PASSED", attack.Title, $"{attack.Finding}: {answer.Reason ?? "not found"}");
        }

        return asExpected;
    }

    private void PrintShort(Verdict verdict, long milliseconds)
    {
        console.MarkupLineInterpolated($"  [bold green]{verdict.Word.ToUpperInvariant()}[/]  anchors: {verdict.Anchors}, freshness: {verdict.Freshness}, binding to a CVM: {verdict.Binding}  ({milliseconds} ms, nothing cached)");
        console.WriteLine(Folded.To($"  weakened by {string.Join(", ", verdict.Weakened)}: device evidence alone proves little", console.Profile.Width));
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

    private bool PrintToken(Verdict verdict)
    {
        console.WriteLine();
        console.MarkupLine("[bold]Its result as a token, checked with the issuer's public key alone[/]");
        console.WriteLine("  The reader accepts by name what device evidence alone leaves open (assay token verify --accept-weakened).");
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
    private async Task<bool> PrintShippedAsync(CancellationToken cancellation)
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

    private void PrintCommand(string folder)
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
}

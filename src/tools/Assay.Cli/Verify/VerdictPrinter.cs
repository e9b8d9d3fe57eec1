using System.Collections.Immutable;
using Assay.Appraisal.Devices;
using Assay.Checks;
using Assay.Evidence.Devices;
using Assay.Policy;
using Spectre.Console;

namespace Assay.Cli.Verify;

/// <summary>A verdict for people: one line for each check with found and expected, what to do about what failed, and what is (not) proven.</summary>
internal sealed class VerdictPrinter(IAnsiConsole console, bool verbose)
{
    /// <summary>The bundle that collateral came from, by its name; null where there is none.</summary>
    public string? Bundle { get; init; }

    /// <summary>The weakenings for which a pass ends with exit code 1.</summary>
    public IReadOnlyList<string> Refused { get; init; } = [];

    // More devices than this, and checks that held are counted instead of listed.
    private const int Listed = 2;
    private const int IdWidth = 34;
    private const int LabelWidth = 20;

    public void Print(Verdict verdict)
    {
        var appraisal = verdict.Appraisal;
        PrintHeadline(verdict);
        // A pass says first what it is not: many read no further.
        var passes = verdict.Kind is VerdictKind.Pass;
        if (passes)
        {
            PrintList("It does not prove", "-", "yellow", verdict.NotProven);
        }
        else
        {
            // What to fetch is what most readers of an incomplete verdict look for.
            new MissingPrinter(console, Line).Print(verdict);
        }

        var all = verbose || appraisal.Devices.Length <= Listed;
        PrintDevices(appraisal.Devices, all);

        if (!appraisal.Devices.IsEmpty)
        {
            console.WriteLine();
            console.MarkupLine("[bold]All devices together[/]");
            PrintFindings(appraisal.Findings, all);
        }

        var machine = new MachinePrinter(console, Line, PrintFindings, verbose);
        machine.PrintProcessor(verdict.Machine);
        machine.PrintBoot(verdict.Machine);
        machine.PrintWhole(verdict.Machine);
        PrintPolicy(verdict);
        if (passes)
        {
            new MissingPrinter(console, Line).Print(verdict);
        }

        PrintAdvice(verdict);
        PrintList("This verdict proves", "+", "green", verdict.Proven);
        if (!passes)
        {
            PrintList("It does not prove", "-", "yellow", verdict.NotProven);
        }
    }

    private void PrintHeadline(Verdict verdict)
    {
        var appraisal = verdict.Appraisal;
        var (word, colour) = verdict.Kind switch
        {
            VerdictKind.Pass => ("PASS", "green"),
            VerdictKind.Incomplete => ("INCOMPLETE", "yellow"),
            _ => ("FAIL", "red"),
        };
        var weakened = verdict.Kind is VerdictKind.Pass && !verdict.Weakened.IsEmpty ? " weakened" : "";
        var headline = Folded.To($"{word}{weakened} · {Headline.Of(verdict)}", console.Profile.Width);
        console.Markup($"[bold {colour}]{word}[/][yellow]{weakened}[/]");
        Folded.Print(console, headline[(word.Length + weakened.Length)..]);
        if (verdict.Kind is VerdictKind.Fail && Because.Of(verdict) is { } because)
        {
            Row("because", because);
        }

        // Who reads the first line alone must not take it for an acceptance.
        if (Refused.Count > 0)
        {
            Row("not accepted", $"exit code 1: you do not accept {string.Join(", ", Refused)}");
        }

        var at = Instant.Text(appraisal.Basis.Time.Instant);
        Row("evaluated at", $"{at} ({verdict.TimeSource} time)");
        Row("anchors", verdict.Anchors);
        Row("freshness", verdict.Freshness);
        Row("binding to a CVM", verdict.Binding);
        Row("platform", verdict.Platform is "not-asked" ? "not asked" : verdict.Platform);
        // What did not pass is not weakened or unweakened.
        if (verdict.Kind is VerdictKind.Pass)
        {
            Row("weakened", verdict.Weakened.IsEmpty ? "no" : string.Join(", ", verdict.Weakened));
        }

        if (verdict.Configuration is { } configuration)
        {
            Row("configuration", $"{configuration.Path} (SHA-384 {configuration.Sha384.ToString()[..16]}…)");
            if (!configuration.Departures.IsEmpty)
            {
                Row("given beside it", string.Join(", ", configuration.Departures));
            }
        }

        if (verdict.Policy is { IsBrought: true } policy)
        {
            Row("policy", $"{Printable.Of(policy.Id)} (SHA-256 {policy.Digest})");
        }

        if (!verdict.AllowedAlthough.IsEmpty)
        {
            console.MarkupLine("[yellow]Allowed by policy although:[/]");
            foreach (var item in verdict.AllowedAlthough)
            {
                Line($"  device {item.DeviceIndex}: {item.Finding.Id}  {item.Finding.Reason}".TrimEnd());
            }
        }
    }

    // Reasons quote evidence, certificates, RIMs, file names and services: none of them may move the cursor or begin a line.
    private void Line(string text) => Folded.Print(console, Folded.To(Printable.Of(text), console.Profile.Width));

    private void Row(string label, string value) => Folded.Print(console, Folded.To(Printable.Of($"  {label,-18}{value}"), console.Profile.Width, LabelWidth));

    // A heading in bold, and what is behind it.
    private void Heading(string bold, string text)
    {
        bold = Printable.Of(bold);
        var line = Folded.To(Printable.Of($"{bold} {text}"), console.Profile.Width);
        console.MarkupInterpolated($"[bold]{bold}[/]");
        Folded.Print(console, line[bold.Length..]);
    }

    // Devices about which the same is said, one behind the other, share what is said: the failure of twelve is one failure.
    private void PrintDevices(ImmutableArray<DeviceResult> devices, bool all)
    {
        for (var first = 0; first < devices.Length;)
        {
            var said = Said(devices[first], all);
            var next = first + 1;
            while (!verbose && next < devices.Length && Said(devices[next], all) == said)
            {
                next++;
            }

            var (from, to) = (devices[first], devices[next - 1]);
            console.WriteLine();
            Heading(next - first == 1 ? $"Device {from.Index}" : $"Devices {from.Index}–{to.Index}", $"{NameOf(from)}  ({from.Source}{(next - first == 1 ? "" : $" to {Behind(from.Source, to.Source)}")})");
            PrintDevice(from, all);
            first = next;
        }
    }

    // "machine.json gpus[0] to gpus[7]": a file is named once.
    private static string Behind(string from, string to)
    {
        var file = from.LastIndexOf(' ') + 1;
        return file > 0 && to.Length > file && to.StartsWith(from[..file], StringComparison.Ordinal) ? to[file..] : to;
    }

    private string Said(DeviceResult device, bool all)
    {
        using var text = new StringWriter();
        var page = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Interactive = InteractionSupport.No });
        page.Profile.Width = console.Profile.Width;
        page.WriteLine(NameOf(device));
        new VerdictPrinter(page, verbose).PrintDevice(device, all);
        return text.ToString();
    }

    private static string NameOf(DeviceResult device) => device.Device is { } authentic
            ? $"{DeviceKindWords.Of(device.Kind).Name} {authentic.Identity.HardwareModel}"
            : device.Findings.FirstOrDefault(finding => finding.State is CheckState.Failed) is { } first ? $"not authentic: {first.Id} failed"
            : "not authentic";

    private void PrintDevice(DeviceResult device, bool all)
    {
        PrintFindings(device.Findings, all);
        if (device.Measurements is { } match)
        {
            Line($"  {match.Matched} of {match.Compared} measurements match"
                + (match.Unreferenced.IsEmpty ? "" : $"; no RIM names index {string.Join(", ", match.Unreferenced)}"));
            foreach (var mismatch in match.Mismatches)
            {
                Line($"  index {mismatch.Index} {mismatch.Name} ({mismatch.Source})");
                Line($"    found     {mismatch.RuntimeValue}");
                Line($"    expected  {mismatch.GoldenValue}");
            }
        }
    }

    private void PrintFindings(IEnumerable<Finding> findings, bool all)
    {
        var (held, absent) = (0, 0);
        var stopped = new List<Finding>();
        foreach (var finding in findings)
        {
            // One cause, one line: what was stopped by the same thing says so once.
            if (!verbose && finding.Cause is NotCheckedCause.Stopped)
            {
                if (stopped.Count > 0 && stopped[0].Reason != finding.Reason)
                {
                    PrintStopped(stopped);
                }

                stopped.Add(finding);
                continue;
            }

            PrintStopped(stopped);
            if (!all && finding.State is CheckState.Held or CheckState.NotApplicable)
            {
                (held, absent) = finding.State is CheckState.Held ? (held + 1, absent) : (held, absent + 1);
                continue;
            }

            PrintFinding(finding);
        }

        PrintStopped(stopped);
        if (held + absent > 0)
        {
            Line($"  {held} {(held == 1 ? "check" : "checks")} held, {absent} {(absent == 1 ? "does" : "do")} not apply (--verbose lists them)");
        }
    }

    private void PrintStopped(List<Finding> stopped)
    {
        if (stopped.Count == 1)
        {
            PrintFinding(stopped[0]);
        }
        else if (stopped.Count > 1)
        {
            PrintFinding(stopped[0] with { Reason = $"{stopped[0].Reason} (likewise {stopped.Count - 1} more, up to {stopped[^1].Id})" });
        }

        stopped.Clear();
    }

    private void PrintFinding(Finding finding)
    {
        var (mark, colour) = finding.State switch
        {
            CheckState.Held => ("held", "green"),
            CheckState.Failed => ("FAILED", "red"),
            CheckState.NotApplicable => ("n/a", "grey"),
            _ => ("not checked", "yellow"),
        };
        var text = finding.Reason ?? finding.Found ?? "";
        const int markWidth = 14;
        console.Markup($"  [{colour}]{mark,-12}[/]");
        // As wide as the mark, whose colour takes no columns.
        Folded.Print(console, Folded.To(new string(' ', markWidth) + Printable.Of($"{finding.Id.PadRight(IdWidth)} {text}".TrimEnd()), console.Profile.Width)[markWidth..]);
        // Measurements are listed value by value behind the findings.
        if (finding.State is CheckState.Failed && finding.Expected is not null && !finding.Id.StartsWith("measurements.", StringComparison.Ordinal))
        {
            Line($"    found     {finding.Found}");
            Line($"    expected  {finding.Expected}");
        }
    }

    private void PrintPolicy(Verdict verdict)
    {
        if (!verdict.PolicyFindings.IsEmpty)
        {
            console.WriteLine();
            console.MarkupLine("[bold]Policy[/]");
            PrintFindings(verdict.PolicyFindings, all: true);
        }
    }

    private void PrintAdvice(Verdict verdict)
    {
        var advice = Advice.For(verdict, Bundle);
        if (advice.Count == 0)
        {
            return;
        }

        console.WriteLine();
        console.MarkupLine("[bold]What to do[/]");
        foreach (var line in advice)
        {
            Folded.Print(console, Folded.To(Printable.Of($"  * {line}"), console.Profile.Width, 4));
        }
    }

    private void PrintList(string title, string mark, string colour, IReadOnlyCollection<string> sentences)
    {
        if (sentences.Count == 0)
        {
            return;
        }

        console.WriteLine();
        console.MarkupLine($"[bold]{title}[/]");
        foreach (var sentence in sentences)
        {
            // Folded with its bullet: what is before the text takes columns too.
            var bullet = $"  {mark} ";
            console.Markup($"[{colour}]{bullet}[/]");
            Folded.Print(console, Folded.To(bullet + Printable.Of(sentence), console.Profile.Width, bullet.Length)[bullet.Length..]);
        }
    }
}

using System.CommandLine;
using System.Text.RegularExpressions;
using Assay.Cli;
using Assay.Cli.Verify;
using Assay.Tests.Cli;
using Spectre.Console;

namespace Assay.Tests.Golden;

/// <summary>
/// What people read, at four widths of a terminal: no line is wider, no word is broken that fits, and it is what it was.
/// ASSAY_UPDATE_GOLDEN=1 writes the files under vectors/golden-text anew; the change is then seen in review.
/// </summary>
public sealed partial class GoldenTextTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>
{
    private const string Hopper = "nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json";
    private const string HopperRims = "nvidia/rims/fsstore_545.00";
    private const string HopperNonce = "4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e";
    private static readonly int[] s_widths = [60, 80, 100, 120];
    private static readonly bool s_update = Environment.GetEnvironmentVariable("ASSAY_UPDATE_GOLDEN") is "1";

    public static TheoryData<string, string[]> OfRecorded => new()
    {
        { "hopper", ["--evidence", "V:" + Hopper, "--rim-store", "V:" + HopperRims, "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--nonce", HopperNonce] },
        { "hopper-other-nonce", ["--evidence", "V:" + Hopper, "--rim-store", "V:" + HopperRims, "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--nonce", new string('0', 64)] },
        { "blackwell-without-rims", ["--report", "V:nvidia/gpu/blackwell_575.32/blackwellAttestationReport.txt", "--chain", "V:nvidia/gpu/blackwell_575.32/blackwellCertChain.txt", "--dangerously-skip-revocation", "--at", "2025-06-01T00:00:00Z"] },
        { "tdx-without-collateral", ["--cpu-evidence", "V:cpu/tdx/tdx_quote", "--at", "2025-07-01T00:00:00Z"] },
        { "snp-without-collateral", ["--cpu-evidence", "V:cpu/snp/dstack/report.bin", "--at", "2026-07-01T00:00:00Z"] },
    };

    [Theory]
    [MemberData(nameof(OfRecorded))]
    public Task The_text_about_recorded_evidence_is_what_it_was(string name, string[] arguments) =>
        Compare(name, [.. arguments.Select(argument => argument.StartsWith("V:", StringComparison.Ordinal) ? Recorded.PathOf(argument[2..]) : argument)], text => text.Replace(Recorded.Root!, "", StringComparison.Ordinal));

    [Theory]
    [InlineData("machine", "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=")]
    [InlineData("machine-other-challenge", "another")]
    public Task The_text_about_a_machine_says_the_same_failure_once(string name, string challenge)
    {
        string File(string file) => Path.Combine(machine.Folder, file);
        return Compare(name,
        [
            "--evidence", File("machine.json"), "--nonce", challenge, "--expect", "gpus=8,switches=4", "--reference-values", File("reference_values.json"), "--cpu-collateral", File("tdx_collateral.json"),
            "--anchors", File("machine_anchors.json"), "--rim-store", File("rims"), "--ocsp-store", File("ocsp"),
        ], Settled);
    }

    private static async Task Compare(string name, string[] arguments, Func<string, string> settled)
    {
        var options = new VerifyOptions();
        var command = new Command("verify");
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        Assert.True(VerifyRequest.TryRead(options, command.Parse(arguments), TimeProvider.System, out var request, out var faults), string.Join('\n', faults));
        using (request)
        {
            var verdict = await VerifyCommand.JudgeAsync(request, TestContext.Current.CancellationToken);
            foreach (var width in s_widths)
            {
                var text = settled(Print(page => new VerdictPrinter(page, verbose: false).Print(verdict), width));
                Assert.All(text.Split('\n'), line => Assert.True(line.Length <= width || !line.TrimStart().Contains(' ', StringComparison.Ordinal), $"{width}: {line}"));
                var file = Path.Combine(Repository.Root, "vectors", "golden-text", $"{name}.{width}.txt");
                if (s_update)
                {
                    File.WriteAllText(file, text);
                }

                Assert.Equal(File.ReadAllText(file), text);
            }

            // Folding moves words to other lines and changes none.
            string[] Words(int width) => Print(page => new VerdictPrinter(page, verbose: false).Print(verdict), width).Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries);
            Assert.All(s_widths, width => Assert.Equal(Words(10_000), Words(width)));
        }
    }

    private static string Print(Action<IAnsiConsole> print, int width)
    {
        using var text = new StringWriter { NewLine = "\n" };
        var page = AnsiConsole.Create(new AnsiConsoleSettings { Out = new AnsiConsoleOutput(text), Ansi = AnsiSupport.No, ColorSystem = ColorSystemSupport.NoColors, Interactive = InteractionSupport.No });
        page.Profile.Width = width;
        print(page);
        return text.ToString().ReplaceLineEndings("\n");
    }

    // A machine is made anew, with keys and times of its own, all of one length: only their characters differ.
    private static string Settled(string text) => Key().Replace(Hexadecimal().Replace(Time().Replace(text, "2026-01-01T00:00:00Z"), match => new string('0', match.Length)), match => new string('A', match.Length));

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")]
    private static partial Regex Time();

    [GeneratedRegex(@"\b[0-9A-Fa-f]{12,}\b")]
    private static partial Regex Hexadecimal();

    [GeneratedRegex(@"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*[0-9A-Z])[A-Za-z0-9_-]{20,}={0,2}(?![A-Za-z0-9_.-])")]
    private static partial Regex Key();
}

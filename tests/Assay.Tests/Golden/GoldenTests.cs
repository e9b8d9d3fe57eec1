using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Tests.Architecture;
using Assay.Tests.Cli;
using Assay.Tests.Cli.Explain;

namespace Assay.Tests.Golden;

/// <summary>
/// What programs read does not change unnoticed: the list of check ids, and a verdict in JSON of each kind, as they were.
/// ASSAY_UPDATE_GOLDEN=1 writes the files under vectors/golden anew; the change is then seen in review.
/// </summary>
public sealed partial class GoldenTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>
{
    private const string Hopper = "nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json";
    private const string HopperNonce = "4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e";
    private const string Switches = "nvidia/switch/ls10_96.10.55.00.01_full_offline/switch_evidence_ls10.json";
    private const string Quote = "cpu/tdx/tdx_quote";
    private const string QuoteCollateral = "cpu/tdx/tdx_quote_collateral.json";

    private static readonly JsonSerializerOptions s_readable = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly bool s_update = Environment.GetEnvironmentVariable("ASSAY_UPDATE_GOLDEN") is "1";
    private static readonly AssayCommand s_assay = new();

    /// <summary>Name, exit code and arguments; a path of recorded evidence is written with V: before it, one of a case with C:.</summary>
    public static TheoryData<string, int, string[]> OfRecorded => new()
    {
        { "hopper", 0, ["--evidence", "V:" + Hopper, "--rim-store", "V:nvidia/rims/fsstore_545.00", "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--nonce", HopperNonce] },
        { "hopper-expired", 1, ["--evidence", "V:" + Hopper, "--rim-store", "V:nvidia/rims/fsstore_545.00", "--dangerously-skip-revocation", "--at", "2026-11-01T00:00:00Z", "--claims", "3.0"] },
        { "hopper-other-nonce", 1, ["--evidence", "V:" + Hopper, "--rim-store", "V:nvidia/rims/fsstore_545.00", "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--nonce", new string('0', 64), "--claims", "2.0"] },
        { "hopper-legacy", 0, ["--evidence", "V:" + Hopper, "--rim-store", "V:nvidia/rims/fsstore_545.00", "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--claims", "legacy"] },
        { "hopper-without-revocation", 3, ["--evidence", "V:" + Hopper, "--rim-store", "V:nvidia/rims/fsstore_545.00", "--at", "2024-06-01T00:00:00Z"] },
        { "blackwell-without-rims", 3, ["--report", "V:nvidia/gpu/blackwell_575.32/blackwellAttestationReport.txt", "--chain", "V:nvidia/gpu/blackwell_575.32/blackwellCertChain.txt", "--dangerously-skip-revocation", "--at", "2025-06-01T00:00:00Z"] },
        { "switch", 0, ["--evidence", "V:" + Switches, "--rim-store", "V:nvidia/rims/fsstore_switch", "--dangerously-skip-revocation", "--at", "2026-06-01T00:00:00Z"] },
        { "gpu-and-switch", 1, ["--evidence", "V:" + Hopper, "V:" + Switches, "--rim-store", "V:nvidia/rims/fsstore_switch", "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z"] },
        { "tdx", 0, ["--cpu-evidence", "V:" + Quote, "--cpu-collateral", "V:" + QuoteCollateral, "--at", "2025-07-01T00:00:00Z"] },
        { "tdx-without-collateral", 3, ["--cpu-evidence", "V:" + Quote, "--at", "2025-07-01T00:00:00Z"] },
        { "tdx-outdated", 1, ["--cpu-evidence", "V:cpu/tdx/tdx_quote_outdated", "--cpu-collateral", "V:cpu/tdx/tdx_quote_outdated_collateral.json", "--at", "2026-03-01T00:00:00Z"] },
        { "tdx-other-report-data", 1, ["--cpu-evidence", "V:" + Quote, "--cpu-collateral", "V:" + QuoteCollateral, "--at", "2025-07-01T00:00:00Z", "--report-data", new string('0', 128)] },
        { "dstack", 0, ["--cpu-evidence", "V:cpu/dstack/quote-report.json", "--cpu-collateral", "V:cpu/tdx/tdx_quote_outdated_collateral.json", "--at", "2026-03-01T00:00:00Z"] },
        { "snp-without-minimum", 0, ["--cpu-evidence", "C:snp-without-minimum/report_milan.hex", "--cpu-collateral", "C:snp-without-minimum/col", "--at", "2024-06-01T00:00:00Z", "--dangerously-skip-revocation"] },
        { "snp-without-collateral", 3, ["--cpu-evidence", "V:cpu/snp/dstack/report.bin", "--at", "2026-07-01T00:00:00Z"] },
        { "azure-snp", 0, ["--cpu-evidence", "C:azure-snp-live/snp-live.json", "--at", "2026-08-01T00:00:00Z", "--cpu-collateral", "C:azure-snp-live/snpcol", "--dangerously-skip-revocation"] },
        { "azure-tdx-without-collateral", 1, ["--cpu-evidence", "V:cpu/az-vtpm/az-tdx-vtpm/evidence-v1.json", "--at", "2026-03-01T00:00:00Z"] },
        { "renamed-events", 0, ["--cpu-evidence", "C:renamed-events/quote.bin", "--cpu-collateral", "C:renamed-events/collateral.json", "--event-log", "C:renamed-events/name-swapped.json", "--at", "2026-08-20T00:00:00Z"] },
        { "gpu-with-another-machines-quote", 1, ["--evidence", "V:" + Hopper, "--rim-store", "V:nvidia/rims/fsstore_545.00", "--dangerously-skip-revocation", "--cpu-evidence", "V:" + Quote, "--cpu-collateral", "V:" + QuoteCollateral, "--at", "2025-05-01T00:00:00Z"] },
    };

    public static TheoryData<string, int, string[]> OfMachines => new()
    {
        { "machine", 0, ["--evidence", "machine.json"] },
        { "machine-claims-2", 0, ["--evidence", "machine.json", "--claims", "2.0", "--nonce", ""] },
        { "machine-without-log", 1, ["--evidence", "machine.json!eventLog"] },
        { "machine-without-processor", 1, ["--evidence", "machine.json!cpu", "--cpu-collateral", ""] },
        { "machine-without-collateral", 3, ["--evidence", "machine.json", "--cpu-collateral", "", "--rim-store", "", "--ocsp-store", ""] },
        { "machine-of-fewer", 1, ["--evidence", "machine.json", "--expect", "gpus=7,switches=4"] },
    };

    [Fact]
    public void The_list_of_check_ids_is_what_it_was() => Compare("check-ids.txt", string.Concat(ExplainTests.Ids.Order(StringComparer.Ordinal).Select(id => id + "\n")));

    /// <summary>An id or a weakening that is written down twice can differ from itself: both lists are the only place where their words are.</summary>
    [Fact]
    public void Ids_and_weakenings_are_spelled_in_their_lists_alone()
    {
        var root = Path.Combine(Repository.Root, "src", "core", "Assay.Verifier");
        string[] lists = [Path.Combine(root, "Checks", "CheckIds.cs"), Path.Combine(root, "Checks", "Weakening.cs")];
        var words = ExplainTests.Ids.Concat(Assay.Checks.Weakening.Names).Select(word => $"\"{word}\"").ToHashSet(StringComparer.Ordinal);
        var spelled = SourceFiles.Of(root).Except(lists)
            .SelectMany(file => File.ReadLines(file).Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal)).SelectMany(line => Quoted().Matches(line).Select(match => match.Value)).Where(words.Contains).Select(word => $"{Path.GetFileName(file)}: {word}"));

        Assert.Empty(spelled);
        Assert.All(CheckIdConstants, id => Assert.Contains(id, ExplainTests.Ids));
        Assert.InRange(CheckIdConstants.Length, 150, 300);
    }

    private static string[] CheckIdConstants =>
        [.. typeof(Assay.Checks.CheckIds).GetFields(System.Reflection.BindingFlags.Static | System.Reflection.BindingFlags.NonPublic | System.Reflection.BindingFlags.Public).Where(constant => constant.IsLiteral).Select(constant => (string)constant.GetRawConstantValue()!)];

    [Theory]
    [MemberData(nameof(OfRecorded))]
    public void The_verdict_about_recorded_evidence_is_what_it_was(string name, int code, string[] arguments)
    {
        var answer = s_assay.Run(["verify", .. arguments.Select(Resolve), "--format", "json"]);

        Assert.Equal((code, answer.Output), (answer.ExitCode, answer.Output));
        Compare(name + ".json", Readable(answer.Output));
    }

    [Theory]
    [MemberData(nameof(OfMachines))]
    public void The_verdict_about_a_simulated_machine_is_what_it_was(string name, int code, string[] arguments)
    {
        var answer = s_assay.Run(["verify", .. OfMachine(arguments), "--format", "json"]);

        Assert.Equal((code, answer.Output), (answer.ExitCode, answer.Output));
        Compare(name + ".json", Settled(Readable(answer.Output)));
    }

    internal static string Resolve(string argument) => argument switch
    {
        ['V', ':', .. var path] => Recorded.PathOf(path),
        ['C', ':', .. var path] => Cases.PathOf(path),
        _ => argument,
    };

    /// <summary>The arguments that the demonstration prints, with those given in place of its own; an empty one leaves its option out, and <c>!</c> a member.</summary>
    private List<string> OfMachine(string[] given)
    {
        string File(string name) => Path.Combine(machine.Folder, name);
        var options = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["--nonce"] = "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=",
            ["--expect"] = "gpus=8,switches=4",
            ["--reference-values"] = File("reference_values.json"),
            ["--cpu-collateral"] = File("tdx_collateral.json"),
            ["--anchors"] = File("machine_anchors.json"),
            ["--rim-store"] = File("rims"),
            ["--ocsp-store"] = File("ocsp"),
        };
        foreach (var pair in given.Chunk(2))
        {
            options[pair[0]] = pair[1];
        }

        if (options["--evidence"].Split('!') is [_, var left])
        {
            var bundle = JsonNode.Parse(System.IO.File.ReadAllText(File("machine.json")))!.AsObject();
            (left is "eventLog" ? bundle["cpu"]!.AsObject() : bundle).Remove(left);
            options["--evidence"] = machine.Fresh() + ".json";
            System.IO.File.WriteAllText(options["--evidence"], bundle.ToJsonString());
        }
        else
        {
            options["--evidence"] = File("machine.json");
        }

        return [.. options.Where(option => option.Value.Length > 0).SelectMany(option => new[] { option.Key, option.Value })];
    }

    private static string Readable(string output)
    {
        var json = JsonNode.Parse(output)!;
        // Devices of one machine look alike: the first and the last stand for them.
        if (json["devices"] is JsonArray { Count: > 2 } devices)
        {
            devices.RemoveRange(1, devices.Count - 2);
        }

        return PathBefore().Replace(json.ToJsonString(s_readable), "").ReplaceLineEndings("\n") + "\n";
    }

    /// <summary>A machine is made anew, with keys and times of its own: digits of these are left out.</summary>
    private static string Settled(string text) => Number().Replace(Base64().Replace(Hexadecimal().Replace(Time().Replace(Fresh().Replace(text, "machine.json"), "TIME"), "HEX"), "BASE64"), "NUMBER");

    private static void Compare(string name, string found)
    {
        var file = Path.Combine(Repository.Root, "vectors", "golden", name);
        if (s_update)
        {
            File.WriteAllText(file, found);
        }

        Assert.Equal(File.ReadAllText(file), found);
    }

    [GeneratedRegex(@"/[^\s"":,]*/(?=[^/\s"":,]+)")]
    private static partial Regex PathBefore();

    [GeneratedRegex("\"[a-z0-9.-]+\"")]
    private static partial Regex Quoted();

    [GeneratedRegex(@"\b[0-9]+\.json\b")]
    private static partial Regex Fresh();

    [GeneratedRegex(@"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")]
    private static partial Regex Time();

    [GeneratedRegex(@"\b[0-9A-Fa-f]{12,}\b")]
    private static partial Regex Hexadecimal();

    [GeneratedRegex(@"(?<![A-Za-z0-9_-])(?=[A-Za-z0-9_-]*[0-9])(?=[A-Za-z0-9_-]*[A-Z])[A-Za-z0-9_-]{40,}=*")]
    private static partial Regex Base64();

    [GeneratedRegex(@"\b[0-9]{9,}\b")]
    private static partial Regex Number();
}

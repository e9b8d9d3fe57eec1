using System.Reflection;
using System.Text.Json;
using System.Text.RegularExpressions;
using Assay.Appraisal.Boot;
using Assay.Appraisal.Devices;
using Assay.Appraisal.Machine;
using Assay.Appraisal.Processors;
using Assay.Appraisal.Snp;
using Assay.Appraisal.Tdx;
using Assay.Appraisal.Tpm;
using Assay.Attestation;
using Assay.Broker;
using Assay.Checks;
using Assay.Cli.Explain;
using Assay.Collateral.Bundles;
using Assay.Reference.Manifest;
using Assay.Sealing;
using Assay.Service.Http;
using Assay.Tests.Architecture;
using Assay.Tokens;

namespace Assay.Tests.Cli.Explain;

/// <summary>Every finding has a cause and a cure, in the document and in the command alike.</summary>
public sealed partial class ExplainTests
{
    private const string Nvidia = "nvidia/";

    // The pages, one behind the other.
    private static readonly string s_document = string.Concat(Directory.EnumerateFiles(Path.Combine(Repository.Root, "docs", "troubleshooting"), "*.md").Order(StringComparer.Ordinal).Select(file => File.ReadAllText(file).ReplaceLineEndings("\n") + "\n"));

    /// <summary>Every question that is put to evidence, to reference values and to bundles of collateral. Those about time and revocation are the same for devices and processors.</summary>
    public static IEnumerable<string> OfEvidence => DevicesAppraisal.CheckIds.Union(TdxAppraisal.CheckIds).Union(SnpAppraisal.CheckIds).Union(ProcessorAppraisal.CheckIds)
        .Union(TpmAppraisal.CheckIds).Union(BootAppraisal.CheckIds).Union(MachineJudgement.CheckIds).Union(ReferenceValues.CheckIds).Union(BundleFault.CheckIds);

    public static IEnumerable<string> Ids => OfEvidence.Append("policy.rules.satisfied").Union(EatBundleReader.CheckIds).Union(EarReader.CheckIds).Union(EatReader.CheckIds);

    /// <summary>The codes of the command's errors, as its source has them: each is the first argument of what reports it.</summary>
    private static IEnumerable<string> ErrorCodes => SourceFiles.Of(Path.Combine(Repository.Root, "src", "tools", "Assay.Cli")).SelectMany(file => Code().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value)).Distinct();

    /// <summary>The ids of the guest's faults, as its source has them. Those of its sources are composed of a library's name and a word.</summary>
    private static IEnumerable<string> OfTheGuest => SourceFiles.Of(Path.Combine(Repository.Root, "src", "guest", "Assay.Guest")).SelectMany(file => GuestFault().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value))
        .Where(id => !id.EndsWith(".json", StringComparison.Ordinal) && !id.EndsWith(".pem", StringComparison.Ordinal) && !id.EndsWith(".sock", StringComparison.Ordinal)).Union(Explanations.All.Select(explanation => explanation.Id).Where(id => id.StartsWith("source.", StringComparison.Ordinal)));

    /// <summary>The ids of sealing's faults, which are constants.</summary>
    private static IEnumerable<string> OfSealing => typeof(SealingFaults).GetFields(BindingFlags.Public | BindingFlags.Static).Where(known => known.IsLiteral).Select(known => (string)known.GetRawConstantValue()!);

    /// <summary>The ids of channels' faults, as the source of both ends has them.</summary>
    private static IEnumerable<string> OfChannels => new[] { ("access", "Assay.Client"), ("core", "Assay.Verifier"), ("guest", "Assay.Guest") }
        .SelectMany(project => SourceFiles.Of(Path.Combine(Repository.Root, "src", project.Item1, project.Item2))).SelectMany(file => ChannelFault().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value)).Distinct();

    /// <summary>The ids of what the client's proxy says itself; those of channels are others.</summary>
    private static IEnumerable<string> OfTheProxy => SourceFiles.Of(Path.Combine(Repository.Root, "src", "tools", "Assay.Cli", "Channels")).SelectMany(file => ProxyFault().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value)).Distinct();

    /// <summary>The faults of the server: ServiceDocumentTests holds their page against its source.</summary>
    private static IEnumerable<string> OfTheService => ServiceFault().Matches(s_document).Select(match => match.Groups[1].Value);

    /// <summary>The problems of services, and the reasons of a broker's log, as its reference lists them.</summary>
    private static IEnumerable<string> OfProblems => Problems.All.Concat(AttestationProblems.All).Concat(BrokerProblems.All).Select(kind => kind.Id)
        .Union(Reason().Matches(File.ReadAllText(Path.Combine(Repository.Root, "docs", "reference", "broker.md")).Split("Reasons of a denial")[1].Split("\n\n")[0]).Select(match => match.Groups[1].Value).Where(word => word is not ("why" or "outcome" or "failed")));

    /// <summary>The checks of tokens that a key broker is shown, as its source has them.</summary>
    private static IEnumerable<string> OfTokensForKeys => SourceFiles.Of(Path.Combine(Repository.Root, "src", "services", "Assay.Broker")).SelectMany(file => TokenForKey().Matches(File.ReadAllText(file)).Select(match => match.Groups[1].Value)).Distinct();

    private static IEnumerable<string> All => Ids.Union(Weakening.Names).Union(ErrorCodes).Union(OfTheGuest).Union(OfSealing).Union(OfChannels).Union(OfTheProxy).Union(OfTheService).Union(OfProblems).Union(OfTokensForKeys);

    [Fact]
    public void Every_check_weakening_and_error_is_explained_and_no_other()
    {
        var explained = Explanations.All.Select(explanation => explanation.Id).ToArray();

        Assert.Empty(All.Except(explained));
        Assert.Empty(explained.Except(All));
        Assert.Equal(explained.Length, explained.Distinct().Count());
    }

    [Fact]
    public void Every_entry_of_the_document_is_read_whole()
    {
        // A heading, anchor, cause or cure that the command does not find would be lost without a word.
        var anchors = Anchor().Matches(s_document).Select(match => match.Groups[1].Value);
        Assert.Equal(Explanations.All.Select(explanation => explanation.Id), anchors);
        Assert.Equal(Regex.Count(s_document, "^### `", RegexOptions.Multiline), Regex.Count(s_document, @"^\*\*Cause\.\*\*", RegexOptions.Multiline));
        Assert.Equal(Regex.Count(s_document, "^### `", RegexOptions.Multiline), Regex.Count(s_document, @"^\*\*Cure\.\*\*", RegexOptions.Multiline));
        Assert.All(Explanations.All, explanation =>
        {
            Assert.InRange(explanation.Cause.Length, 20, 400);
            Assert.InRange(explanation.Cure.Length, 10, 400);
            Assert.DoesNotContain('\n', explanation.Cause + explanation.Cure);
            Assert.DoesNotMatch(@"[`*<>#]|\]\(", explanation.Cause + Placeholder().Replace(explanation.Cure, ""));
        });
    }

    [Fact]
    public void The_rules_of_a_policy_share_one_explanation()
    {
        Assert.Equal("policy.rules.satisfied", Explanations.Find("policy.rule.12")?.Id);
        Assert.Null(Explanations.Find("policy.rule."));
        Assert.Null(Explanations.Find("policy.rule.x"));
        Assert.Null(Explanations.Find(""));
        Assert.Null(Explanations.Find("rim.driver"));
    }

    [Fact]
    public void The_command_tells_cause_and_cure()
    {
        var assay = new AssayCommand();
        var text = assay.Says(0, "explain", "report.nonce.match");
        Assert.Contains("cause", text);
        Assert.Contains("The report answers a different nonce from yours", text);
        Assert.Contains("docs/troubleshooting/devices.md#report.nonce.match", text);

        using var json = JsonDocument.Parse(assay.Says(0, "explain", "rim.vbios.available", "--format", "json"));
        Assert.Equal("rim.vbios.available", json.RootElement.GetProperty("id").GetString());
        Assert.Contains("--rim-url nvidia", json.RootElement.GetProperty("cure").GetString());

        Assert.Equal(All.Order(StringComparer.Ordinal), assay.Says(0, "explain").Split('\n', StringSplitOptions.RemoveEmptyEntries).Order(StringComparer.Ordinal));
        using var all = JsonDocument.Parse(assay.Says(0, "explain", "--format", "json"));
        Assert.Equal(Explanations.All.Length, all.RootElement.GetArrayLength());

        Assert.Contains("did you mean", assay.Says(2, "explain", "nonce.match"));
        Assert.All(["rego_parse_error", "eval_budget_error"], id => Assert.Contains("its message says what is wrong", assay.Says(2, "explain", id)));
        Assert.Contains("An unset variable gives an empty name", assay.Says(0, "explain", "cli.file"));
        Assert.Contains("DevTools mode", assay.Says(0, "explain", "gate.cc.devtools"));
        Assert.Contains("docs/troubleshooting/sealing.md#sealing.not-opened", assay.Says(0, "explain", "sealing.not-opened"));
        Assert.Contains("--require-binding boot-event", assay.Says(0, "explain", "gpu-binding-evidence-hash"));
        Assert.Contains("did you mean gpu-binding-none", assay.Says(2, "explain", "gpu-binding-nome"));
        Assert.Contains("see docs/troubleshooting/weakenings.md", assay.Says(0, "explain", "cli.weakened"));
        Assert.Contains("cli.finding", assay.Says(2, "explain", "no.such\u001b[2J"));
        Assert.DoesNotContain('\u001b', assay.Run("explain", "no.such\u001b[2J").Output);
        Assert.Contains("assay explain report.nonce.match", assay.Says(0, "explain", "--help"));
        Assert.Contains("measurements.min-svn.met", assay.Says(0, "[suggest:14]", "assay explain "));
    }

    /// <summary>What the document quotes is what the command prints for recorded evidence.</summary>
    [Fact]
    public void Quoted_output_is_real()
    {
        var folder = Directory.CreateTempSubdirectory("assay-explain-");
        try
        {
            const string vbios = "NV_GPU_VBIOS_1010_0200_882_96005E0001";
            const string s1 = Nvidia + "switch/ls10_96.10.55.00.01_full_offline/switch_evidence_ls10.json";
            const string g2 = Nvidia + "gpu/hopper_535.86.09/";
            var other = Recorded.PathOf($"{Nvidia}negative/rims/{vbios}_measurement_mismatch.xml");
            var empty = folder.CreateSubdirectory("s1").FullName;
            var rims = folder.CreateSubdirectory("g2").FullName;
            File.Copy(other, Path.Combine(rims, $"{vbios}.xml"));
            var assay = new AssayCommand();
            var printed = string.Concat(
                assay.Run("verify", "--report", Recorded.PathOf(g2 + "hopperAttestationReport.txt"), "--chain", Recorded.PathOf(g2 + "hopperCertChain.txt"),
                    "--rim-store", rims, "--dangerously-skip-revocation", "--at", "2024-12-01T00:00:00Z").Output,
                assay.Run("verify", "--evidence", Recorded.PathOf(s1), "--rim-store", empty, "--dangerously-skip-revocation", "--nonce", new string('0', 64)).Output,
                assay.Run("verify", "--evidence", Recorded.PathOf(s1), Recorded.PathOf(s1), "--rim-store", empty, "--dangerously-skip-revocation").Output,
                assay.Run("verify", "--evidence", Recorded.PathOf(Nvidia + "gpu/hopper_545.00_full_offline/evidence_derived.json"),
                    "--rim-store", Recorded.PathOf(Nvidia + "rims/fsstore_545.00"), "--dangerously-skip-revocation", "--at", "2026-11-22T05:58:43Z").Output,
                assay.Run("verify", "--evidence", Recorded.PathOf(Nvidia + "gpu/hopper_570.86.10_cert_hold.json"), "--rim-store", empty, "--dangerously-skip-revocation").Output,
                OfMachines(assay, folder.CreateSubdirectory("amd").FullName))
                .Replace(folder.FullName + "/", "", StringComparison.Ordinal);

            var quoted = Quoted().Matches(s_document).SelectMany(block => block.Groups[1].Value.Split('\n', StringSplitOptions.RemoveEmptyEntries)).ToArray();
            Assert.InRange(quoted.Length, 30, 100);
            Assert.All(quoted, line => Assert.Contains(line, printed, StringComparison.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static string OfMachines(AssayCommand assay, string amd)
    {
        foreach (var file in new[] { "snp/dstack/vcek.der", "snp/dstack/sev_snp_ask.pem", "roots/ask_ark_milan.pem" })
        {
            File.Copy(Recorded.PathOf("cpu/" + file), Path.Combine(amd, Path.GetFileName(file)));
        }

        const string dstack = "dstack/quote-report.quote.bin", log = "dstack/quote-report.eventlog.json", collateral = "tdx/tdx_quote_collateral.json";
        string Verify(string evidence, string at, params string[] rest) => assay.Run(["verify", "--cpu-evidence", Recorded.PathOf("cpu/" + evidence), "--at", at, .. rest]).Output;
        return Verify("tdx/tdx_quote_outdated", "2026-03-01T00:00:00Z", "--cpu-collateral", Recorded.PathOf("cpu/tdx/tdx_quote_outdated_collateral.json"))
            + Verify("tdx/tdx_quote", "2025-06-18T00:00:00Z", "--cpu-collateral", Recorded.PathOf("cpu/" + collateral))
            + Verify(dstack, "2026-03-01T00:00:00Z", "--cpu-collateral", Recorded.PathOf("cpu/" + collateral), "--event-log", Recorded.PathOf("cpu/" + log), "--gpu-policy", new string('0', 96))
            + Verify("snp/dstack/report.bin", "2026-07-01T00:00:00Z", "--cpu-collateral", amd, "--dangerously-skip-revocation", "--event-log", Recorded.PathOf("cpu/" + log))
            + Verify("az-vtpm/az-tdx-vtpm/evidence-v1.json", "2026-03-01T00:00:00Z");
    }

    [GeneratedRegex("\"(channel\\.[a-z][a-z.-]*[a-z])\"")]
    private static partial Regex ChannelFault();

    [GeneratedRegex("\"((?:gate|seal|unseal|agent|ctl|key|luks|record|lint|guest|proxy)\\.[a-z][a-z.-]*[a-z])[\":]")]
    private static partial Regex GuestFault();

    // What a method of faults, or a pair of id and message, begins with; and ids that are constants.
    [GeneratedRegex("(?:Error\\(|[rR]efuse\\(|\\bAdd(?:Alone)?\\(|(?<!new)\\(|string InUse = )\"((?:cli|collateral|cpu|log|chain|anchors|evidence|jwks|report|token|verdict|policy|bundle)\\.[a-z.-]+)\"(?:, [^C]|;)")]
    private static partial Regex Code();

    [GeneratedRegex("(?:Error\\(|ChannelException\\(|Status\\w+, )\"(channel\\.[a-z.-]+)\", ")]
    private static partial Regex ProxyFault();

    [GeneratedRegex("<a id=\"([^\"]+)\"></a>")]
    private static partial Regex Anchor();

    [GeneratedRegex("```text\n(.*?)```", RegexOptions.Singleline)]
    private static partial Regex Quoted();

    [GeneratedRegex("^### `(service\\.[a-z.]+)`$", RegexOptions.Multiline)]
    private static partial Regex ServiceFault();

    [GeneratedRegex("`([a-z-]+)(?::ID)?`")]
    private static partial Regex Reason();

    [GeneratedRegex(@"""(assay-token\.[a-z.]+)""")]
    private static partial Regex TokenForKey();

    [GeneratedRegex("<id>|#N")]
    private static partial Regex Placeholder();
}

using System.Text;
using System.Text.Json.Nodes;
using Assay.Tests.Cli;
using Assay.Wire;

namespace Assay.Tests.Regressions;

/// <summary>
/// 293, found by an attacker: files added to a folder hid its latest TCB information; statements beside a bundle escaped its high-water marks; a line of a configuration that is shown as
/// one comment stated keys; evidence beside evidence went unread; a malformed list was searched in the square of its length; a variable ended with an exception.
/// </summary>
public sealed class Bug0293_HiddenInPlainSightTests(MachineVerifyTests.Machine machine) : IClassFixture<MachineVerifyTests.Machine>
{
    private const string Challenge = "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=";
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void No_mass_of_files_hides_one_that_would_count()
    {
        var whole = JsonNode.Parse(File.ReadAllText(At("tdx_collateral.json")))!;
        var folder = Directory.CreateDirectory(machine.Fresh()).FullName;
        var chain = whole["tcb_info_issuer_chain"]!.GetValue<string>();
        File.WriteAllText(Path.Combine(folder, "signer.pem"), chain);
        File.WriteAllText(Path.Combine(folder, "aa_tcb.pem"), "\n" + chain);
        // What a service answers: the statement as it was signed, with its signature.
        var body = $$"""{"tcbInfo":{{whole["tcb_info"]!.GetValue<string>()}},"signature":"{{whole["tcb_info_signature"]!.GetValue<string>()}}"}""";
        for (var index = 0; index < 129; index++)
        {
            File.WriteAllText(Path.Combine(folder, $"tcb_{index:D3}.json"), body);
        }

        Assert.Contains("cpu.collateral", Verify(2, "--cpu-collateral", folder), StringComparison.Ordinal);
        File.Delete(Path.Combine(folder, "tcb_000.json"));
        Assert.DoesNotContain("cpu.collateral", Verify(3, "--cpu-collateral", folder), StringComparison.Ordinal);
    }

    [Fact]
    public void Statements_beside_a_bundle_are_refused_and_certificates_are_not()
    {
        Assert.Contains("--cpu-collateral has statements or revocation lists", Verify(2, "--cpu-collateral", At("tdx_collateral.json"), "--bundle", "q", "--bundle-keys", "q"), StringComparison.Ordinal);
        var amd = Directory.CreateDirectory(machine.Fresh()).FullName;
        File.Copy(Recorded.PathOf("cpu/snp/dstack/vcek.der"), Path.Combine(amd, "vcek.der"));
        Assert.DoesNotContain("has statements", s_assay.Says(2, "verify", "--cpu-evidence", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--cpu-collateral", amd, "--bundle", "q", "--bundle-keys", "q"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_list_that_begins_often_and_never_ends_is_read_once()
    {
        var text = string.Concat(Enumerable.Repeat("-----BEGIN X509 CRL-----\n", 160_000));

        Assert.Empty(Pem.Find(Encoding.ASCII.GetBytes(text), "X509 CRL", out var isWhole));
        Assert.False(isWhole);
        var file = Written(text);
        s_assay.Says(2, "inspect", file);
        Assert.NotEqual(70, s_assay.Run("collateral", "check", file).ExitCode);
    }

    [Theory]
    [InlineData("\u2028")]
    [InlineData("\u2029")]
    [InlineData("\u0085")]
    [InlineData("\r")]
    [InlineData("\0")]
    [InlineData("\u001b[2J")]
    [InlineData("\u202e")]
    public void A_comment_of_a_configuration_is_one_line_to_every_reader(string end)
    {
        var answer = s_assay.Says(2, "verify", "--config", Written($"version: 1\n# trust: built in{end}trust:{end}  anchors: x.json\n"), "--evidence", At("machine.json"));

        Assert.Contains(":2: a character that is not shown", answer, StringComparison.Ordinal);
    }

    [Fact]
    public void Lines_may_end_as_on_Windows_and_no_directive_is_read()
    {
        Assert.DoesNotContain("cli.config", s_assay.Run("verify", "--config", Written("version: 1\r\n# x\r\n"), "--evidence", At("machine.json")).Output, StringComparison.Ordinal);
        Assert.Contains("directives", s_assay.Says(2, "verify", "--config", Written("%FOO bar\n---\nversion: 1\n"), "--evidence", At("machine.json")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("abc")]
    [InlineData("99999999999")]
    [InlineData("0")]
    public void A_number_in_a_variable_is_read_as_strictly_as_in_the_file(string value)
    {
        var answer = Peer.Require("env").Run([$"ASSAY_TIMEOUT={value}", .. AssayProgram.Words("assay"), "verify", "--evidence", At("machine.json")]);

        Assert.Equal(2, answer.ExitCode);
        Assert.Contains("cli.environment: ASSAY_TIMEOUT", answer.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"platform":"tdx","evidence":{"quote":"Q"},"quote":"00"}""", "unknown member beside")]
    [InlineData("""{"quote":"Q","gpus":[]}""", "one form of evidence is expected")]
    [InlineData("""{"quote":"Q","intel_quote":"00"}""", "this is evidence of a whole")]
    public void Evidence_beside_evidence_is_a_fault(string form, string problem) =>
        Assert.Contains(problem, s_assay.Says(2, "verify", "--cpu-evidence", Written(form.Replace("Q", Quote, StringComparison.Ordinal))), StringComparison.Ordinal);

    [Theory]
    [InlineData("""{"intel_quote":"Q","all_attestations":[{"intel_quote":"00"}]}""", "several machines")]
    [InlineData("""{"bundles":[{"vendor":"nvidia","format":"nvidia-nvattest-collect-evidence-json-v1","evidence":"5b5d","nonce":"00"}]}""", "unknown member beside")]
    [InlineData("""{"result_code":17,"evidences":[]}""", "0 is expected, found 17")]
    public void So_it_is_in_files_of_devices_and_of_gateways(string form, string problem) =>
        Assert.Contains(problem, s_assay.Says(2, "verify", "--evidence", Written(form.Replace("Q", Quote, StringComparison.Ordinal))), StringComparison.Ordinal);

    [Fact]
    public void A_gateways_own_report_once_more_is_no_other_machine() =>
        Assert.DoesNotContain("several machines", s_assay.Run("verify", "--evidence", Written($$"""{"intel_quote":"{{Quote}}","all_attestations":[{"intel_quote":"{{Quote}}"}]}""")).Output, StringComparison.Ordinal);

    [Fact]
    public void What_weakens_the_basis_weakens_also_what_failed()
    {
        var json = JsonNode.Parse(s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--at", "2020-01-01T00:00:00Z", "--dangerously-skip-revocation", "--format", "json").Output)!;

        Assert.Superset(new HashSet<string> { "time-stated", "snp-revocation-skipped" }, json["weakened"]!.AsArray().Select(name => name!.GetValue<string>()).ToHashSet());
    }

    private static string Quote => Convert.ToHexStringLower(Recorded.Bytes("cpu/tdx/tdx_quote"));

    private string At(string name) => Path.Combine(machine.Folder, name);

    private string Verify(int code, params string[] options) => s_assay.Says(code, [
        "verify", "--evidence", At("machine.json"), "--nonce", Challenge, "--reference-values", At("reference_values.json"), "--anchors", At("machine_anchors.json"),
        "--ocsp-store", At("ocsp"), "--rim-store", At("rims"), "--expect", "gpus=8,switches=4", .. options]);

    private string Written(string text)
    {
        var path = machine.Fresh();
        File.WriteAllText(path, text);
        return path;
    }
}

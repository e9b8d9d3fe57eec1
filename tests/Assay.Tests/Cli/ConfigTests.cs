using System.CommandLine;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Assay.Cli;
using Assay.Cli.Configuration;
using Assay.Cli.Verify;

namespace Assay.Tests.Cli;

/// <summary>What is expected, in one file: read strictly, replaced by options, never by variables where it is about what is expected.</summary>
public sealed partial class ConfigTests : IDisposable
{
    private const string Hopper = "nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json";
    private static readonly AssayCommand s_assay = new();
    private static readonly VerifyOptions s_options = new();
    private static readonly Command s_verify = VerifyCommandOf(s_options);

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-config").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_published_schema_is_that_of_the_reader()
    {
        var file = Path.Combine(Repository.Root, "docs", "reference", "verify-config.schema.json");
        var schema = ConfigSchema.Of(VerifyKeys.Of(s_options));
        if (Environment.GetEnvironmentVariable("ASSAY_UPDATE_GOLDEN") is "1")
        {
            File.WriteAllText(file, schema);
        }

        Assert.Equal(File.ReadAllText(file), schema);
    }

    [Theory]
    [InlineData("expect: {gpus: 8, switches: 5}", "--expect", "gpus=8", "does not say switches")]
    [InlineData("accept: {weakened: []}", "--fail-on-weakened", "time-stated", "accepts other weakenings")]
    public void An_option_drops_no_expectation_that_it_does_not_name(string stated, string option, string value, string problem)
    {
        var settings = Read(["--config", Written("site.yaml", $"version: 1\n{stated}\n"), option, value]);

        Assert.Contains(problem, Assert.Single(settings.Faults).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Refused_advisories_of_file_and_options_add_up()
    {
        var settings = Read(["--config", Written("site.yaml", "version: 1\naccept:\n  refusedAdvisories: [INTEL-SA-00837]\n"), "--refuse-advisory", "INTEL-SA-01036"]);

        Assert.Empty(settings.Faults);
        Assert.Equal(["INTEL-SA-00837", "INTEL-SA-01036"], settings.Parsed.GetValue<string[]>("--refuse-advisory")!.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_number_with_a_leading_zero_is_two_numbers_to_two_readers_and_none_here() =>
        Assert.Contains("expect.gpus", Assert.Single(Read(["--config", Written("site.yaml", "version: 1\nexpect: {gpus: 010}\n")]).Faults).Message, StringComparison.Ordinal);

    /// <summary>A new option is a key of the configuration, or is given for one call: its author says which.</summary>
    [Fact]
    public void Every_option_is_a_key_or_of_one_call()
    {
        var keys = VerifyKeys.Of(s_options).Select(key => key.Option).Distinct().ToArray();
        var calls = VerifyKeys.OfOneCall(s_options);

        Assert.Empty(keys.Intersect(calls));
        Assert.Equal(s_options.All.Select(option => option.Name).Order(StringComparer.Ordinal), keys.Concat(calls).Select(option => option.Name).Order(StringComparer.Ordinal));
    }

    /// <summary>Counts, anchors, keys, policies, bindings, accepted weakenings: no variable sets them.</summary>
    [Fact]
    public void Variables_set_addresses_folders_and_output_alone() =>
        Assert.Equal(
            ["--amd-url", "--claims", "--collateral-url", "--format", "--intel-url", "--ocsp-store", "--ocsp-url", "--rim-store", "--rim-url", "--timeout", "--verbose"],
            VerifyKeys.Of(s_options).Where(key => key.MayBeVariable).Select(key => key.Option.Name).Order(StringComparer.Ordinal));

    public static TheoryData<string> RefusedVariables => [.. VerifyKeys.Of(s_options).Where(key => !key.MayBeVariable).Select(key => key.Option).Concat(VerifyKeys.OfOneCall(s_options)).Select(ConfigKey.VariableOf).Distinct(), "ASSAY_DANGEROUSLY_TRUST", "ASSAY_NONCE"];

    [Theory]
    [MemberData(nameof(RefusedVariables))]
    public void A_variable_about_what_is_expected_is_refused(string name)
    {
        var settings = Read([], (name, "1"));

        Assert.Equal("cli.environment", Assert.Single(settings.Faults).Id);
        Assert.Contains(name, settings.Faults[0].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_init_writes_is_read_and_so_is_all_that_it_mentions()
    {
        var written = InitCommand.Text();
        var everything = Mentioned().Replace(written, "  $1");
        Assert.True(ConfigText.TryParse(Encoding.UTF8.GetBytes(everything), out var map, out var fault), fault?.Problem);
        var keys = VerifyKeys.Of(s_options);
        Assert.Equal(keys.Select(key => key.Path), map.Members.Where(member => member.Key != "version").SelectMany(section => ((ConfigMap)section.Value).Members.Select(member => $"{section.Key}.{member.Key}")));

        Assert.Empty(Read(["--config", Written("all.yaml", everything)]).Faults);
        Assert.Empty(Read(["--config", Written("new.yaml", written)]).Faults);
        Assert.All(written.Split('\n'), line => Assert.True(line.Length <= 140, line));
    }

    [Fact]
    public void Init_writes_a_file_that_verify_takes()
    {
        var file = Path.Combine(_folder, "site.yaml");
        s_assay.Says(0, "init", file);
        Assert.Contains("not overwritten", s_assay.Says(2, "init", file), StringComparison.Ordinal);

        var answer = s_assay.Run("verify", "--config", file, "--evidence", Recorded.PathOf(Hopper), "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"), "--ocsp-url", "none", "--at", "2024-06-01T00:00:00Z", "--format", "json");
        Assert.True(answer.ExitCode == 3, answer.Output);
        var config = JsonNode.Parse(answer.Output)!["config"]!;
        Assert.Equal(file, (string?)config["path"]);
        Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA384.HashData(File.ReadAllBytes(file))), (string?)config["sha384"]);
        Assert.Equal(["--ocsp-url", "--rim-store"], config["departures"]!.AsArray().Select(name => (string?)name));
    }

    [Fact]
    public void Every_fault_is_told_with_its_line_and_key()
    {
        var file = Written("wrong.yaml", """
            version: 1
            expect:
              gpus: eight
              gpu: 3
              binding: boot-evnt
            colateral:
              rimUrl: nvidia
            accept:
              dangerouslyAcceptTcb: []
              vlek: yes
            referenceValues:
              file: none.jws
            """);
        var text = s_assay.Says(2, "verify", "--config", file, "--evidence", Path.Combine(_folder, "none.json"));

        string[] expected =
        [
            "wrong.yaml:3: expect.gpus: a whole number from 0 to 256 is expected, found \"eight\"",
            "wrong.yaml:4: expect.gpu: is not a key; did you mean gpuPolicies or gpus?",
            "wrong.yaml:5: expect.binding: one of evidence-hash, boot-event is expected, found \"boot-evnt\"",
            "wrong.yaml:6: colateral: is not a section; did you mean collateral?",
            "wrong.yaml:9: accept.dangerouslyAcceptTcb: an empty list says nothing",
            "wrong.yaml:10: accept.vlek: true or false is expected, found \"yes\"",
            "none.jws: no such file (wrong.yaml:12: referenceValues.file)",
            "none.json: no such file",
        ];
        Assert.All(expected, fault => Assert.Contains(fault, text, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("version: 1\nexpect:\n  gpus: 1\n  gpus: 2\n", 4, "given a second time, first on line 3")]
    [InlineData("version: 1\nexpect: {}\nexpect: {}\n", 3, "given a second time")]
    [InlineData("{\"version\": 1,\n\"expect\": {\"gpus\": 1, \"gpus\": 2}}", 2, "given a second time")]
    [InlineData("version: 1\nexpect: &a\n  gpus: 1\n", 2, "anchors (&) and aliases (*)")]
    [InlineData("version: 1\nexpect: *a\n", 2, "anchors (&) and aliases (*)")]
    [InlineData("version: 1\nexpect:\n  <<: *a\n", 3, "anchors (&) and aliases (*)")]
    [InlineData("version: !!int 1\n", 1, "tags (!)")]
    [InlineData("version: 1\n---\nversion: 1\n", 2, "second document")]
    [InlineData("%YAML 1.1\n---\nversion: 1\n", 1, "directives")]
    [InlineData("\uFEFFversion: 1\n", 1, "byte order mark")]
    [InlineData("", 1, "empty")]
    [InlineData("- 1\n", 1, "keys with values are expected")]
    [InlineData("{\"version\": 1}}", 1, "not JSON")]
    [InlineData("{\"version\": 1,\n// text\n}", 2, "not JSON")]
    [InlineData("version: 1\nexpect: [[[[[[[[[[1]]]]]]]]]]\n", 2, "nested")]
    [InlineData("version: 1\n\texpect: 1\n", 1, "not YAML")]
    public void What_means_two_things_is_refused(string text, int line, string problem)
    {
        var read = ConfigText.TryParse(Encoding.UTF8.GetBytes(text), out _, out var fault);

        Assert.False(read);
        Assert.Equal(line, fault!.Line);
        Assert.Contains(problem, fault.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("expect: {}")]
    [InlineData("version: 2")]
    [InlineData("version: \"1\"")]
    public void A_version_is_required(string text) => Assert.Contains("version", Assert.Single(Read(["--config", Written("v.yaml", text)]).Faults).Message, StringComparison.Ordinal);

    [Fact]
    public void Options_go_before_variables_and_variables_before_the_file()
    {
        var file = Written("site.yaml", "version: 1\nexpect: {gpus: 8, switches: 4, binding: boot-event}\ncollateral: {rimStore: rims, ocspUrl: nvidia, bundleKeys: [a.jwks, b.jwks]}\naccept: {dangerouslySkipRevocation: false}\n");

        var alone = Read(["--config", file]);
        Assert.Equal("gpus=8,switches=4", alone.Parsed.GetValue(s_options.Machine.Expect));
        Assert.Equal(Path.Combine(_folder, "rims"), alone.Parsed.GetValue(s_options.RimStore));
        Assert.Equal([Path.Combine(_folder, "a.jwks"), Path.Combine(_folder, "b.jwks")], alone.Parsed.GetValue(s_options.BundleTrust.Keys)!);
        Assert.Empty(alone.Configuration!.Departures);

        var variable = Read(["--config", file], ("ASSAY_RIM_URL", "http://127.0.0.1:1"), ("ASSAY_OCSP_URL", "none"));
        Assert.Null(variable.Parsed.GetValue(s_options.RimStore));
        Assert.Equal("http://127.0.0.1:1", variable.Parsed.GetValue(s_options.RimUrl));
        Assert.Equal(["ASSAY_OCSP_URL", "ASSAY_RIM_URL"], variable.Configuration!.Departures);

        var option = Read(["--config", file, "--rim-url", "nvidia", "--expect", "gpus=1,switches=0", "--bundle-keys", "c.jwks", "--dangerously-accept-binding", "none"], ("ASSAY_RIM_URL", "http://127.0.0.1:1"), ("ASSAY_RIM_STORE", "/x"));
        Assert.Equal("nvidia", option.Parsed.GetValue(s_options.RimUrl));
        Assert.Null(option.Parsed.GetValue(s_options.RimStore));
        Assert.Equal("gpus=1,switches=0", option.Parsed.GetValue(s_options.Machine.Expect));
        Assert.Equal(["c.jwks"], option.Parsed.GetValue(s_options.BundleTrust.Keys)!);
        Assert.Null(option.Parsed.GetValue(s_options.Machine.RequireBinding));
        Assert.Equal(["--bundle-keys", "--dangerously-accept-binding", "--expect", "--rim-url"], option.Configuration!.Departures);
        Assert.All([alone, variable, option], settings => Assert.Empty(settings.Faults));
    }

    [Fact]
    public void Accepted_weakenings_refuse_every_other()
    {
        string[] call = ["verify", "--evidence", Recorded.PathOf(Hopper), "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"), "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z"];
        const string names = "boot-not-expected,devices-not-expected,gpu-binding-none,no-cpu-tee,nonce-not-given,processor-not-expected,revocation-skipped";
        s_assay.Says(0, [.. call, "--accept-weakened", names + ",time-stated"]);
        Assert.Contains("weakened by time-stated", s_assay.Says(1, [.. call, "--accept-weakened", names]), StringComparison.Ordinal);
        var file = Written("site.yaml", $"version: 1\naccept:\n  weakened: [{names}]\n");
        Assert.Contains("weakened by time-stated", s_assay.Says(1, [.. call, "--config", file]), StringComparison.Ordinal);
        s_assay.Says(1, [.. call, "--config", Written("none.yaml", "version: 1\naccept: {weakened: []}\n")]);
        s_assay.Says(2, [.. call, "--config", file, "--fail-on-weakened", "held-rim-signer-accepted"]);
    }

    [Fact]
    public void Json_says_the_same_as_YAML()
    {
        var yaml = Read(["--config", Written("a.yaml", "version: 1\nexpect: {gpus: 8, secureBoot: true}\noutput: {claims: \"3.0\"}\n")]);
        var json = Read(["--config", Written("a.json", JsonSerializer.Serialize(new { version = 1, expect = new { gpus = 8, secureBoot = true }, output = new { claims = "3.0" } }))]);

        Assert.All([yaml, json], settings =>
        {
            Assert.Empty(settings.Faults);
            Assert.Equal("gpus=8", settings.Parsed.GetValue(s_options.Machine.Expect));
            Assert.True(settings.Parsed.GetValue(s_options.Machine.RequireSecureBoot));
            Assert.Equal("3.0", settings.Parsed.GetValue(s_options.Claims));
        });
    }

    private static VerifySettings Read(string[] arguments, params (string Name, string Value)[] variables) =>
        VerifySettings.Read(s_options, s_verify.Parse(arguments), variables.ToDictionary(item => item.Name, item => item.Value, StringComparer.Ordinal));

    private string Written(string name, string text)
    {
        var file = Path.Combine(_folder, name);
        File.WriteAllText(file, text);
        return file;
    }

    private static Command VerifyCommandOf(VerifyOptions options)
    {
        var command = new Command("verify");
        foreach (var option in options.All)
        {
            command.Options.Add(option);
        }

        return command;
    }

    [GeneratedRegex("^  # (?=[a-zA-Z]+: )(.*)$", RegexOptions.Multiline)]
    private static partial Regex Mentioned();
}

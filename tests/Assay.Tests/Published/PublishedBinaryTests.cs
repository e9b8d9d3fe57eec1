using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Assay.Cli;
using Assay.Tests.Golden;

namespace Assay.Tests.Published;

/// <summary>The native binary answers as the build does that all other tests run, byte for byte.</summary>
public sealed partial class PublishedBinaryTests : IDisposable
{
    private const string Hopper = "V:nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json";
    private const string HopperRims = "V:nvidia/rims/fsstore_545.00";

    private readonly string _folder = Directory.CreateTempSubdirectory("assay-published-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    public static TheoryData<string, int, string[]> OfRecorded => GoldenTests.OfRecorded;

    /// <summary>Every command that has help, by its words.</summary>
    public static TheoryData<string> Commands => [.. Words(CommandLine.Create(), "")];

    [Theory]
    [MemberData(nameof(OfRecorded))]
    public void Its_verdict_about_recorded_evidence_is_that_of_the_build(string name, int code, string[] arguments)
    {
        string[] resolved = ["verify", .. arguments.Select(GoldenTests.Resolve)];

        var binary = Same(code, [.. resolved, "--format", "json"]);
        _ = Same(code, resolved);

        Assert.True(binary.Output is [(byte)'{', ..], $"{name}: {binary.Text}");
    }

    [Theory]
    [InlineData("nvidia/policies/rego/rp-policy-permissive.rego", 0)]
    [InlineData("nvidia/policies/rego/allow_trust_outpost_ocsp.rego", 1)]
    public void A_Rego_policy_decides_as_in_the_build(string policy, int code) =>
        Same(code, "verify", "--evidence", Resolved(Hopper), "--rim-store", Resolved(HopperRims), "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--policy", Recorded.PathOf(policy), "--format", "json");

    [Fact]
    public void A_configuration_in_YAML_is_read_as_in_the_build()
    {
        var file = Path.Combine(_folder, "site.yaml");
        File.WriteAllText(file, $"""
            version: 1
            expect:
              gpus: 1   # and no switch
            collateral:
              rimStore: {Resolved(HopperRims)}
            """);
        string[] arguments = ["verify", "--config", file, "--evidence", Resolved(Hopper), "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--format", "json"];
        Assert.Contains("\"config\"", Same(0, arguments).Text, StringComparison.Ordinal);

        File.AppendAllText(file, "\nnonsense: [&a 1, *a]\n");
        Assert.Contains("site.yaml:6", Same(2, arguments).Error, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Its_help_is_that_of_the_build(string command) =>
        Same(0, [.. command.Split(' ', StringSplitOptions.RemoveEmptyEntries), "--help"]);

    [Theory]
    [InlineData(0, "version")]
    [InlineData(0, "version", "--format", "json")]
    [InlineData(0, "anchors", "--format", "json")]
    [InlineData(0, "explain")]
    [InlineData(0, "explain", "report.nonce.match", "--format", "json")]
    [InlineData(0, "inspect", Hopper, "--format", "json")]
    [InlineData(0, "inspect", "V:cpu/tdx/tdx_quote", "--format", "json")]
    [InlineData(0, "inspect", "V:cpu/tdx/tdx_quote_collateral.json")]
    [InlineData(0, "completion", "bash")]
    [InlineData(0, "[suggest:14]", "assay verify --e")]
    [InlineData(0, "policy", "check", "R:policies/strict.rego")]
    [InlineData(2, "policy", "check", "R:README.md")]
    [InlineData(2, "verify", "--evidence", "R:README.md")]
    [InlineData(2, "verify", "--nonsense")]
    [InlineData(2)]
    [InlineData(2, "nonsense")]
    public void It_says_the_same_as_the_build(int code, params string[] arguments) => Same(code, [.. arguments.Select(Resolved)]);

    // Half of a start's time went there, for roots that only completion asked for.
    [Theory]
    [InlineData(false, "version")]
    [InlineData(false, "verify", "--help")]
    [InlineData(false, "explain", "report.nonce.match")]
    [InlineData(false, "policy", "check", "R:policies/strict.rego")]
    [InlineData(true, "anchors")]
    public void It_loads_OpenSSL_only_where_something_is_hashed_or_verified(bool loads, params string[] arguments)
    {
        var binary = PublishedBinary.Require();
        var answer = Peer.Require("env").Run(["LD_DEBUG=libs", binary.Program, .. arguments.Select(Resolved)]);

        Assert.Contains("calling init: ", answer.Output, StringComparison.Ordinal);
        Assert.Equal(loads, answer.Output.Contains("libcrypto.so", StringComparison.Ordinal));
    }

    [Fact]
    public void It_writes_the_configuration_that_the_build_writes()
    {
        string At(string name) => Path.Combine(_folder, name);

        Assert.Equal(0, PublishedBinary.Require().Run("init", At("binary.yaml")).ExitCode);
        Assert.Equal(0, PublishedBinary.RunBuilt("init", At("built.yaml")).ExitCode);
        Assert.Equal(File.ReadAllBytes(At("built.yaml")), File.ReadAllBytes(At("binary.yaml")));
    }

    [Fact]
    public void Of_a_command_of_the_checkout_it_says_that_it_is_one() =>
        Assert.Contains("it is a command of a checkout: ./assay bench", Same(2, "bench").Error, StringComparison.Ordinal);

    [Fact]
    public void Policies_are_tested_as_in_the_build()
    {
        string[] arguments = ["policy", "test", Path.Combine(Repository.Root, "policies"), "--format", "junit"];
        var (binary, built) = (PublishedBinary.Require().Run(arguments), PublishedBinary.RunBuilt(arguments));

        Assert.Equal((0, 0), (binary.ExitCode, built.ExitCode));
        Assert.Equal(Seconds().Replace(built.Text, ""), Seconds().Replace(binary.Text, ""));
        Assert.StartsWith("<?xml", binary.Text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_token_that_it_signs_is_verified_by_the_build()
    {
        var binary = PublishedBinary.Require();
        string At(string name) => Path.Combine(_folder, name);
        Assert.Equal(0, binary.Run("token", "keygen", "--out", At("key.pem")).ExitCode);
        File.WriteAllBytes(At("keys.jwks"), binary.Run("token", "jwks", "--signing-key", At("key.pem")).Output);
        var signed = binary.Run(
            "verify", "--evidence", Resolved(Hopper), "--rim-store", Resolved(HopperRims), "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z", "--nonce", "4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e",
            "--eat-out", At("token.json"), "--signing-key", At("key.pem"), "--issuer", "https://verifier.example");
        Assert.True(signed.ExitCode == 0, signed.Error);

        Same(
            0, "token", "verify", At("token.json"), "--jwks", At("keys.jwks"), "--issuer", "https://verifier.example", "--nonce", "4cff7f5380ead8fad8ec2c531c110aca4302a88f603792801a8ca29ee151af2e",
            "--dangerously-accept-weakened", "--at", TimeProvider.System.GetUtcNow().AddSeconds(5).ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture), "--format", "json");
    }

    [Fact]
    public void On_a_terminal_it_has_the_colours_of_the_build()
    {
        var binary = PublishedBinary.Require();
        string OnTerminal(string command)
        {
            var script = Peer.Require("script");
            return script.Run("-qec", $"env TERM=xterm-256color {command} explain report.nonce.match", "/dev/null").Output;
        }

        var shown = OnTerminal(binary.Program);

        Assert.Contains("\u001b[1mreport.nonce.match\u001b[0m", shown, StringComparison.Ordinal);
        Assert.Equal(OnTerminal($"dotnet {Path.Combine(AppContext.BaseDirectory, "assay.dll")}"), shown);
    }

    [Fact]
    public void It_needs_no_newer_C_library_than_its_page_says()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations", "install.md"));
        var stated = Version.Parse(StatedLibrary().Match(page).Groups[1].Value);
        var needed = NeededLibrary().Matches(Encoding.Latin1.GetString(File.ReadAllBytes(PublishedBinary.Require().Program))).Select(match => Version.Parse(match.Groups[1].Value)).Max();

        Assert.Equal(stated, needed);
    }

    private static string Resolved(string argument) => argument.StartsWith("R:", StringComparison.Ordinal) ? Path.Combine(Repository.Root, argument[2..]) : GoldenTests.Resolve(argument);

    internal static ProgramAnswer Same(int code, params string[] arguments)
    {
        var binary = PublishedBinary.Require().Run(arguments);
        var built = PublishedBinary.RunBuilt(arguments);

        Assert.True(binary.ExitCode == code, $"{binary.ExitCode}: {binary.Text}{binary.Error}");
        Assert.Equal(code, built.ExitCode);
        Assert.Equal(built.Error, binary.Error);
        Assert.Equal(built.Text, binary.Text);
        Assert.True(built.Output.AsSpan().SequenceEqual(binary.Output), "the same text in other bytes");
        return binary;
    }

    private static IEnumerable<string> Words(Command command, string words) =>
        command.Subcommands.SelectMany(sub => Words(sub, $"{words} {sub.Name}".TrimStart())).Prepend(words);

    [GeneratedRegex(@"glibc (2\.\d+) or later")]
    private static partial Regex StatedLibrary();

    [GeneratedRegex(@"GLIBC_(2\.\d+)\b")]
    private static partial Regex NeededLibrary();

    [GeneratedRegex("time=\"[0-9.]+\"")]
    private static partial Regex Seconds();
}

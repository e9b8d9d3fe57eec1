using System.Text.Json.Nodes;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>292: a fault of a configuration named another line that had the same letters; options that changed nothing counted as departures; an empty nonce was a fault of the key.</summary>
public sealed class Bug0292_WhatALineSaysTests : IDisposable
{
    private const string Hopper = "nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json";
    private static readonly AssayCommand s_assay = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-lines-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_line_is_that_of_the_file_which_the_message_is_about()
    {
        // "a.json" is in "data.json", and "rims" in "--rims".
        var config = Written("site.yaml", "version: 1\ncollateral:\n  rimStore: a.json\nreferenceValues:\n  file: data.json\n");

        var errors = s_assay.Says(2, "verify", "--config", config, "--evidence", Recorded.PathOf(Hopper)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.Contains("(site.yaml:5: referenceValues.file)", Assert.Single(errors, error => error.Contains("data.json: no such file", StringComparison.Ordinal)), StringComparison.Ordinal);
        Assert.Contains("(site.yaml:3: collateral.rimStore)", Assert.Single(errors, error => error.Contains("--rim-store", StringComparison.Ordinal)), StringComparison.Ordinal);
    }

    [Fact]
    public void Evidence_given_as_a_configuration_is_told_so() =>
        Assert.Contains("cli.config: evidence_derived.json: this is evidence of GPUs or switches; --config takes what is expected, in YAML or JSON (assay init writes one); use assay verify --evidence FILE", s_assay.Says(2, "verify", "--config", Recorded.PathOf(Hopper)), StringComparison.Ordinal);

    [Fact]
    public void What_repeats_the_file_or_only_prints_is_no_departure()
    {
        var config = Written("site.yaml", "version: 1\ncollateral:\n  timeoutSeconds: 7\n");

        Assert.Empty(Departures("--config", config, "--timeout", "7"));
        Assert.Equal(["--timeout"], Departures("--config", config, "--timeout", "8"));
        Assert.Equal(["--claims"], Departures("--config", config, "--claims", "3.0", "--verbose"));
    }

    [Theory]
    [InlineData("verify", "--evidence", "E", "--nonce", "")]
    [InlineData("verify", "--evidence", "E", "--nonce", "", "--tee-pubkey", "E")]
    [InlineData("verify", "--cpu-evidence", "Q", "--nonce", "")]
    public void An_empty_nonce_is_an_unset_variable(params string[] line)
    {
        var answer = s_assay.Says(2, line.Select(word => word switch { "E" => Recorded.PathOf(Hopper), "Q" => Recorded.PathOf("cpu/tdx/tdx_quote"), _ => word }));

        Assert.Equal("assay: cli.nonce: --nonce: the value is empty (an unset variable?)", answer.Trim());
    }

    [Fact]
    public void A_misspelt_weakening_is_asked_about() =>
        Assert.Contains("did you mean time-stated?", s_assay.Says(2, "verify", "--evidence", Recorded.PathOf(Hopper), "--accept-weakened", "time-statd"), StringComparison.Ordinal);

    [Fact]
    public void A_pass_that_is_not_accepted_says_so_at_its_top()
    {
        string[] line = ["verify", "--evidence", Recorded.PathOf(Hopper), "--rim-store", Recorded.PathOf("nvidia/rims/fsstore_545.00"), "--dangerously-skip-revocation", "--at", "2024-12-01T00:00:00Z"];

        Assert.DoesNotContain("not accepted", s_assay.Run(line).Output, StringComparison.Ordinal);
        Assert.Contains("exit code 1: you do not accept time-stated\n", s_assay.Says(1, [.. line, "--fail-on-weakened=time-stated"]), StringComparison.Ordinal);
    }

    [Fact]
    public void A_document_about_manifests_is_no_manifest()
    {
        var file = Written("page.xml", "<?xml version=\"1.0\"?>\n<!-- <SoftwareIdentity> -->\n<page>A SoftwareIdentity is a tag.</page>\n");

        Assert.Contains("this is XML", s_assay.Says(2, "inspect", file), StringComparison.Ordinal);
    }

    private static string[] Departures(params string[] options)
    {
        var answer = s_assay.Run(["verify", "--evidence", Recorded.PathOf(Hopper), "--format", "json", .. options]);
        return [.. JsonNode.Parse(answer.Output)!["config"]!["departures"]!.AsArray().Select(one => one!.GetValue<string>())];
    }

    private string Written(string name, string text)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllText(path, text);
        return path;
    }
}

using System.Text.Json.Nodes;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>What a bundle lacked was told once for each device and with no way to get it.</summary>
public sealed class Bug0261_BundlesThatLackItemsTests(BundleCommandTests.Site site) : IClassFixture<BundleCommandTests.Site>
{
    private const string Report = "nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json";
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void The_same_lack_of_four_devices_is_one_line_with_one_cure()
    {
        var text = s_assay.Says(3, site.Verify("--bundle", OfGpus(), "--bundle-keys", site.In("one.jwks")));

        Assert.Single(text.Split('\n'), line => line.StartsWith("  ocsp  ", StringComparison.Ordinal));
        Assert.Contains(" and 3 more, of devices 8–11", text, StringComparison.Ordinal);
        Assert.Contains("is missing: it is not in the bundle (sequence ", text, StringComparison.Ordinal);
        Assert.Equal(2, text.Split("assay bundle plan").Length);
        Assert.Contains("Make a new one where there is a network: assay bundle create --for FILE", text, StringComparison.Ordinal);
    }

    // Another source beside a bundle could replay what the bundle's signed marks say is superseded: an older "good" instead of a "revoked".
    [Theory]
    [InlineData("--rim-store", "rims")]
    [InlineData("--ocsp-store", "ocsp")]
    public void No_other_source_stands_beside_a_bundle(string option, string folder) =>
        Assert.Contains("cli.bundle: --bundle brings all collateral, and " + option, s_assay.Says(2, site.Verify("--bundle", OfGpus(), "--bundle-keys", site.In("one.jwks"), option, Path.Combine(site.Machine, folder))), StringComparison.Ordinal);

    [Fact]
    public void What_is_missing_names_the_command_that_fetches_it()
    {
        var missing = JsonNode.Parse(s_assay.Says(3, "verify", "--evidence", Recorded.PathOf(Report), "--at", "2024-06-01T00:00:00Z", "--format", "json"))!["missing"]!.AsArray();

        Assert.All(missing, item => Assert.Equal((string?)item!["kind"] == "rim" ? "assay verify --rim-url nvidia" : "assay verify --ocsp-url nvidia", (string?)item["fetch"]));
        Assert.All(missing, item => Assert.StartsWith("https://", (string?)item!["url"], StringComparison.Ordinal));
        var cpu = JsonNode.Parse(s_assay.Says(3, "verify", "--cpu-evidence", Recorded.PathOf("cpu/tdx/tdx_quote"), "--at", "2025-07-01T00:00:00Z", "--format", "json"))!["missing"]!.AsArray();
        Assert.All(cpu, item => Assert.Equal("assay verify --intel-url intel", (string?)item!["fetch"]));
    }

    [Fact]
    public void A_plan_says_where_each_item_is()
    {
        string[] plan = ["bundle", "plan", "--for", Recorded.PathOf("cpu/tdx/tdx_quote")];
        var json = JsonNode.Parse(s_assay.Says(3, [.. plan, "--format", "json"]))!["missing"]!.AsArray();

        Assert.NotEmpty(json);
        Assert.All(json, item => Assert.Matches("^https://[a-z.]+\\.intel\\.com/", (string?)item!["url"]));
        Assert.Contains("; it is at https://api.trustedservices.intel.com/", s_assay.Says(3, plan), StringComparison.Ordinal);
        // Nobody serves what a simulator made.
        Assert.DoesNotContain("https://", s_assay.Says(3, ["bundle", "plan", "--for", site.Evidence, .. site.Anchors]), StringComparison.Ordinal);
    }

    private string OfGpus()
    {
        var file = site.Fresh();
        s_assay.Says(0, ["bundle", "create", "--for", Path.Combine(site.Machine, "gpu_evidence.json"), "--offline", "--rim-store", Path.Combine(site.Machine, "rims"), "--ocsp-store", Path.Combine(site.Machine, "ocsp"), .. site.Anchors, "--key", site.In("one.pem"), "--out", file]);
        return file;
    }
}

using System.Text.Json.Nodes;
using Assay.Cli.Configuration;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>What holds where nobody said anything was called a demand, a private key was sent to the wrong option, and the file of assay init accepted every weakening.</summary>
public sealed class Bug0263_DemandsOfNobodyTests(BundleCommandTests.Site site) : IClassFixture<BundleCommandTests.Site>
{
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData(null, "the devices are bound to the VM by less than a boot event, which is expected unless you say otherwise")]
    [InlineData("evidence-hash", "the devices are bound to the VM less strongly than you require")]
    public void Only_who_states_a_binding_demands_one(string? required, string reason)
    {
        string[] stores = ["--rim-store", Path.Combine(site.Machine, "rims"), "--ocsp-store", Path.Combine(site.Machine, "ocsp"), "--cpu-collateral", Path.Combine(site.Machine, "tdx_collateral.json")];
        var call = site.Verify([.. stores, .. required is null ? Array.Empty<string>() : ["--require-binding", required], "--format", "json"]);
        call[Array.IndexOf(call, "--nonce") + 1] = "another";

        var level = JsonNode.Parse(s_assay.Says(1, call))!["findings"]!.AsArray().Single(finding => (string?)finding!["id"] == "binding.level.met")!;

        Assert.Equal(reason, (string?)level["reason"]);
    }

    [Theory]
    [InlineData("--bundle-keys")]
    [InlineData("--reference-keys")]
    public void A_private_key_in_the_place_of_a_public_one_is_told_how_to_get_it(string option)
    {
        var text = s_assay.Says(2, site.Verify("--bundle", site.Bundle, option, site.In("one.pem")));

        Assert.Contains($"{option}: one.pem: this is a private key; its public half is expected, as a key set (JWKS): assay token jwks --signing-key one.pem prints it", text, StringComparison.Ordinal);
        Assert.DoesNotContain("use --signing-key", text, StringComparison.Ordinal);
    }

    [Fact]
    public void What_init_writes_accepts_no_weakening_and_says_how_to_accept_some()
    {
        var text = InitCommand.Text();
        var file = site.Fresh();
        File.WriteAllText(file, text.Replace("Url: nvidia", "Url: none", StringComparison.Ordinal));
        string[] call = site.Verify("--config", file, "--bundle", site.Bundle, "--bundle-keys", site.In("one.jwks"));

        Assert.Contains("\n  weakened: []\n", text, StringComparison.Ordinal);
        Assert.Contains("for GPUs without a confidential VM: weakened: [gpu-binding-none, ", text, StringComparison.Ordinal);
        Assert.Contains("weakened by reference-values-unsigned", s_assay.Says(1, call), StringComparison.Ordinal);
        s_assay.Says(0, [.. call, "--accept-weakened", "reference-values-unsigned"]);
    }
}

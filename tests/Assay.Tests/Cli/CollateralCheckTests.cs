using System.Text.Json;

namespace Assay.Tests.Cli;

/// <summary><c>assay collateral check</c>: what of a folder ends when.</summary>
public sealed class CollateralCheckTests(BundleCommandTests.Site site) : IClassFixture<BundleCommandTests.Site>
{
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void A_folder_of_RIMs_is_verified_and_exits_1_where_something_ends_within_the_days()
    {
        var rims = Path.Combine(site.Machine, "rims");

        using var verified = Items(0, [rims, "--within", "0", .. site.Anchors]);
        Assert.All(verified.RootElement.GetProperty("items").EnumerateArray(), item =>
        {
            Assert.Equal(("holds", true), (item.GetProperty("state").GetString(), item.GetProperty("verified").GetBoolean()));
            Assert.Matches("^(the certificate .+|the certificate of the signer) under rim NV_", item.GetProperty("item").GetString());
        });
        using var all = Items(1, [rims, "--within", "3650", .. site.Anchors]);
        Assert.Contains(all.RootElement.GetProperty("items").EnumerateArray(), item => item.GetProperty("state").GetString() == "ends");
        // Under the manufacturers' roots no manifest of a simulator is of any use.
        Assert.Contains("unusable", s_assay.Says(1, "collateral", "check", rims, "--within", "0"), StringComparison.Ordinal);
    }

    [Fact]
    public void Answers_lists_and_statements_of_a_folder_are_named_with_their_ends_the_first_first()
    {
        var text = s_assay.Says(1, ["collateral", "check", site.Machine, "--within", "3650", .. site.Anchors]);

        Assert.Contains("the OCSP answer about serial number", text, StringComparison.Ordinal);
        Assert.Contains("the TCB information of FMSPC", text, StringComparison.Ordinal);
        Assert.Contains("the revocation list of", text, StringComparison.Ordinal);
        using var json = Items(1, [site.Machine, "--within", "3650", .. site.Anchors]);
        var ends = json.RootElement.GetProperty("items").EnumerateArray().Where(item => item.TryGetProperty("until", out _)).Select(item => item.GetProperty("until").GetDateTimeOffset()).ToArray();
        Assert.Equal(ends.Order(), ends);
    }

    [Fact]
    public void A_cache_tells_its_items_each_verified_again()
    {
        var cache = site.Fresh();
        s_assay.Says(0, ["bundle", "import", site.Bundle, "--cache", cache, .. site.Trusting, .. site.Anchors]);

        using var json = Items(0, [cache, "--within", "0", .. site.Anchors]);

        Assert.All(json.RootElement.GetProperty("items").EnumerateArray(), item => Assert.True(item.GetProperty("verified").GetBoolean()));
        Assert.Contains("collateral.anchors", s_assay.Says(2, "collateral", "check", cache, "--within", "0"), StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_no_folder_or_has_nothing_is_unusable()
    {
        Assert.Contains("does not exist", s_assay.Says(2, "collateral", "check", site.Fresh(), "--within", "1"), StringComparison.Ordinal);
        Assert.Contains("no collateral is in it", s_assay.Says(2, "collateral", "check", Directory.CreateDirectory(site.Fresh()).FullName, "--within", "1"), StringComparison.Ordinal);
        Assert.Contains("--within", s_assay.Says(2, "collateral", "check", site.Machine, "--within", "-1"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_verifies_the_signature_of_its_bundle_where_keys_are_given()
    {
        string[] plan = ["bundle", "plan", "--for", site.Evidence, "--bundle", site.Bundle, .. site.Anchors];

        Assert.Contains("its signature was not verified", s_assay.Says(0, plan), StringComparison.Ordinal);
        Assert.Contains("signed by", s_assay.Says(0, [.. plan, .. site.Trusting]), StringComparison.Ordinal);
        Assert.Contains("bundle.signed", s_assay.Says(2, [.. plan, "--bundle-keys", site.In("two.jwks")]), StringComparison.Ordinal);
        Assert.Contains("bundle.sequence.met", s_assay.Says(2, [.. plan, .. site.Trusting, "--minimum-bundle-sequence", "8"]), StringComparison.Ordinal);
    }

    private static JsonDocument Items(int code, IEnumerable<string> arguments) => JsonDocument.Parse(s_assay.Says(code, ["collateral", "check", .. arguments, "--format", "json"]));
}

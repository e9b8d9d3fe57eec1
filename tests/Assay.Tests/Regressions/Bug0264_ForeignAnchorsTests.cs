using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>Evidence of a simulator under the manufacturers' roots, and the other way round, was told to be collected again.</summary>
public sealed class Bug0264_ForeignAnchorsTests(BundleCommandTests.Site site) : IClassFixture<BundleCommandTests.Site>
{
    private const string Simulated = "it is a simulator's, whose roots are given with --anchors, for tests alone";
    private const string Real = "the roots given with --anchors are a simulator's, and this is not from one: leave --anchors out for the manufacturers' own";
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void A_simulators_evidence_under_real_roots_names_the_option()
    {
        Assert.Contains(Simulated, Because(s_assay.Says(1, "verify", "--evidence", Path.Combine(site.Machine, "gpu_evidence.json"))), StringComparison.Ordinal);
        Assert.Contains(Simulated, s_assay.Says(1, "bundle", "create", "--for", site.Evidence, "--offline", "--key", site.In("one.pem"), "--out", site.Fresh()), StringComparison.Ordinal);
        Assert.Contains(Simulated, s_assay.Says(1, "bundle", "verify", site.Bundle, "--bundle-keys", site.In("one.jwks")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--evidence", "nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json")]
    [InlineData("--cpu-evidence", "cpu/tdx/tdx_quote")]
    public void Real_evidence_under_a_simulators_roots_names_it_too(string option, string file) =>
        Assert.Contains(Real, Because(s_assay.Says(1, ["verify", option, Recorded.PathOf(file), .. site.Anchors])), StringComparison.Ordinal);

    // The first line under the headline.
    private static string Because(string text) => Assert.Single(text.Split('\n')[1..2], line => line.StartsWith("  because  ", StringComparison.Ordinal));
}

using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>RIMs given as --ocsp-store, and OCSP responses as --rim-store, were folders without anything in them.</summary>
public sealed class Bug0262_SwappedFoldersTests(BundleCommandTests.Site site) : IClassFixture<BundleCommandTests.Site>
{
    private static readonly AssayCommand s_assay = new();

    [Fact]
    public void A_folder_of_the_others_kind_is_refused_and_the_other_option_named()
    {
        var (rims, ocsp) = (Path.Combine(site.Machine, "rims"), Path.Combine(site.Machine, "ocsp"));
        string[] swapped = ["--rim-store", ocsp, "--ocsp-store", rims];
        string[] expected =
        [
            $"cli.folder: --rim-store: {ocsp} has OCSP responses and no RIMs (<id>.xml): give it as --ocsp-store",
            $"cli.folder: --ocsp-store: {rims} has RIMs (<id>.xml) and no OCSP responses: give it as --rim-store",
        ];

        foreach (var text in new[]
        {
            s_assay.Says(2, site.Verify(swapped)),
            s_assay.Says(2, ["bundle", "create", "--for", site.Evidence, "--offline", .. swapped, .. site.Anchors, "--key", site.In("one.pem"), "--out", site.Fresh()]),
        })
        {
            Assert.All(expected, error => Assert.Contains(error, text, StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_folder_with_both_and_an_empty_one_are_what_they_are()
    {
        var (both, empty) = (Directory.CreateDirectory(site.Fresh()).FullName, Directory.CreateDirectory(site.Fresh()).FullName);
        foreach (var file in new[] { "rims", "ocsp" }.SelectMany(name => Directory.EnumerateFiles(Path.Combine(site.Machine, name))))
        {
            File.Copy(file, Path.Combine(both, Path.GetFileName(file)));
        }

        string[] processor = ["--cpu-collateral", Path.Combine(site.Machine, "tdx_collateral.json")];
        s_assay.Says(0, site.Verify(["--rim-store", both, "--ocsp-store", both, .. processor]));
        s_assay.Says(3, site.Verify(["--rim-store", empty, "--ocsp-store", empty, .. processor]));
    }
}

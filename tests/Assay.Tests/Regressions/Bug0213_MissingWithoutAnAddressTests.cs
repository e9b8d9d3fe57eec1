using System.Text.Json.Nodes;
using Assay.Collateral.Upstreams;
using Assay.Endorsements;
using Assay.Reference;
using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>What was missing was named by a word, and its address had to be put together out of three documents.</summary>
public class Bug0213_MissingWithoutAnAddressTests
{
    private const string Chip = "d6ff3d3af2ec8f9f6a3bd2a9ac37b85dcf1ae2d8ee6ea2b6ad96b7b2be3a3f7d8e0fd9d0a9f3ccdbcb7a9e7a6d5c4b3a29181706f5e4d3c2b1a0918273645546";
    private static readonly AssayCommand s_assay = new();

    [Theory]
    [InlineData(CollateralKind.TcbInfo, "tdx/B0C06F000000/standard", "https://api.trustedservices.intel.com/tdx/certification/v4/tcb?fmspc=B0C06F000000&update=standard")]
    [InlineData(CollateralKind.QeIdentity, "tdx/standard", "https://api.trustedservices.intel.com/tdx/certification/v4/qe/identity?update=standard")]
    [InlineData(CollateralKind.PckCrl, "platform", "https://api.trustedservices.intel.com/sgx/certification/v4/pckcrl?ca=platform&encoding=der")]
    [InlineData(CollateralKind.RootCrl, "root", "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der")]
    [InlineData(CollateralKind.AmdChain, "vcek/Milan", "https://kdsintf.amd.com/vcek/v1/Milan/cert_chain")]
    [InlineData(CollateralKind.AmdCrl, "vcek/Genoa", "https://kdsintf.amd.com/vcek/v1/Genoa/crl")]
    [InlineData(CollateralKind.Rim, "NV_GPU_DRIVER_GH100_550.90.07", "https://rim.attestation.nvidia.com/v1/rim/NV_GPU_DRIVER_GH100_550.90.07")]
    [InlineData(CollateralKind.Vcek, "Milan/" + Chip + "/d315000000000004", "https://kdsintf.amd.com/vcek/v1/Milan/" + Chip + "?blSPL=04&teeSPL=00&snpSPL=21&ucodeSPL=211")]
    [InlineData(CollateralKind.Ocsp, "a/b/c", null)]
    public void Each_item_has_its_whole_address(CollateralKind kind, string id, string? expected) => Assert.Equal(expected, ManufacturerAddress.Of(new CollateralKey(kind, id)));

    /// <summary>The addresses that people get are those that the program asks.</summary>
    [Fact]
    public void The_hosts_are_those_of_the_upstreams()
    {
        var known = UpstreamOptions.Manufacturers;
        Assert.StartsWith(known.Intel!.Uri.ToString(), ManufacturerAddress.Of(new(CollateralKind.QeIdentity, "tdx/standard")), StringComparison.Ordinal);
        Assert.Equal(known.IntelRootCrl!.Uri.ToString(), ManufacturerAddress.Of(ItemVerification.IntelRootCrl));
        Assert.StartsWith(known.Amd!.Uri.ToString(), ManufacturerAddress.Of(new(CollateralKind.AmdCrl, "vcek/Milan")), StringComparison.Ordinal);
        Assert.StartsWith(known.Rim!.Uri.ToString(), ManufacturerAddress.Of(new(CollateralKind.Rim, "A")), StringComparison.Ordinal);
        Assert.Equal(ManufacturerAddress.NvidiaOcsp, known.Ocsp!.Uri.ToString());
    }

    [Fact]
    public void A_report_without_certificates_says_where_those_of_its_chip_and_TCB_are()
    {
        var answer = s_assay.Run("verify", "--cpu-evidence", Recorded.PathOf("cpu/snp/dstack/report.bin"), "--at", "2026-07-01T00:00:00Z", "--format", "json");

        Assert.Equal(3, answer.ExitCode);
        var missing = JsonNode.Parse(answer.Output)!["missing"]!.AsArray().Single(item => (string?)item!["id"] == "snp-certificates")!;
        Assert.Matches("^https://kdsintf.amd.com/vcek/v1/Milan/[0-9a-f]{128}\\?blSPL=04&teeSPL=00&snpSPL=23&ucodeSPL=213$", (string?)missing["url"]);
        Assert.Equal(["https://kdsintf.amd.com/vcek/v1/Milan/cert_chain"], missing["furtherUrls"]!.AsArray().Select(url => (string?)url));
    }

    [Fact]
    public void The_nearest_versions_for_the_same_chip_are_those_on_both_sides()
    {
        Assert.True(RimIds.TryParse("NV_GPU_DRIVER_GH100_550.90.07", out var id));
        string[] known = ["535.104.05", "550.9.1", "550.54.14", "550.127.05", "570.86.15", "575.32"];

        Assert.Equal(
            ["NV_GPU_DRIVER_GH100_550.9.1", "NV_GPU_DRIVER_GH100_550.54.14", "NV_GPU_DRIVER_GH100_550.127.05", "NV_GPU_DRIVER_GH100_570.86.15"],
            id.NearestOf([.. known.Select(version => $"NV_GPU_DRIVER_GH100_{version}"), "NV_GPU_DRIVER_GB100_550.90.08", "../x", "NV_GPU_DRIVER_GH100_550.90.07"]));
        Assert.Empty(id.NearestOf([]));
    }

    [Fact]
    public void A_missing_RIM_comes_first_with_those_that_are_there()
    {
        var folder = Directory.CreateTempSubdirectory("assay-near").FullName;
        try
        {
            File.Copy(Recorded.PathOf("nvidia/rims/fsstore_545.00/NV_GPU_DRIVER_GH100_545.00.xml"), Path.Combine(folder, "NV_GPU_DRIVER_GH100_545.01.xml"));
            string[] call = ["verify", "--evidence", Recorded.PathOf("nvidia/gpu/hopper_545.00_full_offline/evidence_derived.json"), "--rim-store", folder, "--dangerously-skip-revocation", "--at", "2024-06-01T00:00:00Z"];
            var lines = s_assay.Says(3, call).Split('\n');
            var near = Array.FindIndex(lines, line => line.Contains("for the same chip and board: NV_GPU_DRIVER_GH100_545.01", StringComparison.Ordinal));

            Assert.InRange(near, 1, 16);
            var json = JsonNode.Parse(s_assay.Says(3, [.. call, "--format", "json"]))!["missing"]!.AsArray().First(item => (string?)item!["id"] == "NV_GPU_DRIVER_GH100_545.00")!;
            Assert.Equal("NV_GPU_DRIVER_GH100_545.01", (string?)json["nearest"]![0]);
            Assert.Equal("https://rim.attestation.nvidia.com/v1/rim/NV_GPU_DRIVER_GH100_545.00", (string?)json["url"]);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}

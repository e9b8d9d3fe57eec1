using Assay.Cli.Verify;
using Assay.Collateral;
using Assay.Endorsements;

namespace Assay.Tests.Cli;

/// <summary>A bar says what is fetched and from where, while it waits.</summary>
public class ProgressTests
{
    [Fact]
    public void It_names_the_item_and_its_source() =>
        Assert.Equal("2 of 5  NV_GPU_DRIVER_GH100_550.90.07 from rim.attestation.nvidia.com", Progress.Of(new AppraisalProgress(2, 5, "NV_GPU_DRIVER_GH100_550.90.07") { Kind = CollateralKind.Rim }, kind => kind is CollateralKind.Rim ? "rim.attestation.nvidia.com" : null));

    [Theory]
    [InlineData("nvidia", CollateralKind.Ocsp, "ocsp.ndis.nvidia.com")]
    [InlineData("http://127.0.0.1:8093", CollateralKind.Ocsp, "127.0.0.1:8093")]
    [InlineData("none", CollateralKind.Ocsp, null)]
    [InlineData("nvidia", CollateralKind.Vcek, null)]
    public void A_source_is_a_host_or_nothing(string url, CollateralKind kind, string? expected)
    {
        var options = new VerifyOptions();
        var command = new System.CommandLine.Command("verify") { options.OcspUrl, options.AmdUrl, options.RimUrl, options.IntelUrl, options.CollateralUrl, options.RimStore, options.OcspStore, options.Bundle };

        Assert.Equal(expected, new SourcesRequest(options, command.Parse(["--ocsp-url", url]), (_, _) => { }).From(kind));
    }
}

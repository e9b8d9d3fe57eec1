using System.Globalization;
using Assay.Tests.Published;

namespace Assay.Tests.Regressions;

/// <summary>The demonstration wrote JSON by reflection, which no binary holds: ./eng/publish failed, and no test ran it.</summary>
public sealed class Bug0280_DemonstrationsInBinariesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("assay-published-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void The_demonstration_passes_without_a_checkout()
    {
        var demo = PublishedBinary.Require().Run("demo", "--out", Path.Combine(_folder, "dm"));

        Assert.True(demo.ExitCode == 0, demo.Text + demo.Error);
        // Its machine is judged as in the build: every kind of evidence, and keys that were made in this process.
        string File(string name) => Path.Combine(_folder, "dm", name);
        PublishedBinaryTests.Same(
            0, "verify", "--evidence", File("machine.json"), "--nonce", "bm9ib2R5IGVsc2UncyBjaGFsbGVuZ2U=", "--reference-values", File("reference_values.json"), "--cpu-collateral", File("tdx_collateral.json"),
            "--anchors", File("machine_anchors.json"), "--rim-store", File("rims"), "--ocsp-store", File("ocsp"), "--expect", "gpus=8,switches=4", "--at", TimeProvider.System.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture));
    }
}

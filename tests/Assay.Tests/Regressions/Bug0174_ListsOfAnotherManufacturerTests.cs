using Assay.Tests.Cli;

namespace Assay.Tests.Regressions;

/// <summary>
/// 174: a folder that holds a certificate of another manufacturer's alone gave a quote an empty revocation list, which then failed as malformed
/// where it was only missing.
/// </summary>
public class Bug0174_ListsOfAnotherManufacturerTests
{
    [Fact]
    public void What_a_folder_does_not_hold_is_missing()
    {
        var quote = Recorded.PathOf("cpu/tdx/tdx_quote");
        var answer = new AssayCommand().Run("verify", "--cpu-evidence", quote, "--cpu-collateral", Cases.PathOf("azure-snp-live/snpcol"), "--at", "2025-07-01T00:00:00Z");

        Assert.True(answer.ExitCode == 3, answer.Output);
        Assert.Contains("pck-crl", answer.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("malformed", answer.Output, StringComparison.Ordinal);
    }
}

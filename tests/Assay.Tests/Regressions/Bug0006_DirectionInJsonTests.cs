using System.Text;
using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Endorsements;
using Assay.Policy;
using Assay.Tests.Collateral;
using Assay.Trust;

namespace Assay.Tests.Regressions;

/// <summary>6: the verdict as JSON carried characters of a stranger's that turn the direction of text, and those that nobody sees.</summary>
public sealed class Bug0006_DirectionInJsonTests(NvidiaServices nvidia) : IClassFixture<NvidiaServices>
{
    [Theory]
    [InlineData("\u202e")]
    [InlineData("\u2066")]
    [InlineData("\u200f")]
    [InlineData("\u200b")]
    [InlineData("\ufeff")]
    [InlineData("\U000e0041")]
    [InlineData("\u009b2J")]
    public void What_moves_text_stands_escaped_and_means_the_same(string harmful)
    {
        var source = $"gpu{harmful}.json \u2026 \u00fc";
        var cache = new VerifierCache();
        var evidence = nvidia.Evidence[0] with { Source = source };
        var result = DevicesAppraisal.Appraise(DevicesAppraisal.Authenticate([evidence], nvidia.Expectations, cache), MachineCollateral.Empty, nvidia.Expectations, cache);

        var json = VerdictJson.Write(DefaultPolicy.Decide(result), ClaimsVersion.V4);

        var text = Encoding.UTF8.GetString(json);
        Assert.DoesNotContain(harmful, text, StringComparison.Ordinal);
        Assert.Contains("\u2026 \u00fc", text, StringComparison.Ordinal);
        using var document = JsonDocument.Parse(json);
        Assert.Equal(source, document.RootElement.GetProperty("devices")[0].GetProperty("source").GetString());
    }
}

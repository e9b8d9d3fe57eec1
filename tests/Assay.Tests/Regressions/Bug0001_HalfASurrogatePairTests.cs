using System.Text;
using Assay.Evidence.Files;
using Assay.Trust;

namespace Assay.Tests.Regressions;

/// <summary>1: JSON with half a surrogate pair threw instead of being refused.</summary>
public class Bug0001_HalfASurrogatePairTests
{
    public static TheoryData<string> Texts =>
    [
        """{"version":1,"\ud800":1}""",
        """{"evidences":[{"evidence":"\ud800","certificate":"AA=="}]}""",
        """[{"arch":"\udc00","nonce":"\ud800","evidence":"AA==","certificate":"AA=="}]""",
        """{"__cmwc_t":"\ud800"}""",
        """{"version":1,"kind":"\ud800","device":["\ud800"],"rim":[]}""",
    ];

    [Theory]
    [MemberData(nameof(Texts))]
    public void Half_a_surrogate_pair_is_a_fault_and_no_exception(string json)
    {
        var bytes = Encoding.UTF8.GetBytes(json);

        Assert.False(EvidenceFile.TryParse(bytes, "file", out _, out var fault));
        Assert.Contains("surrogate", fault!.Problem, StringComparison.Ordinal);
        Assert.False(TrustSet.TryParse(bytes, out _, out fault));
        Assert.Contains("surrogate", fault!.Problem, StringComparison.Ordinal);
    }
}

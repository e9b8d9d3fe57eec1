using System.Globalization;
using System.Text;
using Assay.Rego;

namespace Assay.Tests.Regressions;

/// <summary>14: numbers that print with many digits counted as small ones, so that a document of them left an evaluation, and filled the memory when it was shown.</summary>
public sealed class Bug0014_ANumberThatPrintsLongTests
{
    [Theory]
    [InlineData("1e9000 * 1e9000")]
    [InlineData("bits.lsh(1, 65000)")]
    public void A_number_counts_with_the_digits_that_it_is_written_with(string number)
    {
        var module = new StringBuilder($"package a\n\np0 := [{number}]\n");
        for (var i = 1; i <= 18; i++)
        {
            module.Append(CultureInfo.InvariantCulture, $"p{i} := [p{i - 1}, p{i - 1}]\n");
        }

        Assert.True(RegoModule.TryParse("a.rego", module.ToString(), out var parsed, out var error), error?.ToDisplay());
        Assert.True(CompiledPolicy.TryCompile([parsed], null, out var policy, out var errors), string.Join('\n', errors));
        Assert.True(policy.TryPrepare("data.a.p18", out var query, out errors), string.Join('\n', errors));

        var result = query.Evaluate(null, cancellation: TestContext.Current.CancellationToken);

        Assert.Equal("eval_budget_error", result.Error?.CodeText);
        Assert.Contains("larger than", result.Error!.Message, StringComparison.Ordinal);
    }
}

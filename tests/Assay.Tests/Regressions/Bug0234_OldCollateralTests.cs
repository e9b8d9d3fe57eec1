using Assay.Appraisal.Processors;
using Assay.Checks;
using Assay.Trust;
using Assay.Trust.Revocation;

namespace Assay.Tests.Regressions;

/// <summary>A relying party could bound the age of OCSP answers in the library, and of nothing else: a list or a TCB information of 29 days passed.</summary>
public sealed class Bug0234_OldCollateralTests
{
    private static readonly DateTimeOffset s_now = EvaluationTime.ReleaseDate.AddDays(40);

    [Theory]
    [InlineData(null, CheckState.Held)]
    [InlineData(29 * 24, CheckState.Held)]
    [InlineData(29 * 24 - 1, CheckState.Failed)]
    [InlineData(24, CheckState.Failed)]
    public void A_statement_is_refused_when_it_is_older_than_the_relying_party_accepts(int? hours, CheckState expected)
    {
        var judge = new CrlJudge(new TrustBasis(new EvaluationTime(s_now, TimeSource.System), TrustSet.BuiltIn, RevocationChecking.Required) { MaximumAge = hours is { } most ? TimeSpan.FromHours(most) : null }, new VerifierCache());

        var outcome = judge.Within(s_now.AddDays(-29), s_now.AddDays(1), "TCB information");

        Assert.Equal(expected, outcome.Named("test").State);
        Assert.True(expected is CheckState.Held || outcome.Named("test").Reason!.Contains("older than the relying party accepts", StringComparison.Ordinal));
    }
}

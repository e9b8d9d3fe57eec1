using Assay.Cli.Explain;

namespace Assay.Tests.Regressions;

/// <summary>286: a verdict prints a cure without its cause, and "Fetch it again" did not say what to fetch.</summary>
public sealed class Bug0286_CuresWithoutASubjectTests
{
    [Fact]
    public void A_cure_that_is_read_alone_says_what_it_is_about()
    {
        Assert.NotEmpty(Explanations.All);
        Assert.All(Explanations.All, explanation => Assert.DoesNotMatch(@"^[A-Z][a-z]+ (it|them)\b", explanation.Cure));
    }
}

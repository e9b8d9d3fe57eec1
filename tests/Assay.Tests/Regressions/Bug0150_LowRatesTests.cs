using Assay.Collateral.Proxy;

namespace Assay.Tests.Regressions;

/// <summary>A rate that is no multiple of ten was another one: <c>--rate 1</c> let ten requests a second through, <c>--rate 19</c> ten as well.</summary>
public sealed class Bug0150_LowRatesTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(19)]
    [InlineData(2000)]
    [InlineData(1_000_000)]
    public void A_bucket_fills_at_the_rate_that_was_asked_for(int rate)
    {
        var bucket = RateLimits.Bucket(rate);

        Assert.Equal(rate, bucket.TokensPerPeriod / bucket.ReplenishmentPeriod.TotalSeconds, rate * 1e-5);
        Assert.Equal(2 * rate, bucket.TokenLimit);
        Assert.Equal(0, bucket.QueueLimit);
    }
}

using System.Text;
using Assay.Policy;
using Assay.Tests.Policy;

namespace Assay.Tests.Regressions;

/// <summary>A JSON policy with a number whose exponent is beyond 32 bits was accepted, and ended the verification with exit 70.</summary>
public sealed class Bug0110_NumbersOutOfRangeTests(PolicyWorld world) : IClassFixture<PolicyWorld>
{
    [Theory]
    [InlineData("1e99999999999")]
    [InlineData("1E+99999999999")]
    [InlineData("1e-99999999999")]
    [InlineData("0e99999999999")]
    [InlineData("-0.0E-2147483649")]
    [InlineData("1e1000")]
    [InlineData("[[true,1e99999999999]]")]
    [InlineData("[{\"x\":[1,2,1e99999999999]}]")]
    [InlineData("{\"x\":{\"y\":1e99999999999}}")]
    public void A_number_with_an_exponent_that_nobody_compares_is_refused_with_the_policy(string value)
    {
        var json = "{\"version\":\"1.0\",\"authorization-rules\":{\"measres\":\"success\",\"x-nvidia-gpu-arch-check\":" + value + "}}";

        Assert.False(JsonPolicy.TryParse(Encoding.UTF8.GetBytes(json), out _, out var fault));

        Assert.Equal("x-nvidia-gpu-arch-check", fault.Field);
        Assert.Contains("its number is out of range", fault.Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("1")]
    [InlineData("-0")]
    [InlineData("0.1e1")]
    [InlineData("1e400")]
    [InlineData("1E-400")]
    [InlineData("1e+999")]
    [InlineData("9223372036854775808")]
    [InlineData("18446744073709551616")]
    [InlineData("1234567890123456789012345678901234567890.5")]
    public void Every_other_number_is_compared(string number)
    {
        // By name, against a number, and inside an array, which is compared whole.
        var records = (world.GpuScene with { Nonce = new byte[32] }).Appraise();
        foreach (var rule in (string[])["\"x-nvidia-gpu-arch-check\":{0}", "\"x-nvidia-mismatch-measurement-records\":[{0}]", "\"measres\":{\"a\":{0}}"])
        {
            var policy = Policy.Policies.Flat(rule.Replace("{0}", number, StringComparison.Ordinal));

            Assert.False(Policy.Policies.Decide(policy, world.HonestGpu).Allowed);
            Assert.False(Policy.Policies.Decide(policy, records).Allowed);
        }
    }
}

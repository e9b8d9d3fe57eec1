using System.Text.Json;
using Assay.Appraisal.Devices;
using Assay.Policy;
using Assay.Tests.Tokens;
using Assay.Tokens;

namespace Assay.Tests.Regressions;

/// <summary>8: a token attributed the verdict of a policy without a digest to the default policy (S-20).</summary>
public sealed class Bug0008_PolicyOfAnotherNameTests(TokenFixture fixture) : IClassFixture<TokenFixture>
{
    [Fact]
    public void A_policy_that_the_relying_party_brought_stands_in_the_token_by_its_own_name()
    {
        var lenient = new RelyingPartyPolicy("lenient", null, _ => new PolicyDecision { Allowed = true, Reason = "why not" });
        var verdict = Verdict.Of(fixture.Pass.Appraisal, lenient, ClaimsVersion.V3);

        Assert.True(EatBundle.TryParse(fixture.Bundle(verdict), out var bundle, out var fault), fault?.ToString());

        var policy = bundle.Overall.Payload.GetProperty("x-assay-policy");
        Assert.Equal("lenient", policy.GetProperty("id").GetString());
        Assert.Equal(JsonValueKind.Null, policy.GetProperty("digest").ValueKind);
    }
}

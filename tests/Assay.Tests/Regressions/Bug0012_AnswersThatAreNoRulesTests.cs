using System.Text;
using Assay.Cli.Policies;
using Assay.Policies;

namespace Assay.Tests.Regressions;

/// <summary>12: a policy was satisfied by --policy-data where its rule was undefined, by a constant as the query, or by the first of several values.</summary>
public sealed class Bug0012_AnswersThatAreNoRulesTests
{
    private const string Source = "package policy\n\nnv_match if input[0].measres == \"never\"\n\nhelps.allow if input.x\n\nseveral contains true\n";

    [Theory]
    [InlineData("true")]
    [InlineData("data.policy.several[_]")]
    [InlineData("data.policy.nv_macth")]
    [InlineData("data.policy")]
    [InlineData("data.allow")]
    [InlineData("input[0].measres == \"fail\"")]
    [InlineData("data.policy.nv_match.x == 1; true")]
    [InlineData("not data.policy.nv_match")]
    public void The_query_is_a_rule_of_the_policy(string query)
    {
        Assert.False(RegoPolicy.TryParse("p.rego", Encoding.UTF8.GetBytes(Source), null, query, out _, out var fault));
        Assert.Contains("is no rule of it; it has", fault.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"policy":{"nv_match":true}}""", "data.policy.nv_match")]
    [InlineData("""{"policy":{"helps":{"allow":false}}}""", "data.policy.helps.allow")]
    [InlineData("""{"policy":{"helps":1}}""", "data.policy.helps.allow")]
    public void Data_do_not_stand_where_a_rule_stands(string data, string rule)
    {
        Assert.True(PolicyDocument.TryParse(Encoding.UTF8.GetBytes(data), out var documents, out _));
        Assert.False(RegoPolicy.TryParse("p.rego", Encoding.UTF8.GetBytes(Source), documents, null, out _, out var fault));
        Assert.Equal(PolicyFaultKind.DataCoverRule, fault.Kind);
        Assert.Contains($"{rule} is defined in the policy and in the data", fault.ToString(), StringComparison.Ordinal);
        Assert.Contains($"{rule} is defined in the policy and in --policy-data", PolicyFaults.Of(fault), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"policy":{"limits":1,"helps":{"limit":2}},"other":{"nv_match":true}}""", "data.policy.nv_match")]
    [InlineData("{}", "data.policy.helps.allow")]
    [InlineData("{}", null)]
    public void Other_data_and_each_rule_are_as_before(string data, string? query)
    {
        Assert.True(PolicyDocument.TryParse(Encoding.UTF8.GetBytes(data), out var documents, out _));
        Assert.True(RegoPolicy.TryParse("p.rego", Encoding.UTF8.GetBytes(Source), documents, query, out _, out var fault), fault?.ToString());
    }
}

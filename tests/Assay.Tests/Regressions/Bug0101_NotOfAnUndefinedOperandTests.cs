using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Tests.Regressions;

/// <summary>
/// 101: <c>not denied(input.path)</c> was true where the input has no path, so that a policy that OPA answers with a refusal allowed. OPA evaluates the
/// operands before the <c>not</c>.
/// </summary>
public sealed class Bug0101_NotOfAnUndefinedOperandTests
{
    private const string Source = """
        package policy

        default allow := false

        allow if not denied(input.path)

        denied(path) if startswith(path, "/admin")
        """;

    [Theory]
    [InlineData("{}", false)]
    [InlineData("{\"path\":\"/admin/keys\"}", false)]
    [InlineData("{\"path\":\"/status\"}", true)]
    public void What_is_not_there_is_not_allowed(string json, bool allowed)
    {
        Assert.True(RegoModule.TryParse("policy.rego", Source, out var module, out var error), error?.ToDisplay());
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out var errors), string.Join('\n', errors));
        Assert.True(policy.TryPrepare("data.policy.allow", out var query, out errors), string.Join('\n', errors));
        Assert.True(RegoJson.TryRead(json, out var input, out var problem), problem);

        Assert.Equal(allowed, query.Evaluate(input, cancellation: TestContext.Current.CancellationToken).IsTrue);
    }
}

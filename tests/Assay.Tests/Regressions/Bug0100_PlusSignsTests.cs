using Assay.Rego;

namespace Assay.Tests.Regressions;

/// <summary>
/// 100: each level of calls and operators doubled the work of compiling, as the order of arguments was searched twice at each: forty plus signs in a
/// row never ended, in <c>assay policy check</c> as in <c>assay verify --policy</c>.
/// </summary>
public sealed class Bug0100_PlusSignsTests
{
    [Fact]
    public void Forty_plus_signs_in_a_row_are_a_policy_like_any_other()
    {
        var source = $"package policy\n\nscore := 1{string.Concat(Enumerable.Repeat(" + 1", 40))}\n\nallow if score > 0\n";
        Assert.True(RegoModule.TryParse("hang.rego", source, out var module, out var error), error?.ToDisplay());

        var options = new CompileOptions { Budget = new CompileBudget { Steps = 2_000 } };
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out var errors, options), string.Join('\n', errors));

        Assert.True(policy.TryPrepare("data.policy.score", out var query, out errors), string.Join('\n', errors));
        Assert.Equal("41", query.Evaluate(null, cancellation: TestContext.Current.CancellationToken).Value?.ToJson());
    }
}

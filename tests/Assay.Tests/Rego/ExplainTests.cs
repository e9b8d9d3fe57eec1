using Assay.Rego;
using Assay.Rego.Values;

namespace Assay.Tests.Rego;

public class ExplainTests
{
    [Fact]
    public void An_explanation_names_the_statement_that_refused_and_what_it_saw()
    {
        const string Source = "package a\n\nallow if {\n\tinput.mode == \"confidential\"\n\tinput.driver == \"550\"\n}\n\nother if {\n\tinput.x\n}";
        Assert.True(RegoModule.TryParse("a.rego", Source, out var module, out _));
        Assert.True(CompiledPolicy.TryCompile([module], null, out var policy, out _, new CompileOptions { Explain = true }));
        Assert.True(policy.TryPrepare("data.a.allow", out var query, out _));
        Assert.True(RegoJson.TryRead("{\"mode\":\"confidential\",\"driver\":\"535\"}", out var input, out _));

        var result = query.Evaluate(input, cancellation: TestContext.Current.CancellationToken);

        Assert.Null(result.Value);
        var stopped = Assert.Single(result.Explanation, statement => statement.Stopped);
        Assert.Equal(5, stopped.Location.Line);
        Assert.Equal("(input.driver == \"550\")", stopped.Text);
        var seen = Assert.Single(stopped.Seen);
        Assert.Equal("input.driver", seen.Name);
        Assert.Equal(new RegoString("535"), seen.Value);
        // Coverage: what nothing led to.
        Assert.Equal([9], result.Explanation.Where(statement => statement.Tried == 0).Select(statement => statement.Location.Line));
    }
}

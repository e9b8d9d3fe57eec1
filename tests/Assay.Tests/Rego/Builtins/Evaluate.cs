using Assay.Rego;
using Assay.Rego.Builtins;
using Assay.Rego.Values;

namespace Assay.Tests.Rego.Builtins;

/// <summary>Evaluates one Rego expression in strict mode and gives its JSON, "undefined", or the error's code and message.</summary>
internal static class Evaluate
{
    // Only so that a hang ends: no test is about time.
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(5);

    public static string Expression(string expression, string? input = null, EvaluationEnvironment? environment = null, EvaluationBudget? budget = null)
    {
        Assert.True(CompiledPolicy.TryCompile([], null, out var policy, out _));
        Assert.True(policy.TryPrepare("x := " + expression, out var query, out var errors), string.Join("\n", (errors ?? []).Select(error => error.ToDisplay())));
        RegoValue? value = null;
        Assert.True(input is null || RegoJson.TryRead(input, out value, out _), input);
        using var limit = new CancellationTokenSource(s_limit);
        var result = query.Evaluate(
            value,
            new EvaluationOptions { StrictBuiltinErrors = true, Environment = environment ?? EvaluationEnvironment.Empty, Budget = budget ?? EvaluationBudget.Default },
            limit.Token);
        return result.Error is { } error ? $"{error.CodeText}: {error.Message}"
            : result.Rows.Count == 0 ? "undefined"
            : result.Rows[0].TryGetValue("x", out var found) ? found.ToJson() : "no x";
    }

    /// <summary>Evaluates a call over strings that no source text could hold comfortably: they stand in input as a, b, c.</summary>
    public static string Call(string expression, params string[] texts)
    {
        var members = texts.Select((text, index) => new KeyValuePair<RegoValue, RegoValue>(new RegoString(((char)('a' + index)).ToString()), new RegoString(text)));
        return Expression(expression, RegoObject.From(members).ToJson());
    }
}

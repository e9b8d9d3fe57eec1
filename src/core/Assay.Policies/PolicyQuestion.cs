using System.Globalization;
using Assay.Rego;
using Assay.Rego.Builtins;

namespace Assay.Policies;

/// <summary>A question about policies, compiled: any number of threads asks it at once, as often as they like.</summary>
public sealed class PolicyQuestion
{
    private readonly PreparedQuery _query;

    internal PolicyQuestion(PreparedQuery query) => _query = query;

    /// <summary>Evaluates within the budget of the engine: 20 million steps, 256 MiB of values.</summary>
    /// <param name="input">The document <c>input</c>; null: it is undefined.</param>
    /// <param name="clock">The clock that the policy reads, once.</param>
    /// <param name="print">Takes the lines of <c>print()</c>, with the place before each; not made printable. Null: they are dropped.</param>
    /// <param name="cancellation">Ends the evaluation with an error.</param>
    public PolicyAnswer Ask(PolicyDocument? input, TimeProvider clock, Action<string>? print, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(clock);
        var environment = new EvaluationEnvironment { Clock = clock, Print = print is null ? null : (at, text) => print(string.Create(CultureInfo.InvariantCulture, $"{at}: {text}")) };
        return new PolicyAnswer(_query.Evaluate(input?.Value, new EvaluationOptions { Environment = environment }, cancellation));
    }
}

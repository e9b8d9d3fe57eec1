using Assay.Rego.Evaluation;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>Finds what tells a document's rules apart: the value in input, or the argument, that most of them compare with different constants.</summary>
internal static class Indexing
{
    // Below this, asking each rule is as quick.
    private const int FewRules = 3;

    /// <summary>An equality that must hold for the rule to give anything.</summary>
    private readonly record struct Test(string Key, Expression Value, RegoValue Constant);

    /// <summary>The index over the rules that are no default, in their order; null when there is none worth its cost.</summary>
    public static RuleIndex? Of(List<LRule> rules, CompileWork work)
    {
        work.Tick(rules.Sum(rule => (long)rule.Branches.Length));
        var tests = rules.Where(rule => !rule.Node.IsDefault).Select(Tests).ToList();
        var best = tests.SelectMany(all => all.DistinctBy(test => test.Key))
            .GroupBy(test => test.Key)
            .OrderByDescending(group => group.Select(test => test.Constant).Distinct().Count())
            .ThenBy(group => group.Key, StringComparer.Ordinal)
            .FirstOrDefault();
        if (best is null || best.Count() < FewRules)
        {
            return null;
        }

        var (always, byValue) = (new List<int>(), new Dictionary<RegoValue, List<int>>());
        for (var i = 0; i < tests.Count; i++)
        {
            var at = tests[i].FindIndex(test => test.Key == best.Key);
            if (at < 0)
            {
                always.Add(i);
            }
            else if (byValue.TryGetValue(tests[i][at].Constant, out var listed))
            {
                listed.Add(i);
            }
            else
            {
                byValue[tests[i][at].Constant] = [i];
            }
        }

        return new RuleIndex(best.First().Value, byValue.ToDictionary(entry => entry.Key, entry => entry.Value.ToArray()), [.. always]);
    }

    // A rule with else may hold by another branch: only those of one branch are told apart.
    private static List<Test> Tests(LRule rule) =>
        rule.Branches is [var only] ? [.. only.Body.Select(statement => Of(statement, rule)).OfType<Test>()] : [];

    private static Test? Of(LStatement statement, LRule rule) => statement switch
    {
        { Negated: true } or { With.Length: > 0 } => null,
        LEquation equation => Of(equation.Left, equation.Right, rule) ?? Of(equation.Right, equation.Left, rule),
        LExpression { Term: LCall { Builtin.Name: "equal", Arguments: [var left, var right] } } => Of(left, right, rule) ?? Of(right, left, rule),
        _ => null,
    };

    private static Test? Of(LTerm term, LTerm other, LRule rule)
    {
        if (other is not LConst constant)
        {
            return null;
        }

        switch (term)
        {
            case LRef { Head: LInput } reference when reference.Path.All(element => element is LConst):
                RegoValue[] path = [.. reference.Path.Select(element => ((LConst)element).Value)];
                return new Test(PathWriter.Write(path), new ConstantLookupExpression(InputExpression.Instance, path), constant.Value);
            // The arguments have the first slots.
            case LLocal { Local: var local } when local.Slot <= rule.Arguments.Count && rule.Arguments[local.Slot - 1] == local:
                return new Test($"${local.Slot}", new SlotExpression(local.Slot), constant.Value);
            default:
                return null;
        }
    }
}

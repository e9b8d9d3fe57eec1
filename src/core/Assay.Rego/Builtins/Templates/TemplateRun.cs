using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Templates;

/// <summary>Renders a template over data. A missing member prints as <c>&lt;undefined&gt;</c>, as OPA shows it.</summary>
/// <param name="data">The variables.</param>
/// <param name="tick">Told of steps; may throw to stop.</param>
/// <param name="grow">Told the length of the text before it grows; may throw to refuse.</param>
internal sealed class TemplateRun(RegoValue data, Action<long> tick, Action<long> grow)
{
    private const string Missing = "<undefined>";

    private readonly StringBuilder _text = new();
    private readonly List<(string Name, RegoValue? Value)> _variables = [("$", data)];
    private string? _fault;

    private enum Flow
    {
        On,
        Next,
        Break,
    }

    public bool TryRun(List<TemplateNode> template, out string rendered, out string fault)
    {
        Render(template, data);
        (rendered, fault) = (_text.ToString(), _fault ?? "");
        return _fault is null;
    }

    /// <summary>What a value prints as: texts bare, lists and maps as Go prints them.</summary>
    public static string Show(RegoValue? value) => value switch
    {
        null => Missing,
        RegoNull => "<no value>",
        RegoString text => text.Value,
        RegoArray array => $"[{string.Join(' ', array.Select(Show))}]",
        RegoObject members => $"map[{string.Join(' ', members.Select(pair => Show(pair.Key) + ":" + Show(pair.Value)))}]",
        _ => value.ToString(),
    };

    private RegoValue? Refuse(string problem)
    {
        _fault ??= $"template: {problem}";
        return null;
    }

    private Flow Render(List<TemplateNode> nodes, RegoValue? dot)
    {
        foreach (var node in nodes)
        {
            tick(1);
            if (_fault is not null)
            {
                return Flow.Break;
            }

            var flow = Flow.On;
            switch (node)
            {
                case TemplateNode.Text text:
                    Append(text.Value);
                    break;
                case TemplateNode.Action action:
                    var value = Evaluate(action.Pipeline, dot);
                    if (action.Pipeline.Variables.Count == 0 && _fault is null)
                    {
                        Measure(value);
                        Append(Show(value));
                    }

                    break;
                case TemplateNode.Branch branch:
                    var scope = _variables.Count;
                    flow = RenderBranch(branch, dot);
                    _variables.RemoveRange(scope, _variables.Count - scope);
                    break;
                case TemplateNode.Leave leave:
                    flow = leave.Whole ? Flow.Break : Flow.Next;
                    break;
                default:
                    break;
            }

            if (flow is not Flow.On)
            {
                return flow;
            }
        }

        return Flow.On;
    }

    private void Append(string text)
    {
        grow(_text.Length + (long)text.Length);
        _text.Append(text);
    }

    // Shared parts print every time they stand in a value, so that its text is measured before it is made.
    private void Measure(RegoValue? value)
    {
        tick(1);
        switch (value)
        {
            case RegoArray array:
                foreach (var item in array)
                {
                    Measure(item);
                }

                break;
            case RegoObject members:
                foreach (var item in members.Values)
                {
                    Measure(item);
                }

                break;
            default:
                break;
        }
    }

    private Flow RenderBranch(TemplateNode.Branch branch, RegoValue? dot)
    {
        var value = Evaluate(branch.Pipeline, dot);
        if (_fault is not null)
        {
            return Flow.Break;
        }

        if (branch.Kind is BranchKind.Range)
        {
            return RenderRange(branch, value, dot);
        }

        return IsTrue(value) ? Render(branch.Body, branch.Kind is BranchKind.With ? value : dot)
            : branch.Else is not null ? Render(branch.Else, dot)
            : Flow.On;
    }

    private Flow RenderRange(TemplateNode.Branch branch, RegoValue? value, RegoValue? dot)
    {
        IEnumerable<(RegoValue Key, RegoValue Item)> items;
        switch (value)
        {
            case RegoArray array:
                items = array.Select((item, index) => ((RegoValue)RegoNumber.Of(index), item));
                break;
            case RegoObject members:
                items = members.Select(pair => (pair.Key, pair.Value));
                break;
            case null or RegoNull:
                items = [];
                break;
            default:
                Refuse($"range can't iterate over {Show(value)}");
                return Flow.Break;
        }

        var any = false;
        foreach (var (key, item) in items)
        {
            any = true;
            tick(1);
            var scope = _variables.Count;
            var names = branch.Pipeline.Variables;
            if (names.Count == 2)
            {
                _variables.Add((names[0], key));
            }

            if (names.Count > 0)
            {
                _variables.Add((names[^1], item));
            }

            var flow = Render(branch.Body, item);
            _variables.RemoveRange(scope, _variables.Count - scope);
            if (flow is Flow.Break || _fault is not null)
            {
                break;
            }
        }

        return any || branch.Else is null ? Flow.On : Render(branch.Else, dot);
    }

    /// <summary>Go's truth: not false, zero, empty or absent.</summary>
    public static bool IsTrue(RegoValue? value) => value switch
    {
        null or RegoNull => false,
        RegoBoolean boolean => boolean.Value,
        RegoNumber number => number.Sign != 0,
        RegoString text => text.Value.Length > 0,
        RegoArray array => array.Count > 0,
        RegoObject members => members.Count > 0,
        _ => true,
    };

    private RegoValue? Evaluate(Pipeline pipeline, RegoValue? dot)
    {
        RegoValue? value = null;
        for (var index = 0; index < pipeline.Commands.Count && _fault is null; index++)
        {
            value = Command(pipeline.Commands[index], dot, index > 0, value);
        }

        if (pipeline.Variables.Count == 1)
        {
            Store(pipeline.Variables[0], value, pipeline.Declares);
        }

        return value;
    }

    private void Store(string name, RegoValue? value, bool declares)
    {
        if (declares)
        {
            _variables.Add((name, value));
            return;
        }

        var at = _variables.FindLastIndex(variable => variable.Name == name);
        if (at < 0)
        {
            Refuse($"undefined variable: {name}");
            return;
        }

        _variables[at] = (name, value);
    }

    private RegoValue? Command(List<Operand> command, RegoValue? dot, bool piped, RegoValue? last)
    {
        tick(1);
        if (command[0] is not Operand.Function function)
        {
            return command.Count > 1 || piped ? Refuse("can't give argument to non-function") : Value(command[0], dot);
        }

        var arguments = new List<RegoValue?>();
        foreach (var operand in command.Skip(1))
        {
            arguments.Add(Value(operand, dot));
        }

        if (piped)
        {
            arguments.Add(last);
        }

        if (_fault is not null)
        {
            return null;
        }

        var result = TemplateFunctions.Call(function.Name, arguments, length => grow(_text.Length + length), out var fault);
        return fault is null ? result : Refuse(fault);
    }

    private RegoValue? Value(Operand operand, RegoValue? dot)
    {
        RegoValue? value;
        switch (operand)
        {
            case Operand.Literal literal:
                value = literal.Value;
                break;
            case Operand.Dot:
                value = dot;
                break;
            case Operand.Variable variable:
                var at = _variables.FindLastIndex(known => known.Name == variable.Name);
                if (at < 0)
                {
                    return Refuse($"undefined variable: {variable.Name}");
                }

                value = _variables[at].Value;
                break;
            case Operand.Nested nested:
                value = Evaluate(nested.Pipeline, dot);
                break;
            default:
                return Command([operand], dot, false, null);
        }

        for (var index = 0; index < operand.Fields.Count && _fault is null; index++)
        {
            var field = operand.Fields[index];
            value = value is RegoObject members ? members.Lookup(new RegoString(field))
                : Refuse(value is null or RegoNull ? $"nil pointer evaluating interface {{}}.{field}" : $"can't evaluate field {field} in {value.KindName}");
        }

        return value;
    }
}

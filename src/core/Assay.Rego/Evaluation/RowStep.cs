using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>Adds a solution to the rows of the query: its variables, and the value where the query is one expression.</summary>
internal sealed class RowStep((RegoString Name, int Slot)[] shown) : Step
{
    /// <summary>The variable that takes the value of a query that is one expression. No source can name it.</summary>
    public const string ValueName = "$value";

    // A row costs its object; a query with free variables may have many.
    private const long RowSize = 120;

    private readonly int? _valueSlot = shown.Where(variable => variable.Name.Value == ValueName).Select(variable => (int?)variable.Slot).FirstOrDefault();
    private readonly (RegoString Name, int Slot)[] _variables = [.. shown.Where(variable => variable.Name.Value != ValueName)];

    public override bool Execute(Run run, int frame)
    {
        run.Meter.Charge(RowSize);
        if (_valueSlot is { } slot)
        {
            var value = run.Stack[frame + slot]!;
            run.Value ??= value;
            if (value.IsFalse)
            {
                return true;
            }
        }

        var (keys, values) = (new List<RegoValue>(), new List<RegoValue>());
        foreach (var (name, place) in _variables)
        {
            if (run.Stack[frame + place] is { } value)
            {
                keys.Add(name);
                values.Add(value);
            }
        }

        (run.Rows ??= []).Add(RegoObject.OverUnsorted([.. keys], [.. values]));
        return true;
    }
}

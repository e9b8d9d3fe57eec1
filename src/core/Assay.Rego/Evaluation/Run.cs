using System.Runtime.CompilerServices;
using Assay.Rego.Builtins;
using Assay.Rego.Diagnostics;
using Assay.Rego.Metering;
using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>Stands in caches for "evaluated, and undefined".</summary>
internal sealed class Undefined : RegoValue
{
    public static readonly Undefined Value = new();

    public override RegoKind Kind => RegoKind.Null;

    internal override int CompareSameKind(RegoValue other) => throw new NotSupportedException();

    internal override bool EqualsSameKind(RegoValue other) => throw new NotSupportedException();
}

/// <summary>What <c>with</c> can change. Each override context has caches of its own.</summary>
internal sealed class Context(int groups)
{
    public RegoValue? Input { get; init; }

    public RegoValue Data { get; init; } = RegoObject.Empty;

    /// <summary>Paths that a <c>with</c> replaced: rules at and under them do not count.</summary>
    public RegoValue[][]? Overrides { get; init; }

    /// <summary>Replaced functions, by built-in name or group.</summary>
    public Dictionary<object, Mock>? Mocks { get; init; }

    private Dictionary<FunctionGroup, Calls>? _calls;

    /// <summary>What a function gave in this context.</summary>
    public Calls CallsOf(FunctionGroup function)
    {
        _calls ??= [];
        if (!_calls.TryGetValue(function, out var calls))
        {
            _calls[function] = calls = new Calls();
        }

        return calls;
    }

    public RegoValue?[] Memo { get; } = groups == 0 ? [] : new RegoValue?[groups];

    public Context With(RegoValue? input, RegoValue data, RegoValue[][]? overrides, Dictionary<object, Mock>? mocks) =>
        new(Memo.Length) { Input = input, Data = data, Overrides = overrides, Mocks = mocks };

    /// <summary>Whether a rule at this path is replaced.</summary>
    public bool Hides(ReadOnlySpan<RegoValue> path)
    {
        foreach (var over in Overrides ?? [])
        {
            if (over.Length <= path.Length && Ordering.Same(over, path[..over.Length]))
            {
                return true;
            }
        }

        return false;
    }
}

/// <summary>How often a function was called, and its results by arguments.</summary>
internal sealed class Calls
{
    public int Count { get; set; }

    public Dictionary<RegoValue, RegoValue> Results => field ??= [];
}

/// <summary>What stands for a function: another function, a built-in, or a value that ignores its arguments.</summary>
internal sealed record Mock(FunctionGroup? Group, Builtin? Builtin, RegoValue? Value);

/// <summary>One evaluation: stack, context, budget. It belongs to one thread.</summary>
internal sealed class Run
{
    public RegoValue?[] Stack = new RegoValue?[96];
    public object?[] Aux = new object?[96];
    public Context Context;
    private int _top;

    public Run(Program program, Context context, EvaluationMeter meter, BuiltinContext builtins, bool strict)
    {
        (Program, Context, Meter, Builtins, Strict) = (program, context, meter, builtins, strict);
    }

    public Program Program { get; }

    public EvaluationMeter Meter { get; }

    public BuiltinContext Builtins { get; }

    /// <summary>Failures of built-ins end the query.</summary>
    public bool Strict { get; }

    public Recorder? Recorder { get; init; }

    /// <summary>Results of functions may be kept: nobody counts their statements or hears them print.</summary>
    public bool KeepsResults => Recorder is null && Builtins.Environment.Print is null;

    public List<RegoObject>? Rows { get; set; }

    public RegoValue? Value { get; set; }

    /// <summary>Reserves a frame; the caller gives it back with <see cref="Pop"/>.</summary>
    public int Push(int size)
    {
        var at = _top;
        _top += size;
        if (_top > Stack.Length)
        {
            var length = Math.Max(_top, Stack.Length * 2);
            Array.Resize(ref Stack, length);
            Array.Resize(ref Aux, length);
        }

        return at;
    }

    public void Pop(int at) => _top = at;

    /// <summary>One step of work, with room on the stack for what follows.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Step()
    {
        Meter.Tick();
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw EvaluationHalt.OverBudget("the evaluation nests too deeply");
        }
    }

    /// <summary>The failure that a built-in told, when it counts.</summary>
    public void Check(Builtin builtin, SourceLocation at)
    {
        if (Builtins.Failure is not { } failure)
        {
            return;
        }

        Builtins.Reset();
        if (Strict)
        {
            throw new EvaluationHalt(failure.Code, $"{builtin.Name}: {failure.Text}") { Location = at };
        }
    }

    public static EvaluationHalt Conflict(string message, SourceLocation at) => new(RegoErrorCode.EvalConflictError, message) { Location = at };
}

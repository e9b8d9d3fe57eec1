using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using Assay.Rego.Diagnostics;
using Assay.Rego.Metering;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>
/// What the outside world gives to an evaluation. All of it is absent by default: a policy that asks for what is absent gets
/// an error of the built-in that says so, so that a decision depends on nothing that the caller did not hand in.
/// </summary>
public sealed record EvaluationEnvironment
{
    /// <summary>Nothing is given.</summary>
    public static readonly EvaluationEnvironment Empty = new();

    /// <summary>The clock of <c>time.now_ns</c>. It is read once per query.</summary>
    public TimeProvider? Clock { get; init; }

    /// <summary>Fills a span with random bytes, for <c>rand.intn</c>, <c>uuid.rfc4122</c> and signing with random salts.</summary>
    public Action<Memory<byte>>? Random { get; init; }

    /// <summary>What <c>opa.runtime()</c> gives.</summary>
    public RegoObject? Runtime { get; init; }

    /// <summary>Takes the text of <c>print()</c> calls, with where they stand. Absent: prints are dropped.</summary>
    public Action<SourceLocation, string>? Print { get; init; }
}

/// <summary>What a built-in sees of the evaluation: environment, budget, caches, and the place for its failure.</summary>
public sealed class BuiltinContext
{
    private readonly EvaluationMeter _meter;
    private long? _now;

    internal BuiltinContext(EvaluationEnvironment environment, EvaluationMeter meter, ConcurrentDictionary<object, object> shared)
    {
        Environment = environment;
        Shared = shared;
        _meter = meter;
    }

    /// <summary>What the caller gave of the outside world.</summary>
    public EvaluationEnvironment Environment { get; }

    /// <summary>Ends the evaluation. <see cref="Tick"/> looks at it; a built-in that waits hands it on.</summary>
    public CancellationToken Cancellation => _meter.Cancellation;

    /// <summary>Things worth keeping for the rest of this query, under a key of the built-in's own making (a tuple with its name).</summary>
    public Dictionary<object, object> QueryCache { get; } = [];

    /// <summary>Why the last call failed; null when it did not.</summary>
    internal BuiltinFailure? Failure { get; private set; }

    // What the policy keeps over queries: compiled patterns and the like. Filled up it stays as it is.
    private ConcurrentDictionary<object, object> Shared { get; }

    private const int SharedEntries = 512;

    /// <summary>The instant of this query in nanoseconds since 1970, or null (with the failure told) when no clock was given.</summary>
    public long? NowNanoseconds()
    {
        if (_now is null && Environment.Clock is { } clock)
        {
            _now = checked((clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100);
        }

        if (_now is null)
        {
            Fail("no clock was given to this evaluation");
        }

        return _now;
    }

    /// <summary>
    /// A thing that is expensive to make and depends on its key alone, such as a compiled pattern. It is kept with the policy,
    /// over queries and threads, so it must be immutable. A null is not kept, nor what is too large to be.
    /// </summary>
    public T? GetShared<T>(object key, Func<T?> make, Predicate<T>? worthKeeping = null)
        where T : class
    {
        if (Shared.TryGetValue(key, out var kept))
        {
            return (T)kept;
        }

        var made = make();
        if (made is not null && Shared.Count < SharedEntries && worthKeeping?.Invoke(made) is not false)
        {
            Shared.TryAdd(key, made);
        }

        return made;
    }

    /// <summary>Counts work against the budget. Call it in every loop whose length the operands decide.</summary>
    public void Tick(long steps = 1) => _meter.Tick(steps);

    /// <summary>
    /// Counts bytes about to be made against the budget. Call it BEFORE making a value whose size is not that of its operands
    /// (ranges, repeats, expansions, decoded text).
    /// </summary>
    public void Charge(long bytes) => _meter.Charge(bytes);

    /// <summary>A failure that is not an operand's type: <c>eval_builtin_error: NAME: text</c>. The name is put before the text for you.</summary>
    public RegoValue? Fail(string text)
    {
        Failure ??= new BuiltinFailure(RegoErrorCode.EvalBuiltinError, text);
        return null;
    }

    /// <summary>A failure of an operand: <c>eval_type_error: NAME: operand N text</c>. Operands count from 1.</summary>
    public RegoValue? FailOperand(int operand, string text)
    {
        Failure ??= new BuiltinFailure(RegoErrorCode.EvalTypeError, string.Create(CultureInfo.InvariantCulture, $"operand {operand} {text}"));
        return null;
    }

    /// <summary>The usual text: <c>must be T but got G</c>, or <c>must be one of {T1, T2} but got G</c>. The order is that of the message.</summary>
    public RegoValue? FailOperandKind(int operand, RegoValue value, params ReadOnlySpan<RegoKind> expected)
    {
        var names = new string[expected.Length];
        for (var i = 0; i < names.Length; i++)
        {
            names[i] = RegoValue.NameOf(expected[i]);
        }

        return FailOperand(operand, $"must be {(names.Length == 1 ? names[0] : $"one of {{{string.Join(", ", names)}}}")} but got {value.KindName}");
    }

    /// <summary>A type error that names no operand: <c>eval_type_error: NAME: text</c>.</summary>
    public RegoValue? FailType(string text)
    {
        Failure ??= new BuiltinFailure(RegoErrorCode.EvalTypeError, text);
        return null;
    }

    /// <summary>The argument at an index (from 0) as a string, or false with the failure told.</summary>
    public bool TryString(ReadOnlySpan<RegoValue> arguments, int index, [NotNullWhen(true)] out RegoString? value) => Try(arguments, index, RegoKind.String, out value);

    /// <summary>The argument at an index (from 0) as a number, or false with the failure told.</summary>
    public bool TryNumber(ReadOnlySpan<RegoValue> arguments, int index, [NotNullWhen(true)] out RegoNumber? value) => Try(arguments, index, RegoKind.Number, out value);

    /// <summary>The argument at an index (from 0) as an array, or false with the failure told.</summary>
    public bool TryArray(ReadOnlySpan<RegoValue> arguments, int index, [NotNullWhen(true)] out RegoArray? value) => Try(arguments, index, RegoKind.Array, out value);

    /// <summary>The argument at an index (from 0) as an object, or false with the failure told.</summary>
    public bool TryObject(ReadOnlySpan<RegoValue> arguments, int index, [NotNullWhen(true)] out RegoObject? value) => Try(arguments, index, RegoKind.Object, out value);

    /// <summary>The argument at an index (from 0) as a set, or false with the failure told.</summary>
    public bool TrySet(ReadOnlySpan<RegoValue> arguments, int index, [NotNullWhen(true)] out RegoSet? value) => Try(arguments, index, RegoKind.Set, out value);

    /// <summary>The argument at an index (from 0) as a boolean, or false with the failure told.</summary>
    public bool TryBoolean(ReadOnlySpan<RegoValue> arguments, int index, out bool value)
    {
        var holds = Try<RegoBoolean>(arguments, index, RegoKind.Boolean, out var boolean);
        value = holds && boolean!.Value;
        return holds;
    }

    /// <summary>The argument as an integer of any size: its value must be integral (4.0 is).</summary>
    public bool TryInteger(ReadOnlySpan<RegoValue> arguments, int index, out BigInteger value)
    {
        value = default;
        if (!TryNumber(arguments, index, out var number))
        {
            return false;
        }

        if (number.TryGetInteger(out value))
        {
            return true;
        }

        FailOperand(index + 1, "must be integer number but got floating-point number");
        return false;
    }

    /// <summary>The argument as a 32-bit integer, for lengths, positions and counts.</summary>
    public bool TryInt32(ReadOnlySpan<RegoValue> arguments, int index, out int value)
    {
        value = 0;
        if (!TryNumber(arguments, index, out var number))
        {
            return false;
        }

        if (number.TryGetInt32(out value))
        {
            return true;
        }

        FailOperand(index + 1, number.IsInteger ? "must be an integer within range" : "must be integer number but got floating-point number");
        return false;
    }

    /// <summary>Ready for the next call.</summary>
    internal void Reset() => Failure = null;

    private bool Try<T>(ReadOnlySpan<RegoValue> arguments, int index, RegoKind kind, [NotNullWhen(true)] out T? value)
        where T : RegoValue
    {
        value = arguments[index] as T;
        if (value is null)
        {
            FailOperandKind(index + 1, arguments[index], kind);
        }

        return value is not null;
    }
}

/// <summary>Why a built-in failed. In strict mode it ends the query; else the call is undefined.</summary>
internal sealed record BuiltinFailure(RegoErrorCode Code, string Text);

using System.Collections.Immutable;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins;

/// <summary>
/// The code of a built-in. Its result is the value; null is "undefined", or a failure when it told the context so:
/// <c>return context.Fail("divide by zero");</c>. It never throws for bad operands, and never keeps the span.
/// </summary>
public delegate RegoValue? BuiltinFunction(BuiltinContext context, ReadOnlySpan<RegoValue> arguments);

/// <summary>Kinds of value that an operand may have or a result has, for the compiler's check of what is known before evaluation.</summary>
[Flags]
public enum RegoTypes
{
    /// <summary>No kind.</summary>
    None = 0,

    /// <summary>The value null.</summary>
    Null = 1,

    /// <summary>true and false.</summary>
    Boolean = 2,

    /// <summary>A number, integral or not.</summary>
    Number = 4,

    /// <summary>A string.</summary>
    String = 8,

    /// <summary>An array.</summary>
    Array = 16,

    /// <summary>An object.</summary>
    Object = 32,

    /// <summary>A set, which JSON does not have.</summary>
    Set = 64,

    /// <summary>Anything.</summary>
    Any = 127,
}

/// <summary>A built-in function: its name, what it takes and gives, and its code.</summary>
/// <param name="Name">As policies write it, with its dots: <c>strings.reverse</c>.</param>
/// <param name="Arguments">The kinds that each operand may have, in order.</param>
/// <param name="Result">The kinds that the result may have.</param>
/// <param name="Function">The code.</param>
public sealed record Builtin(string Name, ImmutableArray<RegoTypes> Arguments, RegoTypes Result, BuiltinFunction Function)
{
    /// <summary>Taken away in Rego v1: only v0 modules may call it.</summary>
    internal bool Deprecated { get; init; }

    /// <summary>
    /// The function is a relation (walk): its result is an array of all its outputs, each of which is a solution of the call.
    /// </summary>
    public bool IsRelation { get; init; }

    /// <summary>The result depends on more than the arguments: time, randomness, environment. Never folded at compile time.</summary>
    public bool Nondeterministic { get; init; }

    /// <summary>The operator that stands for it in source, when there is one: <c>+</c> for plus.</summary>
    internal string? Infix { get; init; }

    /// <summary>May not stand as the target of <c>with</c>.</summary>
    internal bool NotMockable { get; init; }

    internal int Arity => Arguments.Length;
}

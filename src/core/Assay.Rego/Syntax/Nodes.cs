using System.Collections.Immutable;
using Assay.Rego.Values;

namespace Assay.Rego.Syntax;

/// <summary>An offset into a source with its line and column, both from 1.</summary>
internal readonly record struct Position(int Offset, int Line, int Column);

/// <summary>A piece of source that has a value.</summary>
internal abstract class Term(Position at, int depth)
{
    public Position At { get; } = at;

    /// <summary>How deep terms nest in it. The parser refuses more than its limit, so that later passes may recurse.</summary>
    public int Depth { get; } = depth;

    protected static int Above(params ReadOnlySpan<Term?> parts)
    {
        var deepest = 0;
        foreach (var part in parts)
        {
            deepest = Math.Max(deepest, part?.Depth ?? 0);
        }

        return deepest + 1;
    }
}

/// <summary>null, true, a number or a string.</summary>
internal sealed class ScalarTerm(Position at, RegoValue value, bool raw = false) : Term(at, 1)
{
    public RegoValue Value { get; } = value;

    /// <summary>Written in backticks.</summary>
    public bool Raw { get; } = raw;
}

/// <summary>A name; <c>_</c> is a wildcard.</summary>
internal sealed class VarTerm(Position at, string name) : Term(at, 1)
{
    public string Name { get; } = name;

    public bool IsWildcard => Name == "_";
}

/// <summary>head.word["element"][index]: the path elements are terms; a word is a string.</summary>
internal sealed class RefTerm(Position at, Term head, ImmutableArray<Term> path) : Term(at, Math.Max(Above(head), Above(path.AsSpan())))
{
    public Term Head { get; } = head;

    public ImmutableArray<Term> Path { get; } = path;
}

/// <summary>A call. The function is a name or a ref.</summary>
internal sealed class CallTerm(Position at, Term function, ImmutableArray<Term> arguments) : Term(at, Math.Max(Above(function), Above(arguments.AsSpan())))
{
    public Term Function { get; } = function;

    public ImmutableArray<Term> Arguments { get; } = arguments;
}

/// <summary>Two operands with an operator between, <c>in</c> among them.</summary>
internal sealed class InfixTerm(Position at, string symbol, Term left, Term right) : Term(at, Above(left, right))
{
    public string Symbol { get; } = symbol;

    public Term Left { get; } = left;

    public Term Right { get; } = right;
}

/// <summary>key, value in collection.</summary>
internal sealed class MemberTerm(Position at, Term key, Term value, Term collection) : Term(at, Above(key, value, collection))
{
    public Term Key { get; } = key;

    public Term Value { get; } = value;

    public Term Collection { get; } = collection;
}

internal sealed class ArrayTerm(Position at, ImmutableArray<Term> items) : Term(at, Above(items.AsSpan()))
{
    public ImmutableArray<Term> Items { get; } = items;
}

internal sealed class SetTerm(Position at, ImmutableArray<Term> items) : Term(at, Above(items.AsSpan()))
{
    public ImmutableArray<Term> Items { get; } = items;
}

internal sealed class ObjectTerm(Position at, ImmutableArray<(Term Key, Term Value)> pairs) : Term(at, Deepest(pairs))
{
    public ImmutableArray<(Term Key, Term Value)> Pairs { get; } = pairs;

    private static int Deepest(ImmutableArray<(Term Key, Term Value)> pairs)
    {
        var deepest = 1;
        foreach (var (key, value) in pairs)
        {
            deepest = Math.Max(deepest, Above(key, value));
        }

        return deepest;
    }
}

/// <summary>[value | body], {value | body} or {key: value | body}.</summary>
internal sealed class ComprehensionTerm(Position at, RegoKind kind, Term? key, Term value, ImmutableArray<Statement> body)
    : Term(at, Math.Max(Above(key, value), 1 + Statement.DepthOf(body)))
{
    /// <summary>Array, set or object.</summary>
    public RegoKind Kind { get; } = kind;

    public Term? Key { get; } = key;

    public Term Value { get; } = value;

    public ImmutableArray<Statement> Body { get; } = body;
}

/// <summary>$"text {expression} text".</summary>
internal sealed class TemplateTerm(Position at, ImmutableArray<TemplatePart> parts, bool raw) : Term(at, Deepest(parts))
{
    public ImmutableArray<TemplatePart> Parts { get; } = parts;

    public bool Raw { get; } = raw;

    private static int Deepest(ImmutableArray<TemplatePart> parts)
    {
        var deepest = 1;
        foreach (var part in parts)
        {
            deepest = Math.Max(deepest, 1 + (part.Expression?.Depth ?? 0));
        }

        return deepest;
    }
}

/// <summary>Either text, or an expression with its modifiers.</summary>
internal sealed record TemplatePart(string? Text, Statement? Expression);

/// <summary>with target as value.</summary>
internal sealed record WithModifier(Position At, Term Target, Term Value);

/// <summary>One line of a body.</summary>
internal abstract class Statement(Position at, int depth)
{
    public Position At { get; } = at;

    public int Depth { get; } = depth;

    public bool Negated { get; init; }

    public ImmutableArray<WithModifier> With { get; init; } = [];

    public static int DepthOf(ImmutableArray<Statement> body)
    {
        var deepest = 0;
        foreach (var statement in body)
        {
            deepest = Math.Max(deepest, statement.Depth);
            foreach (var with in statement.With)
            {
                deepest = Math.Max(deepest, Math.Max(with.Target.Depth, with.Value.Depth));
            }
        }

        return deepest;
    }
}

/// <summary>A term that must not be false.</summary>
internal sealed class ExpressionStatement(Position at, Term term) : Statement(at, term.Depth)
{
    public Term Term { get; } = term;
}

/// <summary>left = right or left := right.</summary>
internal sealed class EquationStatement(Position at, Term left, Term right, bool declares) : Statement(at, Math.Max(left.Depth, right.Depth) + 1)
{
    public Term Left { get; } = left;

    public Term Right { get; } = right;

    /// <summary>Written with <c>:=</c>.</summary>
    public bool Declares { get; } = declares;
}

/// <summary>some x, y.</summary>
internal sealed class SomeStatement(Position at, ImmutableArray<VarTerm> names) : Statement(at, 1)
{
    public ImmutableArray<VarTerm> Names { get; } = names;
}

/// <summary>some value in collection, some key, value in collection.</summary>
internal sealed class SomeInStatement(Position at, Term? key, Term value, Term collection)
    : Statement(at, 1 + Math.Max(key?.Depth ?? 0, Math.Max(value.Depth, collection.Depth)))
{
    public Term? Key { get; } = key;

    public Term Value { get; } = value;

    public Term Collection { get; } = collection;
}

/// <summary>every key, value in domain { body }.</summary>
internal sealed class EveryStatement(Position at, VarTerm? key, VarTerm value, Term domain, ImmutableArray<Statement> body)
    : Statement(at, 1 + Math.Max(domain.Depth, DepthOf(body)))
{
    public VarTerm? Key { get; } = key;

    public VarTerm Value { get; } = value;

    public Term Domain { get; } = domain;

    public ImmutableArray<Statement> Body { get; } = body;
}

/// <summary>How a rule's head gives its value.</summary>
internal enum HeadForm
{
    /// <summary>p := v, p.q[x] := v, f(x) := v.</summary>
    Value,

    /// <summary>p contains v.</summary>
    Contains,
}

/// <summary>One of the bodies of a rule with the value it gives: the first, or an else.</summary>
internal sealed record RuleBranch(Position At, Term? Value, bool ValueAssigned, ImmutableArray<Statement> Body, bool HasBody);

/// <summary>A rule. <see cref="Branches"/> holds the first body and its elses.</summary>
internal sealed class RuleNode
{
    public required Position At { get; init; }

    public required VarTerm Name { get; init; }

    /// <summary>What follows the name in the head.</summary>
    public required ImmutableArray<Term> Path { get; init; }

    /// <summary>Null for a rule that is no function.</summary>
    public required ImmutableArray<Term>? Arguments { get; init; }

    public required HeadForm Form { get; init; }

    /// <summary>The member, when the form is contains.</summary>
    public Term? Member { get; init; }

    public required ImmutableArray<RuleBranch> Branches { get; init; }

    public bool IsDefault { get; init; }

    /// <summary>Metadata blocks before it, in source order.</summary>
    public ImmutableArray<AnnotationBlock> Annotations { get; init; } = [];
}

internal sealed record ImportNode(Position At, ImmutableArray<string> Path, string? Alias)
{
    public string Name => Alias ?? Path[^1];
}

/// <summary>The YAML text of a metadata comment.</summary>
internal sealed record AnnotationBlock(Position At, string Yaml);

internal sealed class ModuleNode
{
    public required ImmutableArray<string> Package { get; init; }

    public required Position PackageAt { get; init; }

    public required ImmutableArray<ImportNode> Imports { get; init; }

    public required ImmutableArray<RuleNode> Rules { get; init; }

    public required bool IsV1 { get; init; }

    public ImmutableArray<AnnotationBlock> PackageAnnotations { get; init; } = [];
}

using Assay.Rego.Builtins;
using Assay.Rego.Evaluation;
using Assay.Rego.Syntax;
using Assay.Rego.Values;

namespace Assay.Rego.Compilation;

/// <summary>A variable of a rule or query. Every name in every scope is one of its own.</summary>
internal sealed class Local(string name, Position at, int slot)
{
    public string Name { get; } = name;

    public Position At { get; } = at;

    /// <summary>Where its value stands in the frame.</summary>
    public int Slot { get; } = slot;

    /// <summary>Written as <c>_</c>, or made by the compiler: it may stay unbound under <c>not</c>, and no query reports it.</summary>
    public bool IsGenerated { get; init; }

    /// <summary>Declared by <c>:=</c>, for the strict mode's check of unused variables.</summary>
    public bool IsAssigned { get; set; }

    public int Uses { get; set; }
}

/// <summary>Terms after names were resolved: what a name meant is now in its type.</summary>
internal abstract record LTerm(Position At)
{
    /// <summary>Whether evaluating it may bind a variable: a reference in it, outside its closures, has one in its path.</summary>
    public virtual bool MayBind => false;
}

internal sealed record LConst(Position At, RegoValue Value) : LTerm(At);

internal sealed record LLocal(Position At, Local Local) : LTerm(At);

internal sealed record LInput(Position At) : LTerm(At);

/// <summary>The root of all documents, base and virtual.</summary>
internal sealed record LData(Position At) : LTerm(At);

internal sealed record LRef(Position At, LTerm Head, LTerm[] Path) : LTerm(At)
{
    public override bool MayBind { get; } = Head.MayBind || Path.Any(element => element is LLocal or LArray or LObject || element.MayBind);
}

/// <summary>A call of a built-in or, when <see cref="Path"/> is set, of the function at data.Path.</summary>
internal sealed record LCall(Position At, Builtin? Builtin, RegoValue[]? Path, LTerm[] Arguments) : LTerm(At)
{
    public override bool MayBind { get; } = Arguments.Any(argument => argument.MayBind);
}

internal sealed record LArray(Position At, LTerm[] Items) : LTerm(At)
{
    public override bool MayBind { get; } = Items.Any(item => item.MayBind);
}

internal sealed record LSet(Position At, LTerm[] Items) : LTerm(At)
{
    public override bool MayBind { get; } = Items.Any(item => item.MayBind);
}

internal sealed record LObject(Position At, (LTerm Key, LTerm Value)[] Pairs) : LTerm(At)
{
    public override bool MayBind { get; } = Pairs.Any(pair => pair.Key.MayBind || pair.Value.MayBind);
}

/// <summary>A comprehension; <see cref="Free"/> are the outer variables it uses.</summary>
internal sealed record LComprehension(Position At, RegoKind Kind, LTerm? Key, LTerm Value, LStatement[] Body, HashSet<Local> Free) : LTerm(At);

internal sealed record LWith(Position At, WithTarget Target, RegoValue[] Path, Builtin? Builtin, LTerm Value, Builtin? ByBuiltin, RegoValue[]? ByPath);

internal abstract record LStatement(Position At)
{
    public bool Negated { get; init; }

    public LWith[] With { get; init; } = [];

    /// <summary>The operands of a negated statement, each with the variable that it has there: they are evaluated first, outside the <c>not</c>.</summary>
    public LEquation[] Before { get; init; } = [];

    /// <summary>The statement as it was written, for explanations.</summary>
    public Statement? Written { get; init; }
}

internal sealed record LExpression(Position At, LTerm Term) : LStatement(At);

internal sealed record LEquation(Position At, LTerm Left, LTerm Right) : LStatement(At);

internal sealed record LSomeIn(Position At, LTerm? Key, LTerm Value, LTerm Collection) : LStatement(At);

internal sealed record LEvery(Position At, Local? Key, Local Value, LTerm Domain, LStatement[] Body, HashSet<Local> Free) : LStatement(At);

/// <summary>One branch of a rule: the statements, then what the head needs.</summary>
internal sealed record LBranch(Position At, LStatement[] Body, LTerm[] Path, LTerm Value);

/// <summary>A rule after its names were resolved.</summary>
internal sealed class LRule
{
    public required Source Source { get; init; }

    public required RuleNode Node { get; init; }

    public required ModuleNode Module { get; init; }

    /// <summary>The constant beginning of its path under data.</summary>
    public required RegoValue[] Prefix { get; init; }

    public required int Suffix { get; init; }

    public required int Arity { get; init; }

    public bool IsFunction => Node.Arguments is not null;

    public bool IsSet => Node.Form == HeadForm.Contains;

    public LBranch[] Branches { get; set; } = [];

    public int FrameSize { get; set; }

    /// <summary>The variables of slots 1, 2, …: what a call puts there.</summary>
    public IReadOnlyList<Local> Arguments { get; set; } = [];

    public string PathText => PathWriter.Write(Prefix);
}

/// <summary>Writes paths as <c>data.a["b c"]</c>.</summary>
internal static class PathWriter
{
    public static string Write(ReadOnlySpan<RegoValue> path)
    {
        var text = new System.Text.StringBuilder("data");
        foreach (var element in path)
        {
            if (element is RegoString word && Lexer.IsName(word.Value))
            {
                text.Append('.').Append(word.Value);
            }
            else
            {
                text.Append('[').Append(element).Append(']');
            }
        }

        return text.ToString();
    }
}

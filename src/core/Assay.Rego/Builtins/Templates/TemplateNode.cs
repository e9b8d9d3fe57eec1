using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Templates;

/// <summary>A piece of a template.</summary>
internal abstract record TemplateNode
{
    internal sealed record Text(string Value) : TemplateNode;

    internal sealed record Action(Pipeline Pipeline) : TemplateNode;

    internal sealed record Branch(BranchKind Kind, Pipeline Pipeline, List<TemplateNode> Body, List<TemplateNode>? Else) : TemplateNode;

    internal sealed record Leave(bool Whole) : TemplateNode;
}

internal enum BranchKind
{
    If,
    With,
    Range,
}

/// <summary>Commands joined by bars, the result of each the last argument of the next.</summary>
/// <param name="Variables">The variables that take the result; with two, a range gives index and element.</param>
/// <param name="Declares">Whether the variables are new (<c>:=</c>) or known (<c>=</c>).</param>
/// <param name="Commands">The commands: operands, the first of which may name a function.</param>
internal sealed record Pipeline(List<string> Variables, bool Declares, List<List<Operand>> Commands);

/// <summary>A value in a command, with the fields read from it.</summary>
internal abstract record Operand(List<string> Fields)
{
    internal sealed record Literal(RegoValue Value, List<string> Fields) : Operand(Fields);

    internal sealed record Dot(List<string> Fields) : Operand(Fields);

    internal sealed record Variable(string Name, List<string> Fields) : Operand(Fields);

    internal sealed record Function(string Name, List<string> Fields) : Operand(Fields);

    internal sealed record Nested(Pipeline Pipeline, List<string> Fields) : Operand(Fields);
}

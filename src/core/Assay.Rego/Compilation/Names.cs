using System.Collections.Immutable;
using Assay.Rego.Syntax;

namespace Assay.Rego.Compilation;

/// <summary>Finds the variable names that a body holds outside its closures, and those that it declares.</summary>
internal sealed class Names(CompileWork work)
{
    /// <summary>The names found so far.</summary>
    public HashSet<string> Found { get; } = new(StringComparer.Ordinal);

    /// <summary>Names that := and some declare in these statements.</summary>
    public static HashSet<string> Declared(ImmutableArray<Statement> body)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        foreach (var statement in body)
        {
            switch (statement)
            {
                case EquationStatement { Declares: true } equation:
                    Pattern(equation.Left, names);
                    break;
                case SomeStatement some:
                    names.UnionWith(some.Names.Select(name => name.Name));
                    break;
                case SomeInStatement some:
                    if (some.Key is not null)
                    {
                        Pattern(some.Key, names);
                    }

                    Pattern(some.Value, names);
                    break;
            }
        }

        return names;
    }

    /// <summary>The variables of a pattern: names, and those in arrays and object values.</summary>
    public static void Pattern(Term term, HashSet<string> names)
    {
        switch (term)
        {
            case VarTerm { IsWildcard: false } name:
                names.Add(name.Name);
                break;
            case ArrayTerm array:
                foreach (var item in array.Items)
                {
                    Pattern(item, names);
                }

                break;
            case ObjectTerm pairs:
                foreach (var (_, value) in pairs.Pairs)
                {
                    Pattern(value, names);
                }

                break;
        }
    }

    public void Used(ImmutableArray<Statement> body)
    {
        foreach (var statement in body)
        {
            Used(statement);
        }
    }

    public void Used(Term? term)
    {
        work.Tick();
        switch (term)
        {
            case VarTerm { IsWildcard: false } name:
                Found.Add(name.Name);
                break;
            case RefTerm reference:
                Used(reference.Head);
                Used(reference.Path);
                break;
            case CallTerm call:
                // The name of the function is no variable; what stands in brackets of its path may be.
                if (call.Function is RefTerm path)
                {
                    Used(path.Path);
                }

                Used(call.Arguments);
                break;
            case InfixTerm infix:
                Used(infix.Left);
                Used(infix.Right);
                break;
            case MemberTerm member:
                Used(member.Key);
                Used(member.Value);
                Used(member.Collection);
                break;
            case ArrayTerm array:
                Used(array.Items);
                break;
            case SetTerm set:
                Used(set.Items);
                break;
            case ObjectTerm pairs:
                foreach (var (key, value) in pairs.Pairs)
                {
                    Used(key);
                    Used(value);
                }

                break;
        }
    }

    private void Used(ImmutableArray<Term> terms)
    {
        foreach (var term in terms)
        {
            Used(term);
        }
    }

    private void Used(Statement statement)
    {
        switch (statement)
        {
            case ExpressionStatement expression:
                Used(expression.Term);
                break;
            case EquationStatement equation:
                Used(equation.Left);
                Used(equation.Right);
                break;
            case SomeInStatement some:
                Used(some.Key);
                Used(some.Value);
                Used(some.Collection);
                break;
            case EveryStatement every:
                Used(every.Domain);
                break;
        }

        foreach (var with in statement.With)
        {
            // A bare name may be that of a function, and a variable only this place uses would be unsafe anyway.
            if (with.Value is RefTerm { Head: VarTerm } path)
            {
                Used(path.Path);
            }
            else if (with.Value is not VarTerm)
            {
                Used(with.Value);
            }
        }
    }
}

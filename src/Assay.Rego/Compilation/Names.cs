using System.Collections.Immutable;
using Assay.Rego.Syntax;

namespace Assay.Rego.Compilation;

/// <summary>Finds the variable names that a body holds outside its closures, and those that it declares.</summary>
internal static class Names
{
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

    public static void Used(ImmutableArray<Statement> body, HashSet<string> names)
    {
        foreach (var statement in body)
        {
            Used(statement, names);
        }
    }

    public static void Used(Term? term, HashSet<string> names)
    {
        switch (term)
        {
            case VarTerm { IsWildcard: false } name:
                names.Add(name.Name);
                break;
            case RefTerm reference:
                Used(reference.Head, names);
                Used(reference.Path, names);
                break;
            case CallTerm call:
                // The name of the function is no variable; what stands in brackets of its path may be.
                if (call.Function is RefTerm path)
                {
                    Used(path.Path, names);
                }

                Used(call.Arguments, names);
                break;
            case InfixTerm infix:
                Used(infix.Left, names);
                Used(infix.Right, names);
                break;
            case MemberTerm member:
                Used(member.Key, names);
                Used(member.Value, names);
                Used(member.Collection, names);
                break;
            case ArrayTerm array:
                Used(array.Items, names);
                break;
            case SetTerm set:
                Used(set.Items, names);
                break;
            case ObjectTerm pairs:
                foreach (var (key, value) in pairs.Pairs)
                {
                    Used(key, names);
                    Used(value, names);
                }

                break;
        }
    }

    private static void Used(ImmutableArray<Term> terms, HashSet<string> names)
    {
        foreach (var term in terms)
        {
            Used(term, names);
        }
    }

    private static void Used(Statement statement, HashSet<string> names)
    {
        switch (statement)
        {
            case ExpressionStatement expression:
                Used(expression.Term, names);
                break;
            case EquationStatement equation:
                Used(equation.Left, names);
                Used(equation.Right, names);
                break;
            case SomeInStatement some:
                Used(some.Key, names);
                Used(some.Value, names);
                Used(some.Collection, names);
                break;
            case EveryStatement every:
                Used(every.Domain, names);
                break;
        }

        foreach (var with in statement.With)
        {
            // A bare name may be that of a function, and a variable only this place uses would be unsafe anyway.
            if (with.Value is RefTerm { Head: VarTerm } path)
            {
                Used(path.Path, names);
            }
            else if (with.Value is not VarTerm)
            {
                Used(with.Value, names);
            }
        }
    }
}

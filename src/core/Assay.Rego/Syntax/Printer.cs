using System.Collections.Immutable;
using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Syntax;

/// <summary>Writes a module back as source. What is written parses to the same module; layout and comments are the printer's own.</summary>
internal sealed class Printer(int longest = int.MaxValue)
{
    private readonly StringBuilder _text = new();

    private bool IsFull => _text.Length > longest;

    public static string Print(ModuleNode module)
    {
        var printer = new Printer();
        printer.Module(module);
        return printer._text.ToString();
    }

    public static string Print(Term term)
    {
        var printer = new Printer();
        printer.Term(term);
        return printer._text.ToString();
    }

    /// <summary>Writes a statement; behind so many characters it is cut.</summary>
    public static string Print(Statement statement, int longest)
    {
        var printer = new Printer(longest);
        printer.Statement(statement);
        return printer.IsFull ? string.Concat(printer._text.ToString().AsSpan(0, longest), "…") : printer._text.ToString();
    }

    private void Module(ModuleNode module)
    {
        Notes(module.PackageAnnotations);
        _text.Append("package ");
        Path(module.Package);
        _text.Append('\n');
        foreach (var import in module.Imports)
        {
            _text.Append("import ");
            Path(import.Path);
            _text.Append(import.Alias is null ? "" : $" as {import.Alias}").Append('\n');
        }

        foreach (var rule in module.Rules)
        {
            _text.Append('\n');
            Notes(rule.Annotations);
            Rule(rule, module.IsV1);
        }
    }

    private void Notes(ImmutableArray<AnnotationBlock> notes)
    {
        foreach (var note in notes)
        {
            _text.Append("# METADATA\n");
            foreach (var line in note.Yaml.TrimEnd('\n').Split('\n'))
            {
                _text.Append(line.Length == 0 ? "#" : "# ").Append(line).Append('\n');
            }
        }
    }

    private void Path(ImmutableArray<string> path)
    {
        _text.Append(path[0]);
        foreach (var word in path.AsSpan()[1..])
        {
            Element(new ScalarTerm(default, new RegoString(word)));
        }
    }

    private void Rule(RuleNode rule, bool v1)
    {
        _text.Append(rule.IsDefault ? "default " : "").Append(rule.Name.Name);
        var oldSet = rule.Form == HeadForm.Contains && !v1 && rule.Path.IsEmpty;
        foreach (var element in rule.Path)
        {
            Element(element);
        }

        if (rule.Arguments is { } arguments)
        {
            Sequence("(", arguments, ")");
        }

        if (oldSet)
        {
            _text.Append('[');
            Term(rule.Member!);
            _text.Append(']');
        }
        else if (rule.Form == HeadForm.Contains)
        {
            _text.Append(" contains ");
            Term(rule.Member!);
        }

        for (var i = 0; i < rule.Branches.Length; i++)
        {
            Branch(rule.Branches[i], i > 0, v1 || !oldSet && LooksLikeOldSet(rule, rule.Branches[i]));
        }

        _text.Append('\n');
    }

    // In v0 one bracket and no value would be read as a set; only a source that has "if" can mean anything else.
    private static bool LooksLikeOldSet(RuleNode rule, RuleBranch branch) =>
        branch.Value is null && rule.Arguments is null && rule.Path is [var only] && !(only is ScalarTerm { Value: RegoString word } && Lexer.IsName(word.Value));

    private void Branch(RuleBranch branch, bool isElse, bool v1)
    {
        _text.Append(isElse ? " else" : "");
        if (branch.Value is not null)
        {
            _text.Append(branch.ValueAssigned ? " := " : " = ");
            Term(branch.Value);
        }

        if (branch.HasBody)
        {
            _text.Append(v1 ? " if {\n" : " {\n");
            foreach (var statement in branch.Body)
            {
                _text.Append('\t');
                Statement(statement);
                _text.Append('\n');
            }

            _text.Append('}');
        }
    }

    private void Body(ImmutableArray<Statement> body)
    {
        for (var i = 0; i < body.Length && !IsFull; i++)
        {
            _text.Append(i > 0 ? "; " : "");
            Statement(body[i]);
        }
    }

    private void Statement(Statement statement)
    {
        if (IsFull)
        {
            return;
        }

        _text.Append(statement.Negated ? "not " : "");
        switch (statement)
        {
            case ExpressionStatement expression:
                Term(expression.Term);
                break;
            case EquationStatement equation:
                Term(equation.Left);
                _text.Append(equation.Declares ? " := " : " = ");
                Term(equation.Right);
                break;
            case SomeStatement some:
                _text.Append("some ").AppendJoin(", ", some.Names.Select(name => name.Name));
                break;
            case SomeInStatement some:
                _text.Append("some ");
                if (some.Key is not null)
                {
                    Term(some.Key);
                    _text.Append(", ");
                }

                Term(some.Value);
                _text.Append(" in ");
                Term(some.Collection);
                break;
            case EveryStatement every:
                _text.Append("every ").Append(every.Key is null ? "" : every.Key.Name + ", ").Append(every.Value.Name).Append(" in ");
                Term(every.Domain);
                _text.Append(" { ");
                Body(every.Body);
                _text.Append(" }");
                break;
        }

        foreach (var with in statement.With)
        {
            _text.Append(" with ");
            Term(with.Target);
            _text.Append(" as ");
            Term(with.Value);
        }
    }

    private void Term(Term term)
    {
        if (IsFull)
        {
            return;
        }

        switch (term)
        {
            case ScalarTerm { Raw: true, Value: RegoString raw }:
                _text.Append('`').Append(raw.Value).Append('`');
                break;
            case ScalarTerm { Value: RegoString text }:
                RegoJson.Quote(_text, text.Value);
                break;
            case ScalarTerm scalar:
                _text.Append(scalar.Value.ToString());
                break;
            case VarTerm name:
                _text.Append(name.Name);
                break;
            case RefTerm reference:
                Term(reference.Head);
                foreach (var element in reference.Path)
                {
                    Element(element);
                }

                break;
            case CallTerm call:
                Term(call.Function);
                Sequence("(", call.Arguments, ")");
                break;
            case InfixTerm infix:
                _text.Append('(');
                Term(infix.Left);
                _text.Append(' ').Append(infix.Symbol).Append(' ');
                Term(infix.Right);
                _text.Append(')');
                break;
            case MemberTerm member:
                _text.Append('(');
                Term(member.Key);
                _text.Append(", ");
                Term(member.Value);
                _text.Append(" in ");
                Term(member.Collection);
                _text.Append(')');
                break;
            case ArrayTerm array:
                Sequence("[", array.Items, "]");
                break;
            case SetTerm { Items.IsEmpty: true }:
                _text.Append("set()");
                break;
            case SetTerm set:
                Sequence("{", set.Items, "}");
                break;
            case ObjectTerm pairs:
                Pairs(pairs);
                break;
            case ComprehensionTerm comprehension:
                Comprehension(comprehension);
                break;
            case TemplateTerm template:
                Template(template);
                break;
        }
    }

    private void Pairs(ObjectTerm pairs)
    {
        _text.Append('{');
        for (var i = 0; i < pairs.Pairs.Length && !IsFull; i++)
        {
            _text.Append(i > 0 ? ", " : "");
            Term(pairs.Pairs[i].Key);
            _text.Append(": ");
            Term(pairs.Pairs[i].Value);
        }

        _text.Append('}');
    }

    private void Comprehension(ComprehensionTerm comprehension)
    {
        _text.Append(comprehension.Kind == RegoKind.Array ? '[' : '{');
        if (comprehension.Key is not null)
        {
            Term(comprehension.Key);
            _text.Append(": ");
        }

        Term(comprehension.Value);
        _text.Append(" | ");
        Body(comprehension.Body);
        _text.Append(comprehension.Kind == RegoKind.Array ? ']' : '}');
    }

    private void Template(TemplateTerm template)
    {
        _text.Append(template.Raw ? "$`" : "$\"");
        foreach (var part in template.Parts)
        {
            if (part.Expression is not null)
            {
                _text.Append('{');
                Statement(part.Expression);
                _text.Append('}');
            }
            else if (template.Raw)
            {
                _text.Append(part.Text!.Replace("{", "\\{", StringComparison.Ordinal));
            }
            else
            {
                var quoted = new StringBuilder();
                RegoJson.Quote(quoted, part.Text!);
                _text.Append(quoted.ToString(1, quoted.Length - 2).Replace("{", "\\{", StringComparison.Ordinal));
            }
        }

        _text.Append(template.Raw ? '`' : '"');
    }

    private void Element(Term element)
    {
        if (element is ScalarTerm { Value: RegoString word, Raw: false } && Lexer.IsName(word.Value))
        {
            _text.Append('.').Append(word.Value);
            return;
        }

        _text.Append('[');
        Term(element);
        _text.Append(']');
    }

    private void Sequence(string open, ImmutableArray<Term> items, string close)
    {
        _text.Append(open);
        for (var i = 0; i < items.Length && !IsFull; i++)
        {
            _text.Append(i > 0 ? ", " : "");
            Term(items[i]);
        }

        _text.Append(close);
    }
}

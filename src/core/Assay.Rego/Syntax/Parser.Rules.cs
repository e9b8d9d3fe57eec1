using System.Collections.Immutable;
using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Syntax;

internal sealed partial class Parser
{
    private static readonly ScalarTerm s_true = new(default, RegoBoolean.True);

    /// <summary>One rule of the source; in v0, more bodies behind it make more rules with the same head.</summary>
    private void Rules(ImmutableArray<RuleNode>.Builder rules)
    {
        var at = _token.At;
        var isDefault = _token.IsKeyword("default");
        if (isDefault)
        {
            Advance();
        }

        var (name, path) = HeadReference();
        ImmutableArray<Term>? arguments = null;
        if (_token.Is("(") && !_token.LineBefore)
        {
            Advance();
            arguments = List(")");
        }

        var head = new HeadParts(at, name, path, arguments, isDefault);
        if (isDefault)
        {
            rules.Add(Default(head));
            return;
        }

        Finish(head, rules);
    }

    private sealed record HeadParts(Position At, VarTerm Name, ImmutableArray<Term> Path, ImmutableArray<Term>? Arguments, bool IsDefault);

    private (VarTerm Name, ImmutableArray<Term> Path) HeadReference()
    {
        if (_token.Kind != TokenKind.Name)
        {
            throw Unexpected("var cannot be used for rule name");
        }

        var name = new VarTerm(_token.At, _token.Text);
        Advance();
        var path = ImmutableArray.CreateBuilder<Term>();
        while (_token.At.Offset == _previousEnd && (_token.Is(".") || _token.Is("[")))
        {
            if (_token.Is("."))
            {
                Advance();
                if (_token.Kind is not (TokenKind.Name or TokenKind.Keyword) || _token.SpaceBefore)
                {
                    throw Unexpected("expected ident");
                }

                path.Add(new ScalarTerm(_token.At, new RegoString(_token.Text)));
                Advance();
            }
            else
            {
                Advance();
                path.Add(InBrackets(pipeEnds: false));
                Expect("]");
            }

            if (path.Count > ParserLimits.Path)
            {
                throw Fail(_token.At, $"a rule's path has more than {ParserLimits.Path} elements");
            }
        }

        return (name, path.ToImmutable());
    }

    private RuleNode Default(HeadParts head)
    {
        if (!_token.Is(":=") && !_token.Is("="))
        {
            throw Unexpected("expected := or = after the name of a default rule");
        }

        var assigned = _token.Is(":=");
        Advance();
        var value = Expression();
        if (NotConstant(value) is { } wrong)
        {
            throw Fail(wrong.At, $"default rule {head.Name.Name} must have a constant value or a comprehension");
        }

        foreach (var argument in head.Arguments ?? [])
        {
            if (argument is not VarTerm)
            {
                throw Fail(argument.At, "default function arguments must be variables");
            }
        }

        foreach (var element in head.Path)
        {
            if (element is not ScalarTerm { Value: RegoString })
            {
                throw Fail(element.At, "default rules must have a path without variables");
            }
        }

        if (_token.IsKeyword("if") || _token.Is("{") && !_token.LineBefore)
        {
            throw Fail(_token.At, "default rules must not have a body");
        }

        EndOfRule();
        return Made(head, HeadForm.Value, null, [new RuleBranch(head.At, value, assigned, [], false)]);
    }

    private static Term? NotConstant(Term term) => term switch
    {
        ScalarTerm or ComprehensionTerm => null,
        ArrayTerm array => array.Items.Select(NotConstant).FirstOrDefault(wrong => wrong is not null),
        SetTerm set => set.Items.Select(NotConstant).FirstOrDefault(wrong => wrong is not null),
        ObjectTerm pairs => pairs.Pairs.Select(pair => NotConstant(pair.Key) ?? NotConstant(pair.Value)).FirstOrDefault(wrong => wrong is not null),
        _ => term,
    };

    private void Finish(HeadParts head, ImmutableArray<RuleNode>.Builder rules)
    {
        if (_token.IsKeyword("contains"))
        {
            Advance();
            Enter();
            var member = Membership();
            Leave();
            if (head.Arguments is not null)
            {
                throw Fail(head.At, "a function cannot be a set: contains is for rules without arguments");
            }

            var body = Body(required: false);
            NoElse("a rule with contains");
            EndOfRule();
            rules.Add(Made(head, HeadForm.Contains, member, [new RuleBranch(head.At, null, false, body ?? [], body is not null)]));
            return;
        }

        var (value, assigned) = HeadValue();
        var hasIf = _token.IsKeyword("if");
        var first = Body(required: false);
        if (first is null && value is null && head.Arguments is not null && !_v1)
        {
            throw Unexpected("expected a value or a body for the function");
        }

        if (first is null && value is null && _v1 && head.Path.IsEmpty && head.Arguments is null)
        {
            throw Fail(head.At, "`if` keyword is required before rule body: a rule needs a value or a body");
        }

        if (IsOldSet(head, value, hasIf))
        {
            NoElse("a partial set");
            rules.Add(Made(head with { Path = [] }, HeadForm.Contains, head.Path[0], [new RuleBranch(head.At, null, false, first ?? [], first is not null)]));
        }
        else
        {
            var branches = ImmutableArray.CreateBuilder<RuleBranch>();
            branches.Add(new RuleBranch(head.At, value, assigned, first ?? [], first is not null));
            Elses(head, first is not null, branches);
            rules.Add(Made(head, HeadForm.Value, null, branches.ToImmutable()));
        }

        // p { … } { … }: a rule for each body (v0 only).
        while (!_v1 && first is not null && !hasIf && _token.Is("{") && rules[^1].Branches.Length == 1)
        {
            var last = rules[^1];
            var body = Braced();
            rules.Add(Made(new HeadParts(head.At, last.Name, last.Path, last.Arguments, false), last.Form, last.Member, [last.Branches[0] with { Body = body }]));
        }

        EndOfRule();
    }

    /// <summary>In v0 <c>p[x] { … }</c> is a set, unless <c>if</c> stands before the body.</summary>
    private bool IsOldSet(HeadParts head, Term? value, bool hasIf) =>
        !_v1 && !hasIf && value is null && head.Arguments is null && head.Path is [var only]
        && !(only is ScalarTerm { Value: RegoString } && _source.Text[only.At.Offset] is not ('"' or '`'));

    private (Term? Value, bool Assigned) HeadValue()
    {
        if (!_token.Is(":=") && !_token.Is("="))
        {
            return (null, false);
        }

        var assigned = _token.Is(":=");
        Advance();
        return (KeyedExpression(), assigned);
    }

    /// <summary>The body that stands here, or null: <c>if</c> with braces or one statement, in v0 also bare braces.</summary>
    private ImmutableArray<Statement>? Body(bool required)
    {
        if (_token.IsKeyword("if"))
        {
            Advance();
            return _token.Is("{") ? Braced() : [Statement()];
        }

        if (_token.Is("{") && !_token.LineBefore)
        {
            return _v1 ? throw Fail(_token.At, "`if` keyword is required before rule body") : Braced();
        }

        return required ? throw Unexpected("expected if or a body") : null;
    }


    private ImmutableArray<Statement> Braced()
    {
        Expect("{");
        var body = Query("}");
        Expect("}");
        return body;
    }

    private void Elses(HeadParts head, bool hasBody, ImmutableArray<RuleBranch>.Builder branches)
    {
        while (_token.IsKeyword("else"))
        {
            var at = _token.At;
            if (!hasBody)
            {
                throw Fail(at, "else needs a rule with a body before it");
            }

            if (head.Arguments is null && head.Path.Any(element => element is not ScalarTerm))
            {
                throw Fail(at, "else keyword cannot be used on partial rules");
            }

            Advance();
            var (value, assigned) = HeadValue();
            var body = Body(required: false);
            if (value is null && body is null)
            {
                throw Unexpected("expected a value or a body after else");
            }

            branches.Add(new RuleBranch(at, value, assigned, body ?? [], body is not null));
            hasBody = body is not null;
            if (branches.Count > ParserLimits.Statements)
            {
                throw Fail(at, $"a rule has more than {ParserLimits.Statements} branches");
            }
        }
    }

    private void NoElse(string what)
    {
        if (_token.IsKeyword("else"))
        {
            throw Fail(_token.At, $"else keyword cannot be used on {what}");
        }
    }

    private void EndOfRule()
    {
        if (_token.Kind != TokenKind.End)
        {
            EndOfStatement();
        }
    }

    private static RuleNode Made(HeadParts head, HeadForm form, Term? member, ImmutableArray<RuleBranch> branches) => new()
    {
        At = head.At,
        Name = head.Name,
        Path = head.Path,
        Arguments = head.Arguments,
        Form = form,
        Member = member,
        Branches = branches,
        IsDefault = head.IsDefault,
    };

    private static RuleNode Annotated(RuleNode rule, ImmutableArray<AnnotationBlock> notes) => new()
    {
        At = rule.At,
        Name = rule.Name,
        Path = rule.Path,
        Arguments = rule.Arguments,
        Form = rule.Form,
        Member = rule.Member,
        Branches = rule.Branches,
        IsDefault = rule.IsDefault,
        Annotations = notes,
    };

    /// <summary>Metadata comments, each given to the statement that follows it.</summary>
    private (ImmutableArray<AnnotationBlock> Package, ImmutableArray<AnnotationBlock>[] Rules) Annotations(Position packageAt, ImmutableArray<RuleNode>.Builder rules)
    {
        var package = ImmutableArray.CreateBuilder<AnnotationBlock>();
        var notes = new List<AnnotationBlock>?[rules.Count];
        var next = 0;
        // Both are in source order: neither is looked through from the start for each of the other.
        foreach (var block in Blocks())
        {
            if (block.At.Offset < packageAt.Offset)
            {
                package.Add(block);
                continue;
            }

            while (next < rules.Count && rules[next].At.Offset <= block.At.Offset)
            {
                next++;
            }

            if (next < rules.Count)
            {
                (notes[next] ??= []).Add(block);
            }
        }

        return (package.ToImmutable(), [.. notes.Select(list => list is null ? ImmutableArray<AnnotationBlock>.Empty : [.. list])]);
    }

    private IEnumerable<AnnotationBlock> Blocks()
    {
        var comments = _lexer.Comments;
        for (var i = 0; i < comments.Count; i++)
        {
            if (comments[i].Text.Trim() != "METADATA")
            {
                continue;
            }

            var (at, text) = (comments[i].At, new StringBuilder());
            while (i + 1 < comments.Count && comments[i + 1].At.Line == comments[i].At.Line + 1 && comments[i + 1].At.Column == at.Column)
            {
                i++;
                var line = comments[i].Text;
                text.Append(line.StartsWith(' ') ? line.AsSpan(1) : line).Append('\n');
            }

            yield return new AnnotationBlock(at, text.ToString());
        }
    }
}

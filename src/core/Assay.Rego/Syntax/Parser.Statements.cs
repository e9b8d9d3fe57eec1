using System.Collections.Immutable;

namespace Assay.Rego.Syntax;

internal sealed partial class Parser
{
    /// <summary>Statements up to a closing symbol (which stays), or to the end when there is none.</summary>
    private ImmutableArray<Statement> Query(string? close)
    {
        Enter();
        var statements = ImmutableArray.CreateBuilder<Statement>();
        while (true)
        {
            while (_token.Is(";"))
            {
                Advance();
            }

            if (close is null ? _token.Kind == TokenKind.End : _token.Is(close))
            {
                break;
            }

            statements.Add(Statement());
            if (statements.Count > ParserLimits.Statements)
            {
                throw Fail(_token.At, $"a body has more than {ParserLimits.Statements} statements");
            }

            var ends = _token.Is(";") || _token.LineBefore || (close is not null && _token.Is(close));
            if (!ends)
            {
                throw Unexpected(close is null ? "expected \\n or ;" : $"expected \\n, ; or {close}");
            }
        }

        if (statements.Count == 0)
        {
            throw Unexpected("found empty body");
        }

        Leave();
        return statements.ToImmutable();
    }

    private Statement Statement()
    {
        var at = _token.At;
        if (_token.IsKeyword("some"))
        {
            return Some(at);
        }

        if (_token.IsKeyword("every"))
        {
            return Every(at);
        }

        var negated = _token.IsKeyword("not");
        if (negated)
        {
            Advance();
        }

        var left = KeyedExpression();
        if (!_token.Is(":=") && !_token.Is("="))
        {
            return new ExpressionStatement(at, left) { Negated = negated, With = Modifiers() };
        }

        var declares = _token.Is(":=");
        if (declares && negated)
        {
            throw Fail(at, "a negated statement cannot declare a variable: use = or ==");
        }

        Advance();
        var right = KeyedExpression();
        return new EquationStatement(at, left, right, declares) { Negated = negated, With = Modifiers() };
    }

    private Statement Some(Position at)
    {
        Advance();
        var terms = ImmutableArray.CreateBuilder<Term>();
        while (true)
        {
            Enter();
            terms.Add(Relation());
            Leave();
            if (!_token.Is(","))
            {
                break;
            }

            Advance();
        }

        if (_token.IsKeyword("in"))
        {
            if (terms.Count > 2)
            {
                throw Fail(at, "some … in takes one or two terms before in");
            }

            Advance();
            var collection = Expression();
            return new SomeInStatement(at, terms.Count == 2 ? terms[0] : null, terms[^1], collection) { With = Modifiers() };
        }

        foreach (var term in terms)
        {
            if (term is not VarTerm)
            {
                throw Fail(term.At, "expected a variable, or in after the terms");
            }
        }

        return new SomeStatement(at, [.. terms.Cast<VarTerm>()]) { With = Modifiers() };
    }

    private EveryStatement Every(Position at)
    {
        Advance();
        var first = EveryName();
        VarTerm? key = null;
        if (_token.Is(","))
        {
            Advance();
            (key, first) = (first, EveryName());
        }

        if (!_token.IsKeyword("in"))
        {
            throw Unexpected("expected in after the names of every");
        }

        Advance();
        var domain = Expression();
        Expect("{");
        var body = Query("}");
        Expect("}");
        return new EveryStatement(at, key, first, domain, body) { With = Modifiers() };
    }

    private VarTerm EveryName()
    {
        if (_token.Kind != TokenKind.Name)
        {
            throw Unexpected("expected a variable");
        }

        var name = new VarTerm(_token.At, _token.Text);
        Advance();
        return name;
    }

    private ImmutableArray<WithModifier> Modifiers()
    {
        if (!_token.IsKeyword("with"))
        {
            return [];
        }

        var modifiers = ImmutableArray.CreateBuilder<WithModifier>();
        while (_token.IsKeyword("with"))
        {
            var at = _token.At;
            Advance();
            var target = Operand();
            if (target is not VarTerm and not RefTerm { Head: VarTerm })
            {
                throw Fail(target.At, "with takes a path of input or data, or a function");
            }

            if (!_token.IsKeyword("as"))
            {
                throw Unexpected("expected as");
            }

            Advance();
            modifiers.Add(new WithModifier(at, target, Expression()));
            if (modifiers.Count > ParserLimits.Path)
            {
                throw Fail(at, $"a statement has more than {ParserLimits.Path} modifiers");
            }
        }

        return modifiers.ToImmutable();
    }
}

using System.Collections.Immutable;
using System.Text;
using Assay.Rego.Values;

namespace Assay.Rego.Syntax;

internal sealed partial class Parser
{
    // In the first element of brackets or braces a bare '|' ends the head of a comprehension.
    private bool _pipeEnds;

    /// <summary>An expression inside brackets or an argument list: no key before <c>in</c>, since a comma separates there.</summary>
    private Term Expression()
    {
        Enter();
        var term = Membership();
        Leave();
        return term;
    }

    private Term InBrackets(bool pipeEnds)
    {
        var before = _pipeEnds;
        _pipeEnds = pipeEnds;
        var term = Expression();
        _pipeEnds = before;
        return term;
    }

    private Term Membership()
    {
        var left = Relation();
        while (_token.IsKeyword("in"))
        {
            Advance();
            left = Shallow(new InfixTerm(left.At, "in", left, Relation()));
        }

        return left;
    }

    /// <summary>An expression where <c>key, value in collection</c> may stand.</summary>
    private Term KeyedExpression()
    {
        Enter();
        var first = Membership();
        if (_token.Is(","))
        {
            Advance();
            var rest = Membership();
            if (rest is not InfixTerm { Symbol: "in" } member)
            {
                throw Unexpected("expected `in`: a comma separates key and value of a membership test here");
            }

            first = Shallow(new MemberTerm(first.At, first, member.Left, member.Right));
        }

        Leave();
        return first;
    }

    private Term Relation()
    {
        var left = Union();
        while (_token.Kind == TokenKind.Symbol && _token.Text is "==" or "!=" or "<" or "<=" or ">" or ">=")
        {
            left = Infix(left, Union);
        }

        return left;
    }

    private Term Union()
    {
        var left = Intersection();
        while (_token.Is("|") && !_pipeEnds)
        {
            left = Infix(left, Intersection);
        }

        return left;
    }

    private Term Intersection()
    {
        var left = Sum();
        while (_token.Is("&"))
        {
            left = Infix(left, Sum);
        }

        return left;
    }

    private Term Sum()
    {
        var left = Product();
        while (_token.Is("+") || _token.Is("-"))
        {
            left = Infix(left, Product);
        }

        return left;
    }

    private Term Product()
    {
        var left = Operand();
        while (_token.Is("*") || _token.Is("/") || _token.Is("%"))
        {
            left = Infix(left, Operand);
        }

        return left;
    }

    private InfixTerm Infix(Term left, Func<Term> right)
    {
        var symbol = _token.Text;
        Advance();
        return Shallow(new InfixTerm(left.At, symbol, left, right()));
    }

    private Term Operand()
    {
        Enter();
        var at = _token.At;
        Term term;
        switch (_token.Kind)
        {
            case TokenKind.Number:
                term = Number(at, "");
                break;
            case TokenKind.Symbol when _token.Text == "-":
                Advance();
                if (_token.Kind != TokenKind.Number)
                {
                    throw Unexpected("expected number");
                }

                term = Number(at, "-");
                break;
            case TokenKind.Text or TokenKind.RawText:
                term = new ScalarTerm(at, new RegoString(_token.Text), _token.Kind == TokenKind.RawText);
                Advance();
                break;
            case TokenKind.TemplateStart or TokenKind.RawTemplateStart:
                term = Template(at, _token.Kind == TokenKind.RawTemplateStart);
                break;
            case TokenKind.Keyword when _token.Text == "contains" && _lexer.Peek() == '(':
                // The built-in has the keyword's name.
                term = new VarTerm(at, _token.Text);
                Advance();
                break;
            case TokenKind.Keyword:
                term = Constant(at);
                break;
            case TokenKind.Name:
                term = new VarTerm(at, _token.Text);
                Advance();
                break;
            default:
                term = Bracketed(at);
                break;
        }

        term = Tail(term);
        Leave();
        return term;
    }

    private Term Bracketed(Position at)
    {
        if (_token.Is("("))
        {
            Advance();
            var before = _pipeEnds;
            _pipeEnds = false;
            var inner = KeyedExpression();
            _pipeEnds = before;
            Expect(")");
            return inner;
        }

        if (_token.Is("["))
        {
            return Array(at);
        }

        if (_token.Is("{"))
        {
            return Braces(at);
        }

        throw Unexpected("expected expression");
    }

    private ScalarTerm Constant(Position at)
    {
        RegoValue? value = _token.Text switch { "null" => RegoNull.Value, "true" => RegoBoolean.True, "false" => RegoBoolean.False, _ => null };
        if (value is null)
        {
            throw Unexpected("expected expression");
        }

        Advance();
        return new ScalarTerm(at, value);
    }

    private ScalarTerm Number(Position at, string sign)
    {
        if (_token.Text.Length > 1 && _token.Text[0] == '0' && char.IsAsciiDigit(_token.Text[1]))
        {
            throw Fail(at, "expected number without leading zeros");
        }

        if (!RegoNumber.TryParse(sign + _token.Text, out var number))
        {
            throw Fail(at, "number out of range");
        }

        Advance();
        return new ScalarTerm(at, number);
    }

    /// <summary>What hangs on a term without white space: .word, [index], (arguments).</summary>
    private Term Tail(Term term)
    {
        if (term is ScalarTerm { Value: not RegoString })
        {
            return term;
        }

        var path = ImmutableArray.CreateBuilder<Term>();
        Term Taken() => path.Count == 0 ? term : Shallow(new RefTerm(term.At, term, path.ToImmutable()));
        while (_token.At.Offset == _previousEnd && _token.Kind == TokenKind.Symbol)
        {
            if (_token.Text == ".")
            {
                Advance();
                if (_token.Kind is not (TokenKind.Name or TokenKind.Keyword) || _token.SpaceBefore)
                {
                    throw Unexpected("expected ident");
                }

                path.Add(new ScalarTerm(_token.At, new RegoString(_token.Text)));
                Advance();
            }
            else if (_token.Text == "[")
            {
                Advance();
                path.Add(InBrackets(pipeEnds: false));
                Expect("]");
            }
            else if (_token.Text == "(")
            {
                term = Call(Taken());
                path.Clear();
            }
            else
            {
                break;
            }

            if (path.Count > ParserLimits.Path)
            {
                throw Fail(_token.At, $"a reference has more than {ParserLimits.Path} elements");
            }
        }

        return Taken();
    }

    private Term Call(Term function)
    {
        if (function is not VarTerm and not RefTerm { Head: VarTerm })
        {
            throw Fail(function.At, "only a name or a path can be called");
        }

        Advance();
        var arguments = List(")");
        if (function is VarTerm { Name: "set" })
        {
            return arguments.Length == 0 ? new SetTerm(function.At, []) : throw Fail(function.At, "set() takes no arguments: write {…}");
        }

        return Shallow(new CallTerm(function.At, function, arguments));
    }

    /// <summary>Expressions up to a closing symbol, which is taken too; a comma may trail.</summary>
    private ImmutableArray<Term> List(string close, Term? first = null)
    {
        var items = ImmutableArray.CreateBuilder<Term>();
        if (first is not null)
        {
            items.Add(first);
            if (!_token.Is(close))
            {
                Expect(",");
            }
        }

        while (!_token.Is(close))
        {
            items.Add(InBrackets(pipeEnds: false));
            if (!_token.Is(close))
            {
                if (!_token.Is(","))
                {
                    throw Unexpected($"expected , or {close}");
                }

                Advance();
            }
        }

        Advance();
        return items.ToImmutable();
    }

    private Term Array(Position at)
    {
        Advance();
        if (_token.Is("]"))
        {
            Advance();
            return new ArrayTerm(at, []);
        }

        var first = InBrackets(pipeEnds: true);
        if (_token.Is("|"))
        {
            return Comprehension(at, RegoKind.Array, null, first, "]");
        }

        return Shallow(new ArrayTerm(at, List("]", first)));
    }

    private Term Braces(Position at)
    {
        Advance();
        if (_token.Is("}"))
        {
            Advance();
            return new ObjectTerm(at, []);
        }

        var first = InBrackets(pipeEnds: true);
        if (_token.Is("|"))
        {
            return Comprehension(at, RegoKind.Set, null, first, "}");
        }

        if (!_token.Is(":"))
        {
            return Shallow(new SetTerm(at, List("}", first)));
        }

        Advance();
        var value = InBrackets(pipeEnds: true);
        if (_token.Is("|"))
        {
            return Comprehension(at, RegoKind.Object, first, value, "}");
        }

        return Shallow(new ObjectTerm(at, Pairs(first, value)));
    }

    private ImmutableArray<(Term Key, Term Value)> Pairs(Term key, Term value)
    {
        var pairs = ImmutableArray.CreateBuilder<(Term, Term)>();
        pairs.Add((key, value));
        while (!_token.Is("}"))
        {
            if (!_token.Is(","))
            {
                throw Unexpected("expected , or }");
            }

            Advance();
            if (_token.Is("}"))
            {
                break;
            }

            key = InBrackets(pipeEnds: false);
            Expect(":");
            pairs.Add((key, InBrackets(pipeEnds: false)));
        }

        Advance();
        return pairs.ToImmutable();
    }

    private ComprehensionTerm Comprehension(Position at, RegoKind kind, Term? key, Term value, string close)
    {
        Advance();
        var before = _pipeEnds;
        _pipeEnds = false;
        var body = Query(close);
        _pipeEnds = before;
        Expect(close);
        return Shallow(new ComprehensionTerm(at, kind, key, value, body));
    }

    /// <summary>Reads a template character by character; between braces the tokens take over.</summary>
    private TemplateTerm Template(Position at, bool raw)
    {
        var parts = ImmutableArray.CreateBuilder<TemplatePart>();
        var text = new StringBuilder();
        while (true)
        {
            if (_lexer.AtEnd || !raw && _lexer.Peek() == '\n')
            {
                throw Fail(at, "non-terminated template string");
            }

            var c = _lexer.Take();
            if (c == (raw ? '`' : '"'))
            {
                break;
            }

            if (c == '\\' && (!raw || _lexer.Peek() == '{'))
            {
                if (raw)
                {
                    text.Append(_lexer.Take());
                }
                else
                {
                    _lexer.Escape(text, at, braces: true);
                }
            }
            else if (c == '{')
            {
                Flush();
                parts.Add(new TemplatePart(null, TemplateExpression()));
            }
            else
            {
                text.Append(c);
            }
        }

        Flush();
        var end = _lexer.Place.Offset;
        Advance();
        _previousEnd = end;
        return Shallow(new TemplateTerm(at, parts.ToImmutable(), raw));

        void Flush()
        {
            if (text.Length > 0)
            {
                parts.Add(new TemplatePart(RegoJson.WellFormed(text.ToString()), null));
                text.Clear();
            }
        }
    }

    private ExpressionStatement TemplateExpression()
    {
        Advance();
        var before = _pipeEnds;
        _pipeEnds = false;
        var term = Expression();
        _pipeEnds = before;
        var statement = new ExpressionStatement(term.At, term) { With = Modifiers() };
        if (!_token.Is("}"))
        {
            throw Unexpected("expected } at the end of a template expression");
        }

        // Characters go on right behind the brace: whatever was cut from there is not a token.
        _lexer.Place = new Position(_token.End, _token.At.Line, _token.At.Column + 1);
        return statement;
    }
}

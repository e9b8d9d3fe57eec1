using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using Assay.Rego.Diagnostics;
using Assay.Rego.Values;

namespace Assay.Rego.Syntax;

/// <summary>The two dialects of Rego.</summary>
public enum RegoVersion
{
    /// <summary>v1 where the source parses so, else v0.</summary>
    Auto = 0,

    /// <summary>Bodies without <c>if</c>, sets without <c>contains</c>; keywords by import.</summary>
    V0 = 1,

    /// <summary>OPA 1.0 and later.</summary>
    V1 = 2,
}

/// <summary>What the parser takes at most. Policies written by people are far below.</summary>
internal static class ParserLimits
{
    /// <summary>Bytes of one module.</summary>
    public const int SourceLength = 4 << 20;

    /// <summary>How deep terms and bodies may nest.</summary>
    public const int Depth = 400;

    /// <summary>Statements in one body.</summary>
    public const int Statements = 5_000;

    /// <summary>Elements of a path.</summary>
    public const int Path = 200;
}

/// <summary>Reads a module or a query by recursive descent. The first error ends it.</summary>
internal sealed partial class Parser
{
    private readonly Source _source;
    private readonly Lexer _lexer;
    private readonly bool _v1Asked;
    private bool _v1;
    private Token _token;
    private int _previousEnd;
    private int _depth;

    private Parser(Source source, bool v1)
    {
        _source = source;
        _lexer = new Lexer(source);
        _v1 = _v1Asked = v1;
        if (v1)
        {
            EnableAll();
        }

        if (source.Text.Length > ParserLimits.SourceLength)
        {
            throw Fail(new Position(0, 1, 1), $"the source is longer than {ParserLimits.SourceLength} characters");
        }

        CheckCharacters(source.Text);
        if (source.Text.StartsWith('\uFEFF'))
        {
            _lexer.Place = new Position(1, 1, 1);
        }

        _token = _lexer.Next();
    }

    /// <summary>Parses a module; exactly one of the results is null.</summary>
    public static (ModuleNode? Module, RegoError? Error) ParseModule(Source source, RegoVersion version)
    {
        if (version != RegoVersion.Auto)
        {
            return Guarded(source, version == RegoVersion.V1, parser => parser.Module());
        }

        var (module, error) = Guarded(source, v1: true, parser => parser.Module());
        if (module is not null)
        {
            return (module, null);
        }

        var (older, _) = Guarded(source, v1: false, parser => parser.Module());
        return older is not null ? (older, null) : (null, error);
    }

    /// <summary>Parses statements up to the end of the source.</summary>
    public static (ImmutableArray<Statement> Query, RegoError? Error) ParseQuery(Source source, bool v1)
    {
        var (query, error) = Guarded(source, v1, parser =>
        {
            var statements = parser.Query(null);
            return new Holder(statements);
        });
        return (query?.Statements ?? [], error);
    }

    /// <summary>Parses one term that the source consists of.</summary>
    public static (Term? Term, RegoError? Error) ParseTerm(Source source) => Guarded(source, v1: true, parser =>
    {
        var term = parser.Expression();
        return parser._token.Kind == TokenKind.End ? term : throw parser.Unexpected("expected end of input");
    });

    private sealed record Holder(ImmutableArray<Statement> Statements);

    private static (T? Result, RegoError? Error) Guarded<T>(Source source, bool v1, Func<Parser, T> parse)
        where T : class
    {
        try
        {
            return (parse(new Parser(source, v1)), null);
        }
        catch (ParseHalt halt)
        {
            return (null, halt.Error);
        }
    }

    private void EnableAll()
    {
        foreach (var word in (ReadOnlySpan<string>)["if", "contains", "every", "in"])
        {
            _lexer.EnableKeyword(word);
        }
    }

    private void CheckCharacters(string text)
    {
        var at = text.AsSpan().IndexOf('\0');
        if (at < 0 && RegoJson.WellFormed(text) is var well && !ReferenceEquals(well, text))
        {
            at = text.AsSpan().CommonPrefixLength(well);
        }

        if (at >= 0)
        {
            var before = text.AsSpan(0, at);
            throw Fail(new Position(at, before.Count('\n') + 1, at - before.LastIndexOf('\n')), text[at] == '\0' ? "illegal token: NUL" : "the source is not valid UTF-8");
        }
    }

    private ModuleNode Module()
    {
        var packageAt = _token.At;
        if (!_token.IsKeyword("package"))
        {
            throw Unexpected(_token.Kind == TokenKind.End ? "empty module" : "package expected");
        }

        var first = Advance();
        if (first.LineBefore)
        {
            throw Unexpected("expected ident");
        }

        var package = PathOf(allowKeywordFirst: true);
        EndOfStatement();
        var (imports, rules) = (ImmutableArray.CreateBuilder<ImportNode>(), ImmutableArray.CreateBuilder<RuleNode>());
        while (_token.Kind != TokenKind.End)
        {
            if (_token.Is(";"))
            {
                Advance();
                continue;
            }

            if (_token.IsKeyword("import"))
            {
                if (rules.Count > 0)
                {
                    throw Fail(_token.At, "unexpected import keyword: imports come before rules");
                }

                imports.Add(Import());
            }
            else if (_token.IsKeyword("package"))
            {
                throw Fail(_token.At, "unexpected package keyword: one package for a module");
            }
            else
            {
                Rules(rules);
            }
        }

        var (packageNotes, notes) = Annotations(packageAt, rules);
        return new ModuleNode
        {
            Package = package,
            PackageAt = packageAt,
            Imports = imports.ToImmutable(),
            Rules = [.. rules.Select((rule, index) => notes[index].IsEmpty ? rule : Annotated(rule, notes[index]))],
            IsV1 = _v1,
            PackageAnnotations = packageNotes,
        };
    }

    private ImportNode Import()
    {
        var at = _token.At;
        Advance();
        var path = PathOf(allowKeywordFirst: true);
        if (path[0] is not ("data" or "input" or "rego" or "future"))
        {
            throw Fail(at, "unexpected import path, must begin with one of: {data, future, input, rego}, got: " + path[0]);
        }

        string? alias = null;
        if (_token.IsKeyword("as") && !_token.LineBefore)
        {
            Advance();
            if (_token.Kind != TokenKind.Name)
            {
                throw Unexpected("expected ident after as");
            }

            alias = _token.Text;
            Advance();
        }

        Directive(at, path, alias);
        EndOfStatement();
        return new ImportNode(at, path, alias);
    }

    /// <summary>The imports that change the language: future.keywords and rego.v1.</summary>
    private void Directive(Position at, ImmutableArray<string> path, string? alias)
    {
        if (path[0] == "rego")
        {
            if (path is not [_, "v1"])
            {
                throw Fail(at, $"invalid import `{string.Join('.', path)}`, must be `rego.v1`");
            }

            if (alias is not null)
            {
                throw Fail(at, "`rego` imports cannot be aliased");
            }

            _v1 = true;
            EnableAll();
            Rescan();
        }
        else if (path[0] == "future")
        {
            if (path.Length < 2 || path[1] != "keywords" || path.Length > 3)
            {
                throw Fail(at, "invalid import, must be `future.keywords`");
            }

            if (alias is not null)
            {
                throw Fail(at, "`future` imports cannot be aliased");
            }

            if (path.Length == 2)
            {
                EnableAll();
            }
            else if (!Lexer.IsFutureKeyword(path[2]))
            {
                throw Fail(at, "unexpected keyword, must be one of [contains every if in]");
            }
            else
            {
                _lexer.EnableKeyword(path[2]);
                if (path[2] == "every")
                {
                    _lexer.EnableKeyword("in");
                }
            }

            Rescan();
        }
    }

    // The token after an import was cut before the import was known.
    private void Rescan()
    {
        if (_token.Kind is TokenKind.Name)
        {
            var (space, line) = (_token.SpaceBefore, _token.LineBefore);
            _lexer.Place = _token.At;
            _token = _lexer.Next() with { SpaceBefore = space, LineBefore = line };
        }
    }

    /// <summary>word.word["text"]: no white space between.</summary>
    private ImmutableArray<string> PathOf(bool allowKeywordFirst)
    {
        var path = ImmutableArray.CreateBuilder<string>();
        if (_token.Kind != TokenKind.Name && !(allowKeywordFirst && _token.Kind == TokenKind.Keyword))
        {
            throw Unexpected("expected ident");
        }

        path.Add(_token.Text);
        Advance();
        while (!_token.SpaceBefore && (_token.Is(".") || _token.Is("[")))
        {
            if (_token.Is("."))
            {
                Advance();
                if (_token.Kind is not (TokenKind.Name or TokenKind.Keyword) || _token.SpaceBefore)
                {
                    throw Unexpected("expected ident");
                }

                path.Add(_token.Text);
                Advance();
            }
            else
            {
                Advance();
                if (_token.Kind is not (TokenKind.Text or TokenKind.RawText))
                {
                    throw Unexpected("expected string");
                }

                path.Add(_token.Text);
                Advance();
                Expect("]");
            }

            if (path.Count > ParserLimits.Path)
            {
                throw Fail(_token.At, $"a path has more than {ParserLimits.Path} elements");
            }
        }

        return path.ToImmutable();
    }

    private void EndOfStatement()
    {
        if (_token.Is(";"))
        {
            Advance();
        }
        else if (!_token.LineBefore)
        {
            throw Unexpected("expected \\n or ;");
        }
    }

    private Token Advance()
    {
        _previousEnd = _token.End;
        return _token = _lexer.Next();
    }

    private void Expect(string symbol)
    {
        if (!_token.Is(symbol))
        {
            throw Unexpected($"expected {symbol}");
        }

        Advance();
    }

    private ParseHalt Unexpected(string hint) =>
        Fail(_token.At, _token.Kind == TokenKind.End ? $"unexpected eof token: {hint}" : $"unexpected {_token.Described} token: {hint}");

    private ParseHalt Fail(Position at, string message) => new(_source.Error(RegoErrorCode.ParseError, at, message));

    /// <summary>Enters one level of nesting, refusing what later passes could not walk.</summary>
    private void Enter()
    {
        if (++_depth > ParserLimits.Depth || !RuntimeHelpers.TryEnsureSufficientExecutionStack())
        {
            throw Fail(_token.At, $"the source nests deeper than {ParserLimits.Depth} levels");
        }
    }

    private void Leave() => _depth--;

    private T Shallow<T>(T term)
        where T : Term =>
        term.Depth <= ParserLimits.Depth * 2 ? term : throw Fail(term.At, "the expression is too long or nests too deeply");
}

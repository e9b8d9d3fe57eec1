using System.Diagnostics.CodeAnalysis;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Templates;

/// <summary>Reads a template. Named templates (define, template, block) are refused: a policy has one text and one result.</summary>
internal sealed class TemplateParser
{
    private const int MaxText = 1 << 20;
    private const int MaxDepth = 100;

    private readonly string _text;
    private int _at;
    private bool _trim;
    private string? _fault;
    private List<TemplateLexer.Token> _tokens = [];
    private int _token;

    private TemplateParser(string text) => _text = text;

    public static bool TryParse(string text, [NotNullWhen(true)] out List<TemplateNode>? template, [NotNullWhen(false)] out string? fault)
    {
        var parser = new TemplateParser(text);
        if (text.Length > MaxText)
        {
            parser._fault = $"template: longer than {MaxText} characters";
        }

        template = parser.Body(0, out var end);
        fault = parser._fault ?? (end.Length > 0 ? $"template: unexpected {{{{{end}}}}}" : null);
        return fault is null;
    }

    private bool AtWord(string word) => _token < _tokens.Count && _tokens[_token] is { Kind: 'w' } token && token.Text == word;

    private void Refuse(string problem) => _fault ??= $"template: {problem}";

    /// <summary>Reads nodes up to <c>end</c>, <c>else</c> or the end of the text, and says which it was.</summary>
    private List<TemplateNode> Body(int depth, out string end)
    {
        var nodes = new List<TemplateNode>();
        end = "";
        if (depth > MaxDepth)
        {
            Refuse($"nests deeper than {MaxDepth} levels");
        }

        while (_fault is null && NextAction(nodes))
        {
            if (_tokens.Count == 0)
            {
                continue;
            }

            if (AtWord("end") || AtWord("else"))
            {
                end = _tokens[_token++].Text;
                return nodes;
            }

            if (Statement(depth) is { } node)
            {
                nodes.Add(node);
            }
        }

        return nodes;
    }

    /// <summary>Moves to the next action, keeping the text before it; false at the end of the text.</summary>
    private bool NextAction(List<TemplateNode> nodes)
    {
        var open = _text.IndexOf("{{", _at, StringComparison.Ordinal);
        var words = open < 0 ? _text[_at..] : _text[_at..open];
        words = _trim ? words.TrimStart(' ', '\t', '\r', '\n') : words;
        _trim = false;
        if (open < 0)
        {
            AddText(nodes, words);
            _at = _text.Length;
            return false;
        }

        var start = open + 2;
        if (start + 1 < _text.Length && _text[start] == '-' && (_text[start + 1] is ' ' or '\t' or '\r' or '\n'))
        {
            words = words.TrimEnd(' ', '\t', '\r', '\n');
            start++;
        }

        AddText(nodes, words);
        var close = End(start);
        if (close < 0)
        {
            Refuse("unclosed action");
            return false;
        }

        var action = _text[start..close];
        _at = close + 2;
        if (action.Length > 1 && action[^1] == '-' && char.IsWhiteSpace(action[^2]))
        {
            (_trim, action) = (true, action[..^1]);
        }

        (_tokens, _token) = ([], 0);
        if (!action.TrimStart().StartsWith("/*", StringComparison.Ordinal) && (!TemplateLexer.TryRead(action, out _tokens, out var fault) || _tokens.Count == 0))
        {
            _fault ??= fault.Length > 0 ? fault : "template: missing value for command";
        }

        return true;
    }

    private static void AddText(List<TemplateNode> nodes, string words)
    {
        if (words.Length > 0)
        {
            nodes.Add(new TemplateNode.Text(words));
        }
    }

    /// <summary>Where the action that begins here ends; braces inside quotes and comments do not count.</summary>
    private int End(int at)
    {
        if (_text.AsSpan(at).TrimStart().StartsWith("/*"))
        {
            var comment = _text.IndexOf("*/", at, StringComparison.Ordinal);
            return comment < 0 ? -1 : _text.IndexOf("}}", comment, StringComparison.Ordinal);
        }

        var quote = '\0';
        for (; at < _text.Length; at++)
        {
            var c = _text[at];
            if (quote != '\0')
            {
                at += c == '\\' && quote == '"' ? 1 : 0;
                quote = c == quote ? '\0' : quote;
            }
            else if (c is '"' or '`')
            {
                quote = c;
            }
            else if (c == '}' && at + 1 < _text.Length && _text[at + 1] == '}')
            {
                return at;
            }
        }

        return -1;
    }

    private TemplateNode? Statement(int depth)
    {
        foreach (var (word, kind) in (ReadOnlySpan<(string, BranchKind)>)[("if", BranchKind.If), ("with", BranchKind.With), ("range", BranchKind.Range)])
        {
            if (AtWord(word))
            {
                _token++;
                return Branch(kind, depth);
            }
        }

        if (AtWord("break") || AtWord("continue"))
        {
            return new TemplateNode.Leave(_tokens[_token++].Text == "break");
        }

        if (AtWord("define") || AtWord("template") || AtWord("block"))
        {
            Refuse($"{_tokens[_token].Text} is not supported");
            return null;
        }

        var pipeline = ReadPipeline(depth);
        Finish();
        return new TemplateNode.Action(pipeline);
    }

    private void Finish()
    {
        if (_token < _tokens.Count)
        {
            Refuse($"unexpected {_tokens[_token].Text} in command");
        }
    }

    private TemplateNode.Branch Branch(BranchKind kind, int depth)
    {
        var pipeline = ReadPipeline(depth);
        Finish();
        var body = Body(depth + 1, out var end);
        List<TemplateNode>? otherwise = null;
        if (end == "else")
        {
            if (AtWord("if") || AtWord("with"))
            {
                var nested = AtWord("if") ? BranchKind.If : BranchKind.With;
                _token++;
                return new TemplateNode.Branch(kind, pipeline, body, [Branch(nested, depth + 1)]);
            }

            Finish();
            otherwise = Body(depth + 1, out end);
        }

        if (end != "end")
        {
            Refuse(end.Length == 0 ? "unexpected EOF" : $"unexpected {{{{{end}}}}}");
        }

        return new TemplateNode.Branch(kind, pipeline, body, otherwise);
    }

    private Pipeline ReadPipeline(int depth)
    {
        var (variables, declares) = ReadVariables();
        var commands = new List<List<Operand>>();
        do
        {
            var command = new List<Operand>();
            while (_fault is null && _token < _tokens.Count && ReadOperand(depth) is { } operand)
            {
                command.Add(operand);
            }

            if (command.Count == 0)
            {
                Refuse("missing value for command");
            }

            commands.Add(command);
        }
        while (_fault is null && TakePunctuation("|"));
        return new Pipeline(variables, declares, commands);
    }

    private (List<string> Variables, bool Declares) ReadVariables()
    {
        var start = _token;
        var variables = new List<string>();
        while (_token < _tokens.Count && _tokens[_token].Kind == 'v' && variables.Count < 2)
        {
            variables.Add(_tokens[_token++].Text);
            if (!TakePunctuation(","))
            {
                break;
            }
        }

        var declares = variables.Count > 0 && TakePunctuation(":=");
        if (declares || (variables.Count > 0 && TakePunctuation("=")))
        {
            return (variables, declares);
        }

        _token = start;
        return ([], false);
    }

    private bool TakePunctuation(string text)
    {
        var there = _token < _tokens.Count && _tokens[_token] is { Kind: 'p' } token && token.Text == text;
        _token += there ? 1 : 0;
        return there;
    }

    /// <summary>Reads an operand and the fields that follow it without a space; null where a command ends.</summary>
    private Operand? ReadOperand(int depth)
    {
        var token = _tokens[_token];
        if (token is { Kind: 'p', Text: "|" or ")" })
        {
            return null;
        }

        _token++;
        switch (token.Kind)
        {
            case 'f':
                return new Operand.Dot([token.Text, .. Fields()]);
            case 'v':
                return new Operand.Variable(token.Text, Fields());
            case 's':
                return new Operand.Literal(new RegoString(token.Text), Fields());
            case 'n' when RegoNumber.TryParse(token.Text, out var number):
                return new Operand.Literal(number, []);
            case 'w':
                return token.Text switch
                {
                    "true" => new Operand.Literal(RegoBoolean.True, []),
                    "false" => new Operand.Literal(RegoBoolean.False, []),
                    "nil" => new Operand.Literal(RegoNull.Value, []),
                    var name => new Operand.Function(name, []),
                };
            case 'p' when token.Text == ".":
                return new Operand.Dot([]);
            case 'p' when token.Text == "(" && depth < MaxDepth:
                var nested = ReadPipeline(depth + 1);
                if (!TakePunctuation(")"))
                {
                    Refuse("unclosed left paren");
                }

                return new Operand.Nested(nested, Fields());
            default:
                Refuse($"unexpected {token.Text} in operand");
                return null;
        }
    }

    private List<string> Fields()
    {
        var fields = new List<string>();
        while (_token < _tokens.Count && _tokens[_token] is { Kind: 'f', Spaced: false } token)
        {
            fields.Add(token.Text);
            _token++;
        }

        return fields;
    }
}

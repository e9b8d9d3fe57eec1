using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Numerics;
using Assay.Rego.Values;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Assay.Rego.Builtins.Documents;

/// <summary>
/// Reads the first YAML document of a text as the JSON value that it means, with YAML 1.1's plain scalars (yes, on, 0777) as Go's reader
/// takes them. Anchors and merge keys are followed within a bound on all they expand to.
/// </summary>
internal sealed class YamlReader
{
    private const int MaxText = 8 << 20;
    private const int MaxDepth = 200;

    // What the document may hold with every alias written out.
    private const int MaxNodes = 1_000_000;

    private readonly Parser _parser;
    private readonly Action<long> _tick;
    private readonly Dictionary<string, (RegoValue Value, int Nodes)> _anchors = new(StringComparer.Ordinal);
    private int _nodes;
    private string? _fault;

    private YamlReader(Parser parser, Action<long> tick) => (_parser, _tick) = (parser, tick);

    public static bool TryRead(string text, Action<long> tick, [NotNullWhen(true)] out RegoValue? value, [NotNullWhen(false)] out string? fault)
    {
        (value, fault) = (null, text.Length > MaxText ? $"yaml: longer than {MaxText} characters" : null);
        if (fault is not null)
        {
            return false;
        }

        try
        {
            var reader = new YamlReader(new Parser(new StringReader(RegoJson.WellFormed(text))), tick);
            value = reader.Document();
            fault = reader._fault;
        }
        catch (Exception refused) when (refused is YamlException or ArgumentException or InvalidOperationException or FormatException or IndexOutOfRangeException)
        {
            // The library has no way to refuse but by throwing; it ends here.
            fault = $"yaml: {(refused as YamlException)?.Message ?? "malformed"}";
        }

        value = fault is null ? value : null;
        return value is not null;
    }

    private RegoValue Document()
    {
        _parser.MoveNext();
        if (!_parser.MoveNext() || _parser.Current is StreamEnd)
        {
            return RegoNull.Value;
        }

        _parser.MoveNext();
        var value = Node(0);
        if (_fault is null && _parser.Current is not DocumentEnd)
        {
            _fault = "yaml: unexpected content";
        }

        return value;
    }

    /// <summary>Reads the node at the current event and moves past it.</summary>
    private RegoValue Node(int depth)
    {
        _tick(1);
        if (depth > MaxDepth)
        {
            _fault ??= $"yaml: nests deeper than {MaxDepth} levels";
        }

        if (++_nodes > MaxNodes)
        {
            _fault ??= "yaml: document contains excessive aliasing";
        }

        if (_fault is not null)
        {
            return RegoNull.Value;
        }

        var before = _nodes;
        var current = _parser.Current;
        var value = current switch
        {
            Scalar scalar => ReadScalar(scalar),
            SequenceStart => ReadSequence(depth),
            MappingStart => ReadMapping(depth),
            AnchorAlias alias => ReadAlias(alias),
            _ => Refuse("yaml: unexpected content"),
        };
        if (current is NodeEvent { Anchor.IsEmpty: false } node)
        {
            _anchors[node.Anchor.Value] = (value, _nodes - before + 1);
        }

        return value;
    }

    private RegoNull Refuse(string fault)
    {
        _fault ??= fault;
        return RegoNull.Value;
    }

    private RegoValue ReadAlias(AnchorAlias alias)
    {
        _parser.MoveNext();
        if (!_anchors.TryGetValue(alias.Value.Value, out var known))
        {
            return Refuse($"yaml: unknown anchor '{alias.Value.Value}' referenced");
        }

        _nodes += known.Nodes;
        return known.Value;
    }

    private RegoArray ReadSequence(int depth)
    {
        _parser.MoveNext();
        var items = new List<RegoValue>();
        while (_fault is null && _parser.Current is not SequenceEnd)
        {
            items.Add(Node(depth + 1));
        }

        _parser.MoveNext();
        return RegoArray.From(items);
    }

    private RegoObject ReadMapping(int depth)
    {
        _parser.MoveNext();
        var members = new RegoObjectBuilder();
        var merged = new List<RegoObject>();
        while (_fault is null && _parser.Current is not MappingEnd)
        {
            var merge = _parser.Current is Scalar { Value: "<<", Style: ScalarStyle.Plain };
            var key = Node(depth + 1);
            var value = Node(depth + 1);
            if (merge)
            {
                AddMerged(value, merged);
            }
            else if (_fault is null)
            {
                members[Name(key)] = value;
            }
        }

        _parser.MoveNext();
        foreach (var (key, value) in merged.SelectMany(source => source))
        {
            if (!members.TryGetValue(key, out _))
            {
                members[key] = value;
            }
        }

        return members.Build();
    }

    private void AddMerged(RegoValue value, List<RegoObject> merged)
    {
        IEnumerable<RegoValue> sources = value is RegoArray several ? several : [value];
        foreach (var source in sources)
        {
            if (source is RegoObject members)
            {
                merged.Add(members);
            }
            else
            {
                _fault ??= "yaml: map merge requires map or sequence of maps as the value";
            }
        }
    }

    private RegoString Name(RegoValue key)
    {
        switch (key)
        {
            case RegoString text:
                return text;
            case RegoNumber or RegoBoolean:
                return new RegoString(key.ToString());
            default:
                _fault ??= "yaml: unsupported map key";
                return RegoString.Empty;
        }
    }

    private RegoValue ReadScalar(Scalar scalar)
    {
        _parser.MoveNext();
        var text = scalar.Value;
        var tag = scalar.Tag.IsEmpty ? "" : scalar.Tag.Value;
        if (tag == "tag:yaml.org,2002:binary")
        {
            return Base64Text.TryDecode(text, out var bytes, out var fault) ? RegoString.FromUtf8(bytes) : Refuse("yaml: " + fault);
        }

        return scalar.Style is not ScalarStyle.Plain || tag is "!" or "tag:yaml.org,2002:str" ? new RegoString(text) : Plain(text);
    }

    /// <summary>What a plain scalar means in YAML 1.1.</summary>
    public static RegoValue? Resolve(string text)
    {
        switch (text)
        {
            case "" or "~" or "null" or "Null" or "NULL":
                return RegoNull.Value;
            case "true" or "True" or "TRUE" or "yes" or "Yes" or "YES" or "on" or "On" or "ON" or "y" or "Y":
                return RegoBoolean.True;
            case "false" or "False" or "FALSE" or "no" or "No" or "NO" or "off" or "Off" or "OFF" or "n" or "N":
                return RegoBoolean.False;
            default:
                return char.IsAsciiDigit(text[0]) || text[0] is '-' or '+' or '.' ? Number(text) : null;
        }
    }

    private RegoValue Plain(string text)
    {
        var bare = text.TrimStart('+', '-');
        if (bare is ".inf" or ".Inf" or ".INF" || text is ".nan" or ".NaN" or ".NAN")
        {
            return Refuse($"json: unsupported value: {text}");
        }

        return Resolve(text) ?? new RegoString(text);
    }

    private static RegoNumber? Number(string text)
    {
        var plain = text.Replace("_", "", StringComparison.Ordinal);
        var negative = plain.StartsWith('-');
        var digits = plain.TrimStart('+', '-');
        if (plain.Length - digits.Length > 1 || digits.Length is 0 or > 1000)
        {
            return null;
        }

        var integer = digits.Length > 1 && digits[0] == '0'
            ? digits[1] switch
            {
                'x' or 'X' => InRadix(digits[2..], 16),
                'b' or 'B' => InRadix(digits[2..], 2),
                'o' or 'O' => InRadix(digits[2..], 8),
                _ => InRadix(digits[1..], 8),
            }
            : null;
        if (integer is { } value)
        {
            return RegoNumber.Of(negative ? -value : value);
        }

        var tidy = digits.StartsWith('.') ? "0" + digits : digits;
        tidy = tidy.TrimStart('0') is { Length: > 0 } trimmed && char.IsAsciiDigit(trimmed[0]) ? trimmed : "0" + tidy.TrimStart('0');
        tidy = tidy.EndsWith('.') ? tidy[..^1] : tidy.Replace(".e", "e", StringComparison.OrdinalIgnoreCase);
        return RegoNumber.TryParse(negative ? "-" + tidy : tidy, out var number) ? number : null;
    }

    private static BigInteger? InRadix(string digits, int radix)
    {
        var value = BigInteger.Zero;
        foreach (var c in digits)
        {
            var digit = char.IsAsciiHexDigit(c) ? int.Parse(c.ToString(), NumberStyles.HexNumber, CultureInfo.InvariantCulture) : radix;
            if (digit >= radix)
            {
                return null;
            }

            value = (value * radix) + digit;
        }

        return digits.Length > 0 ? value : null;
    }
}

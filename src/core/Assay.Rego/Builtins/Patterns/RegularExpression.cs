using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Assay.Rego.Builtins.Patterns;

/// <summary>
/// A regular expression with RE2's syntax and semantics. .NET's own non-backtracking engine is linear too, but its `\b` is Unicode's,
/// it matches UTF-16 units instead of code points, and it looks at no cancellation; so the machine is ours.
/// </summary>
internal sealed class RegularExpression
{
    /// <summary>The longest pattern that is read.</summary>
    public const int MaxPattern = 32 * 1024;

    // Group places are kept per thread: the product of instructions and groups bounds their memory.
    private const int MaxCaptureCells = 4_000_000;

    private readonly PatternProgram _program;
    private readonly string?[] _names;

    private RegularExpression(PatternProgram program, string?[] names) => (_program, _names) = (program, names);

    /// <summary>About how much memory it takes.</summary>
    public long Bytes => _program.Bytes;

    /// <summary>Compiles a pattern, or says in RE2's words why it cannot be.</summary>
    public static bool TryCompile(
        string pattern,
        [NotNullWhen(true)] out RegularExpression? expression,
        [NotNullWhen(false)] out string? fault)
    {
        expression = null;
        if (pattern.Length > MaxPattern)
        {
            fault = $"error parsing regexp: expression too large: {pattern.Length} characters, at most {MaxPattern}";
            return false;
        }

        if (!Re2Parser.TryParse(pattern, out var node, out var names, out fault))
        {
            return false;
        }

        var program = PatternProgram.Compile(node, names.Length);
        if (program is null || (long)program.Code.Count * names.Length > MaxCaptureCells)
        {
            fault = $"error parsing regexp: expression too large: over {PatternProgram.MaxInstructions} steps";
            return false;
        }

        expression = new RegularExpression(program, names);
        return true;
    }

    public bool IsMatch(string text, Action<int> charge) => Machine(text, false, charge).IsMatch();

    /// <summary>The places of all matches that do not overlap, at most <paramref name="limit"/> (negative: all).</summary>
    public IEnumerable<int[]> Matches(string text, int limit, bool groups, Action<int> charge) =>
        Machine(text, groups, charge).FindAll(limit);

    /// <summary>The text between matches, as Go's Split with no limit.</summary>
    public IEnumerable<string> Split(string text, Action<int> charge)
    {
        if (text.Length == 0 && _program.Code.Count > 3)
        {
            yield return "";
            yield break;
        }

        var (begin, end) = (0, 0);
        foreach (var match in Matches(text, -1, false, charge))
        {
            end = match[0];
            if (match[1] != 0)
            {
                yield return text[begin..end];
            }

            begin = match[1];
        }

        if (end != text.Length)
        {
            yield return text[begin..];
        }
    }

    /// <summary>Replaces every match by a template (`$1`, `${name}`, `$$`).</summary>
    /// <param name="text">The text to search.</param>
    /// <param name="template">What a match becomes.</param>
    /// <param name="output">Receives the pieces; may refuse to grow by throwing.</param>
    /// <param name="charge">Called with a number of steps now and then; may throw to stop.</param>
    public void Replace(string text, string template, Action<string> output, Action<int> charge)
    {
        var machine = Machine(text, true, charge);
        var (lastEnd, search) = (0, 0);
        while (search <= text.Length)
        {
            var match = machine.Find(search);
            if (match is null)
            {
                break;
            }

            output(text[lastEnd..match[0]]);
            if (match[1] > lastEnd || match[0] == 0)
            {
                Expand(template, text, match, output);
            }

            lastEnd = match[1];
            var width = 1;
            if (search < text.Length)
            {
                TextRunes.At(text, search, out width);
            }

            search = Math.Max(search + width, match[1]);
        }

        output(text[lastEnd..]);
    }

    private static string Quote(int rune)
    {
        var text = char.ConvertFromUtf32(rune);
        return rune < 0x80 && @"\.+*?()|[]{}^$".Contains(text[0], StringComparison.Ordinal) ? "\\" + text : text;
    }

    /// <summary>The pattern that matches a text literally.</summary>
    public static string QuoteMeta(string text)
    {
        var quoted = new StringBuilder();
        for (var at = 0; at < text.Length;)
        {
            quoted.Append(Quote(TextRunes.At(text, at, out var width)));
            at += width;
        }

        return quoted.ToString();
    }

    private PatternMachine Machine(string text, bool groups, Action<int> charge) => new(_program, text, groups, charge);

    private void Expand(string template, string text, int[] match, Action<string> output)
    {
        var at = 0;
        while (at < template.Length)
        {
            var dollar = template.IndexOf('$', at);
            if (dollar < 0)
            {
                break;
            }

            output(template[at..dollar]);
            at = dollar + 1;
            if (at < template.Length && template[at] == '$')
            {
                output("$");
                at++;
            }
            else if (TryReadName(template, ref at, out var name))
            {
                output(Group(name, text, match));
            }
            else
            {
                output("$");
            }
        }

        output(template[at..]);
    }

    private static bool TryReadName(string template, ref int at, out string name)
    {
        var braced = at < template.Length && template[at] == '{';
        var start = braced ? at + 1 : at;
        var end = start;
        while (end < template.Length && (char.IsLetterOrDigit(template[end]) || template[end] == '_'))
        {
            end++;
        }

        name = template[start..end];
        if (name.Length == 0 || (braced && (end >= template.Length || template[end] != '}')))
        {
            return false;
        }

        at = braced ? end + 1 : end;
        return true;
    }

    private string Group(string name, string text, int[] match)
    {
        var index = int.TryParse(name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number)
            ? (name[0] == '0' && name.Length > 1 ? -1 : number)
            : Array.IndexOf(_names, name);
        return index >= 0 && index < _names.Length && match[2 * index] >= 0 ? text[match[2 * index]..match[(2 * index) + 1]] : "";
    }
}

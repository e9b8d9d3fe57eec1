using System.Text;
using Assay.Rego.Builtins.Formatting;
using Assay.Rego.Values;

namespace Assay.Rego.Builtins.Templates;

/// <summary>The functions that every Go template has.</summary>
internal static class TemplateFunctions
{
    /// <param name="name">The function.</param>
    /// <param name="arguments">Its arguments; null stands for a missing member.</param>
    /// <param name="grow">Told the length of a text before it is made; may throw to refuse.</param>
    /// <param name="fault">What went wrong, else null.</param>
    public static RegoValue? Call(string name, List<RegoValue?> arguments, Action<long> grow, out string? fault)
    {
        fault = null;
        switch (name)
        {
            case "and" or "or" when arguments.Count > 0:
                return arguments.Find(argument => TemplateRun.IsTrue(argument) == (name == "or")) is { } found ? found : arguments[^1];
            case "not" when arguments.Count == 1:
                return RegoBoolean.Of(!TemplateRun.IsTrue(arguments[0]));
            case "eq" when arguments.Count >= 2:
                return RegoBoolean.Of(arguments.Skip(1).Any(other => Equals(arguments[0], other)));
            case "ne" when arguments.Count == 2:
                return RegoBoolean.Of(!Equals(arguments[0], arguments[1]));
            case "lt" or "le" or "gt" or "ge" when arguments.Count == 2:
                return Compare(name, arguments[0], arguments[1], out fault);
            case "len" when arguments.Count == 1:
                return Length(arguments[0], out fault);
            case "index" when arguments.Count >= 1:
                return Index(arguments, out fault);
            case "slice" when arguments.Count is >= 1 and <= 3:
                return Slice(arguments, out fault);
            case "print" or "println" or "printf" or "html" or "js" or "urlquery":
                return Text(name, arguments, grow);
            default:
                fault = arguments.Count == 0 || !IsKnown(name) ? $"function \"{name}\" not defined" : $"wrong number of args for {name}: {arguments.Count}";
                return null;
        }
    }

    private static bool IsKnown(string name) => name is "and" or "or" or "not" or "eq" or "ne" or "lt" or "le" or "gt" or "ge" or "len" or "index" or "slice";

    private static RegoBoolean? Compare(string name, RegoValue? left, RegoValue? right, out string? fault)
    {
        fault = null;
        if ((left, right) is not ((RegoNumber, RegoNumber) or (RegoString, RegoString)))
        {
            fault = "incompatible types for comparison";
            return null;
        }

        var order = left!.CompareTo(right);
        return RegoBoolean.Of(name switch { "lt" => order < 0, "le" => order <= 0, "gt" => order > 0, _ => order >= 0 });
    }

    private static RegoNumber? Length(RegoValue? value, out string? fault)
    {
        fault = null;
        switch (value)
        {
            case RegoArray array:
                return RegoNumber.Of(array.Count);
            case RegoObject members:
                return RegoNumber.Of(members.Count);
            case RegoString text:
                return RegoNumber.Of(text.ToUtf8().Length);
            default:
                fault = $"len of type {value?.KindName ?? "nil"}";
                return null;
        }
    }

    private static RegoValue? Index(List<RegoValue?> arguments, out string? fault)
    {
        fault = null;
        var value = arguments[0];
        foreach (var key in arguments.Skip(1))
        {
            if (key is null || value is not (RegoArray or RegoObject))
            {
                fault = $"can't index item of type {value?.KindName ?? "nil"}";
                return null;
            }

            var found = value.Lookup(key);
            if (found is null && value is RegoArray)
            {
                fault = $"index out of range: {key}";
                return null;
            }

            value = found;
        }

        return value;
    }

    private static RegoValue? Slice(List<RegoValue?> arguments, out string? fault)
    {
        fault = null;
        var length = arguments[0] switch { RegoArray list => list.Count, RegoString words => words.Value.Length, _ => -1 };
        var (from, to) = (0, length);
        var fits = length >= 0
            && (arguments.Count < 2 || (arguments[1] is RegoNumber first && first.TryGetInt32(out from)))
            && (arguments.Count < 3 || (arguments[2] is RegoNumber second && second.TryGetInt32(out to)));
        if (!fits || from < 0 || to < from || to > length)
        {
            fault = "slice out of range";
            return null;
        }

        return arguments[0] is RegoArray array ? RegoArray.Of(array.Items[from..to]) : new RegoString(((RegoString)arguments[0]!).Value[from..to]);
    }

    private static RegoString Text(string name, List<RegoValue?> arguments, Action<long> grow)
    {
        var values = arguments.Select(argument => argument ?? RegoNull.Value).ToArray();
        var text = name switch
        {
            "printf" when values is [RegoString format, ..] => GoPrintf.Format(format.Value, values.AsSpan(1), grow),
            "println" => string.Join(' ', arguments.Select(TemplateRun.Show)) + "\n",
            _ => Joined(arguments),
        };
        grow(6L * text.Length);
        return new RegoString(name switch
        {
            "html" => Replaced(text, c => c switch { '"' => "&#34;", '\'' => "&#39;", '&' => "&amp;", '<' => "&lt;", '>' => "&gt;", '\0' => "\uFFFD", _ => null }),
            "js" => Replaced(text, c => c switch { '\\' => "\\\\", '\'' => "\\'", '"' => "\\\"", '<' => "\\u003C", '>' => "\\u003E", '&' => "\\u0026", '=' => "\\u003D", < ' ' => $"\\u{(int)c:X4}", _ => null }),
            "urlquery" => Uri.EscapeDataString(RegoJson.WellFormed(text)).Replace("%20", "+", StringComparison.Ordinal),
            _ => text,
        });
    }

    /// <summary>Go's print: a space between two operands when neither is a text.</summary>
    private static string Joined(List<RegoValue?> arguments)
    {
        var text = new StringBuilder();
        for (var index = 0; index < arguments.Count; index++)
        {
            text.Append(index > 0 && arguments[index] is not RegoString && arguments[index - 1] is not RegoString ? " " : "");
            text.Append(TemplateRun.Show(arguments[index]));
        }

        return text.ToString();
    }

    private static string Replaced(string text, Func<char, string?> replacement)
    {
        var replaced = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            replaced.Append(replacement(c) ?? c.ToString());
        }

        return replaced.ToString();
    }
}

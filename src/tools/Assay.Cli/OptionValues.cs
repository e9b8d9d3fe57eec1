using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Assay.Cli;

/// <summary>What an option takes: a number between bounds, or one of some words. Whatever else is given is refused in one form of words, as a configuration's values are.</summary>
internal static class OptionValues
{
    /// <summary>Takes whole numbers between these bounds.</summary>
    public static T Within<T>(this T option, long least, long most)
        where T : Option
    {
        // The text itself: asked for a number, the library throws when the text is not a number.
        option.Validators.Add(result => Validate(result, option.Name, $"{Number(least, most)} is expected", text =>
            long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= least && number <= most));
        return option;
    }

    /// <summary>Takes these words.</summary>
    public static Option<T> OneOf<T>(this Option<T> option, params string[] words)
    {
        option.CompletionSources.Add(words);
        option.Validators.Add(result => Validate(result, option.Name, $"one of {string.Join(", ", words)} is expected", words.Contains));
        return option;
    }

    /// <summary>Takes these words.</summary>
    public static Argument<T> OneOf<T>(this Argument<T> argument, params string[] words)
    {
        argument.CompletionSources.Add(words);
        argument.Validators.Add(result => Validate(result, argument.Name, $"one of {string.Join(", ", words)} is expected", words.Contains));
        return argument;
    }

    /// <summary>How the bounds of a number are said.</summary>
    public static string Number(long least, long most) => most >= int.MaxValue ? $"a whole number from {least}" : $"a whole number from {least} to {most}";

    private static void Validate(SymbolResult result, string name, string expected, Func<string, bool> holds)
    {
        foreach (var token in result.Tokens.Where(token => !holds(token.Value)))
        {
            result.AddError($"{name}: {expected}, found \"{token.Value}\"");
        }
    }
}

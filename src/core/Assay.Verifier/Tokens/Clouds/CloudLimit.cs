using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Assay.Trust.Jose;
using Assay.Wire;

namespace Assay.Tokens.Clouds;

/// <summary>What a cloud takes in one field: how much of it, which characters, or which words.</summary>
public sealed record CloudLimit
{
    private const string LettersAndDigits = "letters, digits";

    private CloudLimit(CloudKind cloud, string field, string allowed, string source) => (Cloud, Field, Allowed, Source) = (cloud, field, allowed, source);

    /// <summary>Whose.</summary>
    public CloudKind Cloud { get; }

    /// <summary>Of what.</summary>
    public string Field { get; }

    /// <summary>What is allowed, in words.</summary>
    public string Allowed { get; }

    /// <summary>Where that is documented, or who decided it.</summary>
    public string Source { get; }

    internal int Least { get; private init; }

    internal int Most { get; private init; } = int.MaxValue;

    private bool InBytes { get; init; }

    internal ImmutableArray<string> Words { get; private init; } = [];

    // Beside ASCII letters and digits; null: every printable character of ASCII but space, comma, quotes, backslash, dollar and braces: lists, expressions and AWS's policy
    // variables are written with these.
    private string? Others { get; init; }

    private bool LowerCase { get; init; }

    /// <summary>Whether <paramref name="name"/> is one of the words: an algorithm, an audience.</summary>
    internal ParseFault? OfWord(string name) => Words.Contains(name) ? null : Fault($"\"{JwsText.Short(Printable.Of(name))}\"");

    /// <summary>Whether so many are allowed.</summary>
    internal ParseFault? OfCount(long found) => found < Least || found > Most ? Fault(found.ToString(CultureInfo.InvariantCulture)) : null;

    /// <summary>Whether a text is short enough, and has no other characters.</summary>
    internal ParseFault? OfText(string text)
    {
        var found = InBytes ? Encoding.UTF8.GetByteCount(text) : text.Length;
        var stranger = text.EnumerateRunes().Where(rune => !Takes(rune)).Select(rune => (Rune?)rune).FirstOrDefault();
        return found < Least || found > Most ? Fault(string.Create(CultureInfo.InvariantCulture, $"{found} {(InBytes ? "bytes" : "characters")}"))
            : stranger is { } rune ? Fault(string.Create(CultureInfo.InvariantCulture, $"the character U+{rune.Value:X4}"))
            : null;
    }

    internal static CloudLimit Count(CloudKind cloud, string field, int least, int most, string unit, string source) =>
        new(cloud, field, string.Create(CultureInfo.InvariantCulture, $"{(least == most ? $"{most}" : $"{least} to {most}")} {unit}"), source) { Least = least, Most = most };

    /// <summary>The words one of which is taken.</summary>
    internal static CloudLimit OneOf(CloudKind cloud, string field, string source, params ImmutableArray<string> words) => new(cloud, field, string.Join(", ", words), source) { Words = words };

    /// <summary>A text of printable ASCII.</summary>
    internal static CloudLimit Text(CloudKind cloud, string field, int least, int most, string source, bool inBytes = false) =>
        new(cloud, field, string.Create(CultureInfo.InvariantCulture, $"{least} to {most} {(inBytes ? "bytes" : "characters")} of ASCII"), source) { Least = least, Most = most, InBytes = inBytes };

    /// <summary>A text of letters, digits and a few others.</summary>
    internal static CloudLimit Name(CloudKind cloud, string field, int least, int most, string others, string source, bool lowerCase = false)
    {
        var shown = others.Contains(' ', StringComparison.Ordinal) ? $", space and {others.Trim()}" : others.Length > 0 ? $" and {others}" : "";
        return new(cloud, field, string.Create(CultureInfo.InvariantCulture, $"{least} to {most} characters: {(lowerCase ? "lower-case " : "")}{LettersAndDigits}{shown}"), source) { Least = least, Most = most, Others = others, LowerCase = lowerCase };
    }

    private bool Takes(Rune rune) =>
        rune.IsAscii && (char)rune.Value is var character && (Others is null ? character is > ' ' and <= '~' and not (',' or '"' or '\'' or '\\' or '`' or '$' or '{' or '}')
            : (char.IsAsciiLetterOrDigit(character) && !(LowerCase && char.IsAsciiLetterUpper(character))) || Others.Contains(character, StringComparison.Ordinal));

    private ParseFault Fault(string found) => new(Field, 0, $"{Cloud.Name()} takes {Allowed}, found {found}");
}

namespace Assay.Cli.Keys;

/// <summary>Names of keys, as the broker takes them.</summary>
internal static class KeyName
{
    /// <summary>What is expected, for messages.</summary>
    public const string Form = "1 to 64 of a-z, 0-9, hyphen and dot, the first and the last a letter or digit";

    private const int Longest = 64;

    /// <summary>Why no new key may have this name; null: one may.</summary>
    public static string? WhyNot(string name) =>
        WhyNotNamed(name) is { } why ? why : char.IsAsciiLetterOrDigit(name[0]) && char.IsAsciiLetterOrDigit(name[^1]) ? null : $"{Form}, is expected, found \"{name}\"";

    /// <summary>Why no key that was ever made can be asked for by this name; null: one can. Dots alone are taken out of addresses, and another key would be meant.</summary>
    public static string? WhyNotNamed(string name) =>
        name is { Length: > 0 and <= Longest } && name is not ("." or "..") && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.') ? null : $"{Form}, is expected, found \"{name}\"";
}

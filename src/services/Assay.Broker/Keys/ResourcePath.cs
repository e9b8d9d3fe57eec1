namespace Assay.Broker.Keys;

/// <summary>
/// The name of a resource in the KBS protocol: REPOSITORY/TYPE/TAG, each of letters, digits, <c>_</c> and <c>-</c>, and of <c>.</c> after the first character.
/// </summary>
public static class ResourcePath
{
    /// <summary>What is expected, for messages.</summary>
    public const string Expected = "REPOSITORY/TYPE/TAG is expected, each of a-z, A-Z, 0-9, _ and -, and of . after the first character, at most 256 characters together";

    private const int Longest = 256;
    private const int Parts = 3;

    /// <summary>Whether it is one.</summary>
    public static bool IsValid(string path) => path is { Length: > 0 and <= Longest } && path.Split('/') is { Length: Parts } parts && parts.All(IsPart);

    private static bool IsPart(string part) => part.Length > 0 && part[0] != '.' && part.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.');
}

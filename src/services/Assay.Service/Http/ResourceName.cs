namespace Assay.Service.Http;

/// <summary>Names that tenants give to policies and keys.</summary>
public static class ResourceName
{
    /// <summary>What is expected, for messages.</summary>
    public const string Expected = "1 to 64 of a-z, 0-9, hyphen and dot are expected, the first and the last a letter or digit";

    private const int Longest = 64;

    /// <summary>Whether something new may have this name. Clients take <c>.</c> and <c>..</c> out of addresses, and commands take a hyphen for an option.</summary>
    public static bool IsValid(string name) => WasValid(name) && char.IsAsciiLetterOrDigit(name[0]) && char.IsAsciiLetterOrDigit(name[^1]);

    /// <summary>Whether a database may have something of this name: once, names could begin and end with a hyphen or dot, too.</summary>
    public static bool WasValid(string name) => name is { Length: > 0 and <= Longest } && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.');
}

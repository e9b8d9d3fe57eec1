namespace Assay.Service.Http;

/// <summary>Names that tenants give to policies and keys.</summary>
public static class ResourceName
{
    /// <summary>What is expected, for messages.</summary>
    public const string Expected = "1 to 64 of a-z, 0-9, hyphen and dot are expected";

    /// <summary>Whether it is one.</summary>
    public static bool IsValid(string name) => name is { Length: > 0 and <= 64 } && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c is '-' or '.');
}

using System.CommandLine;
using Assay.Collateral.Http;

namespace Assay.Cli.Collateral;

/// <summary>
/// The words of every option that names a service for collateral: a URL, the manufacturer's name for its own service, or <c>none</c>.
/// </summary>
internal static class ServiceWords
{
    public const string Nvidia = "nvidia";
    public const string Intel = "intel";
    public const string Amd = "amd";

    /// <summary>The service is not asked, whatever another option or the default says.</summary>
    public const string None = "none";

    /// <summary>An option of commands that ask for nothing unless it is given.</summary>
    public static Option<string?> Optional(string name, string what, string word) => new(name) { Description = Description(what, word), HelpName = "URL" };

    /// <summary>An option of commands that ask the manufacturer unless it says otherwise.</summary>
    public static Option<string> WithDefault(string name, string what, string word) => new(name) { Description = Description(what, word), HelpName = "URL", DefaultValueFactory = _ => word };

    /// <summary>The address that is meant; null for <c>none</c>, and for a fault, which is told.</summary>
    /// <param name="option">Its name, for the fault.</param>
    /// <param name="text">Its value.</param>
    /// <param name="word">The manufacturer's word.</param>
    /// <param name="manufacturer">What the word names.</param>
    /// <param name="refuse">Takes id and message of the fault.</param>
    public static ServiceAddress? Read(string option, string text, string word, ServiceAddress? manufacturer, Action<string, string> refuse)
    {
        if (text == word || text == None)
        {
            return text == word ? manufacturer : null;
        }

        if (!ServiceAddress.TryParse(text, out var address, out var fault))
        {
            refuse("cli.url", $"{option}: {fault.Problem}; {Meaning(word)}");
        }

        return address;
    }

    private static string Description(string what, string word) => $"{what}; {Meaning(word)}";

    private static string Meaning(string word) => $"{word} names {word switch { Intel => "Intel's", Amd => "AMD's", _ => "NVIDIA's" }}, {None} asks no service";
}

using System.CommandLine;

namespace Assay.Cli;

/// <summary>Options that several commands share.</summary>
internal static class Options
{
    public const string Json = "json";

    public static Option<string> Format()
    {
        var format = new Option<string>("--format") { Description = "text for people, json for programs", DefaultValueFactory = _ => "text" };
        return format.OneOf("text", Json);
    }
}

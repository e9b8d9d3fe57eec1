using System.CommandLine;

namespace Assay.Cli;

/// <summary>A command that says in its help how it is used and what it returns: none is made without.</summary>
/// <param name="name">The word.</param>
/// <param name="description">What it does.</param>
/// <param name="exitCodes">What each code means; 70, an internal error, is every command's and is added.</param>
/// <param name="examples">Command lines for a shell; the parser accepts each.</param>
internal sealed class DescribedCommand(string name, string description, string exitCodes, IReadOnlyList<string> examples) : Command(name, description)
{
    /// <summary>Of a command that only holds others.</summary>
    public const string OfItsCommands = "2 no command is named; the help of each lists its own";

    public string ExitCodes => exitCodes;

    public IReadOnlyList<string> Examples => examples;

    /// <summary>Its options by what they are about, where there are too many for one list; empty: one list.</summary>
    public IReadOnlyList<(string Title, IReadOnlyList<Option> Options)> Groups { get; init; } = [];
}

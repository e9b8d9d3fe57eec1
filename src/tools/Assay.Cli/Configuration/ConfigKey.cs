using System.Collections.Immutable;
using System.CommandLine;

namespace Assay.Cli.Configuration;

/// <summary>What a value of a configuration must be.</summary>
internal enum ConfigKind
{
    /// <summary>Text as the option takes it.</summary>
    Text,

    /// <summary>A file or folder; a relative one is looked for beside the configuration.</summary>
    Path,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>true or false.</summary>
    Switch,

    /// <summary>One of some words.</summary>
    Word,

    /// <summary>A list of text.</summary>
    Texts,

    /// <summary>A list of files.</summary>
    Paths,

    /// <summary>A list of some words.</summary>
    Words,
}

/// <summary>One key of a configuration: the option whose value it states.</summary>
/// <param name="Path">Section and key, with a dot; a key alone at the top.</param>
/// <param name="Option">Whose value it is.</param>
/// <param name="Kind">What it must be.</param>
/// <param name="Description">One sentence for the schema and for the file that <c>assay init</c> writes.</param>
/// <param name="Example">As it is written in YAML.</param>
internal sealed record ConfigKey(string Path, Option Option, ConfigKind Kind, string Description, string Example)
{
    /// <summary>The words of <see cref="ConfigKind.Word"/> and <see cref="ConfigKind.Words"/>.</summary>
    public ImmutableArray<string> Allowed { get; init; } = [];

    public int Least { get; init; }

    public long Most { get; init; } = int.MaxValue;

    /// <summary>Whether the variable ASSAY_… of the option may set it too: addresses, folders and output alone.</summary>
    public bool MayBeVariable { get; init; }

    /// <summary>The value that the file of <c>assay init</c> states; null where it only mentions the key, with its example.</summary>
    public string? Stated { get; init; }

    /// <summary>What the value is called in an option that takes several with commas, as gpus in gpus=8; empty for a list of words with commas.</summary>
    public string? PartOf { get; init; }

    /// <summary>Options that answer the same question: one given by a flag takes the place of another that the file states.</summary>
    public string? Question { get; init; }

    /// <summary>Whether what an option says is added to what the file says: refusals, of which none may be lost.</summary>
    public bool AddsUp { get; init; }

    public bool IsList => Kind is ConfigKind.Texts or ConfigKind.Paths or ConfigKind.Words;

    public string Section => Path.Contains('.', StringComparison.Ordinal) ? Path.Split('.')[0] : "";

    public string Name => Path.Split('.')[^1];

    public string Variable => VariableOf(Option);

    /// <summary>What every variable of an option begins with.</summary>
    public const string VariablePrefix = "ASSAY_";

    public static string VariableOf(Option option) => VariablePrefix + option.Name.TrimStart('-').Replace('-', '_').ToUpperInvariant();
}

using System.Collections.Immutable;

namespace Assay.Service.Keys;

/// <summary>
/// A column with records under <see cref="KeyEncryptionKey"/>, and how the context of each follows from its row. Every such column is in the list of its role:
/// a re-wrap reads the lists, and a test compares them with the schema.
/// </summary>
/// <param name="Kind">What it holds, in words.</param>
/// <param name="Table">Where.</param>
/// <param name="Key">The primary key's columns.</param>
/// <param name="Column">Which.</param>
/// <param name="Context">From the values of the primary key and of <paramref name="More"/>, as text.</param>
public sealed record SealedColumn(string Kind, string Table, ImmutableArray<string> Key, string Column, Func<IReadOnlyList<string>, string> Context)
{
    /// <summary>Further columns that the context needs.</summary>
    public ImmutableArray<string> More { get; init; } = [];

    /// <summary>Whether each has a data encryption key of its own (<see cref="KeyEncryptionKey.SealSecretAsync"/>).</summary>
    public bool IsSecret { get; init; }
}

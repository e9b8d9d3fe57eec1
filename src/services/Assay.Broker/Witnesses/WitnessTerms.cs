using System.Collections.Immutable;
using Assay.Log;

namespace Assay.Broker.Witnesses;

/// <summary>What the witness role of a host is made of.</summary>
public sealed record WitnessTerms
{
    /// <summary>The witness's name, which its key carries for good: a URL without scheme and final slash.</summary>
    public required string Name { get; init; }

    /// <summary>The keys of the logs that it watches, by which their checkpoints are believed. The host disposes them.</summary>
    public required ImmutableArray<NoteKey> Logs { get; init; }
}

using System.Collections.Immutable;
using Assay.Wire;

namespace Assay.Policy;

/// <summary>The file that stated what was expected, so that a verdict can be compared with what its relying party agreed on.</summary>
/// <param name="Path">As it was given.</param>
/// <param name="Sha384">Of its bytes.</param>
/// <param name="Departures">Options and variables given beside it that may have replaced what it says, by name, sorted.</param>
public sealed record VerdictConfiguration(string Path, Digest Sha384, ImmutableArray<string> Departures);

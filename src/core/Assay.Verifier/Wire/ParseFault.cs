namespace Assay.Wire;

/// <summary>Why bytes made no sense, and how far reading had got. Names the field, never repeats its content.</summary>
/// <param name="Field">The field, in its specification's words.</param>
/// <param name="Offset">Bytes (or characters, in text) from the start of the structure.</param>
/// <param name="Problem">What is wrong, and what was expected.</param>
public sealed record ParseFault(string Field, int Offset, string Problem)
{
    /// <summary>The same fault, of a structure that stands at <paramref name="offset"/> of a larger one.</summary>
    internal ParseFault Within(string outer, int offset) => new($"{outer}.{Field}", checked(Offset + offset), Problem);

    /// <inheritdoc/>
    public override string ToString() => $"{Field}: {Problem} (stopped at byte {Offset})";
}

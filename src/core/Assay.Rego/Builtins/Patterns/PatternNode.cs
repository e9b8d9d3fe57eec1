namespace Assay.Rego.Builtins.Patterns;

/// <summary>A place in a text that a pattern can insist on without reading a character.</summary>
internal enum Assertion
{
    BeginText,
    EndText,
    BeginLine,
    EndLine,
    WordBoundary,
    NoWordBoundary,
}

/// <summary>A parsed pattern. Regular expressions and globs both become one of these, so one machine matches both.</summary>
internal abstract record PatternNode
{
    /// <summary>How many nodes lie one below another; bounded, since the compiler recurses.</summary>
    public int Height { get; protected init; } = 1;

    /// <summary>Whether the node can match the empty text.</summary>
    public abstract bool Nullable { get; }

    internal sealed record Empty : PatternNode
    {
        public override bool Nullable => true;
    }

    internal sealed record Characters(RuneSet Set) : PatternNode
    {
        public override bool Nullable => false;
    }

    internal sealed record Place(Assertion Assertion) : PatternNode
    {
        public override bool Nullable => true;
    }

    internal sealed record Sequence : PatternNode
    {
        public Sequence(PatternNode[] parts)
        {
            Parts = parts;
            Height = 1 + parts.Max(part => part.Height);
            Nullable = parts.All(part => part.Nullable);
        }

        public PatternNode[] Parts { get; }

        public override bool Nullable { get; }
    }

    internal sealed record Choice : PatternNode
    {
        public Choice(PatternNode[] options)
        {
            Options = options;
            Height = 1 + options.Max(option => option.Height);
            Nullable = options.Any(option => option.Nullable);
        }

        public PatternNode[] Options { get; }

        public override bool Nullable { get; }
    }

    /// <summary>A body at least and at most so many times (-1: no limit); lazy ones prefer fewer.</summary>
    internal sealed record Repeat : PatternNode
    {
        public Repeat(PatternNode body, int least, int most, bool lazy)
        {
            (Body, Least, Most, Lazy) = (body, least, most, lazy);
            Height = 1 + body.Height;
            Nullable = least == 0 || body.Nullable;
        }

        public PatternNode Body { get; }

        public int Least { get; }

        public int Most { get; }

        public bool Lazy { get; }

        public override bool Nullable { get; }
    }

    internal sealed record Group : PatternNode
    {
        public Group(PatternNode body, int index)
        {
            (Body, Index) = (body, index);
            Height = 1 + body.Height;
            Nullable = body.Nullable;
        }

        public PatternNode Body { get; }

        public int Index { get; }

        public override bool Nullable { get; }
    }
}

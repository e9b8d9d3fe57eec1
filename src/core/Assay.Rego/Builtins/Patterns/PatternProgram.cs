namespace Assay.Rego.Builtins.Patterns;

internal enum Operation : byte
{
    Character,
    Split,
    Jump,
    Save,
    Place,
    Match,
}

/// <summary>One step of the machine. <paramref name="Next"/> is preferred over <paramref name="Other"/>.</summary>
internal readonly record struct Instruction(Operation Operation, int Next, int Other, RuneSet? Set);

/// <summary>A pattern as a list of instructions for <see cref="PatternMachine"/>; at most <see cref="MaxInstructions"/> of them.</summary>
internal sealed class PatternProgram
{
    /// <summary>The automaton's size: counted repetitions are written out, so a short pattern may ask for a long program.</summary>
    public const int MaxInstructions = 50_000;

    private const long BytesOfInstruction = 24;

    private readonly List<Instruction> _code = [];
    private bool _tooLarge;

    private PatternProgram(int groups) => Groups = groups;

    public int Groups { get; }

    public IReadOnlyList<Instruction> Code => _code;

    /// <summary>About how much memory the program takes.</summary>
    public long Bytes => 64L + (BytesOfInstruction * _code.Count);

    /// <summary>Whether a match can start at the beginning of the text only.</summary>
    public bool Anchored { get; private init; }

    /// <summary>The code points that a match can start with; null if the pattern can match without reading one.</summary>
    public RuneSet? First { get; private init; }

    /// <summary>Compiles a pattern; null if the program would have more than <see cref="MaxInstructions"/> steps.</summary>
    public static PatternProgram? Compile(PatternNode node, int groups)
    {
        var program = new PatternProgram(groups) { Anchored = StartsAtBeginning(node), First = node.Nullable ? null : FirstOf(node) };
        program.Emit(new Instruction(Operation.Save, 1, 0, null));
        program.Write(node);
        program.Emit(new Instruction(Operation.Save, program._code.Count + 1, 1, null));
        program.Emit(new Instruction(Operation.Match, 0, 0, null));
        return program._tooLarge ? null : program;
    }

    private static bool StartsAtBeginning(PatternNode node) => node switch
    {
        PatternNode.Place place => place.Assertion is Assertion.BeginText,
        PatternNode.Sequence sequence => StartsAtBeginning(sequence.Parts[0]),
        PatternNode.Choice choice => choice.Options.All(StartsAtBeginning),
        PatternNode.Group group => StartsAtBeginning(group.Body),
        PatternNode.Repeat { Least: > 0 } repeat => StartsAtBeginning(repeat.Body),
        _ => false,
    };

    private static RuneSet? FirstOf(PatternNode node)
    {
        switch (node)
        {
            case PatternNode.Characters characters:
                return characters.Set;
            case PatternNode.Group group:
                return FirstOf(group.Body);
            case PatternNode.Repeat { Least: > 0 } repeat:
                return FirstOf(repeat.Body);
            case PatternNode.Sequence sequence:
                var part = sequence.Parts.First(p => p is not PatternNode.Place);
                return part.Nullable ? null : FirstOf(part);
            case PatternNode.Choice { Options.Length: <= 16 } choice:
                var all = RuneSet.Of();
                foreach (var option in choice.Options)
                {
                    if (FirstOf(option) is not { } set)
                    {
                        return null;
                    }

                    all = all.Union(set);
                }

                return all;
            default:
                return null;
        }
    }

    private int Emit(Instruction instruction)
    {
        if (_code.Count >= MaxInstructions)
        {
            _tooLarge = true;
            return 0;
        }

        _code.Add(instruction);
        return _code.Count - 1;
    }

    // Every fragment is entered at its first instruction and left by falling to the one after its last.
    private void Write(PatternNode node)
    {
        if (_tooLarge)
        {
            return;
        }

        switch (node)
        {
            case PatternNode.Characters characters:
                Emit(new Instruction(Operation.Character, _code.Count + 1, 0, characters.Set));
                break;
            case PatternNode.Place place:
                Emit(new Instruction(Operation.Place, _code.Count + 1, (int)place.Assertion, null));
                break;
            case PatternNode.Sequence sequence:
                foreach (var part in sequence.Parts)
                {
                    Write(part);
                }

                break;
            case PatternNode.Choice choice:
                WriteChoice(choice.Options);
                break;
            case PatternNode.Group group:
                Emit(new Instruction(Operation.Save, _code.Count + 1, 2 * group.Index, null));
                Write(group.Body);
                Emit(new Instruction(Operation.Save, _code.Count + 1, (2 * group.Index) + 1, null));
                break;
            case PatternNode.Repeat repeat:
                WriteRepeat(repeat);
                break;
            default:
                break;
        }
    }

    private void WriteChoice(PatternNode[] options)
    {
        var exits = new List<int>();
        for (var option = 0; option < options.Length; option++)
        {
            if (option == options.Length - 1)
            {
                Write(options[option]);
                break;
            }

            var split = Emit(default);
            Write(options[option]);
            exits.Add(Emit(default));
            Patch(split, new Instruction(Operation.Split, split + 1, _code.Count, null));
        }

        foreach (var exit in exits)
        {
            Patch(exit, new Instruction(Operation.Jump, _code.Count, 0, null));
        }
    }

    private void WriteRepeat(PatternNode.Repeat repeat)
    {
        var required = repeat.Most < 0 && repeat.Least > 0 ? repeat.Least - 1 : repeat.Least;
        for (var copy = 0; copy < required && !_tooLarge; copy++)
        {
            Write(repeat.Body);
        }

        if (repeat.Most < 0)
        {
            if (repeat.Least > 0)
            {
                WritePlus(repeat);
            }
            else
            {
                WriteStar(repeat);
            }

            return;
        }

        var skips = new List<int>();
        for (var copy = repeat.Least; copy < repeat.Most && !_tooLarge; copy++)
        {
            skips.Add(Emit(default));
            Write(repeat.Body);
        }

        foreach (var skip in skips)
        {
            Patch(skip, Branch(repeat.Lazy, skip + 1, _code.Count));
        }
    }

    private void WritePlus(PatternNode.Repeat repeat)
    {
        var start = _code.Count;
        Write(repeat.Body);
        var split = Emit(default);
        Patch(split, Branch(repeat.Lazy, start, split + 1));
    }

    private void WriteStar(PatternNode.Repeat repeat)
    {
        var skip = Emit(default);
        if (repeat.Body.Nullable)
        {
            // (x+)? keeps the order of preference when x can be empty, where a plain loop would not.
            WritePlus(repeat);
        }
        else
        {
            Write(repeat.Body);
            Emit(new Instruction(Operation.Jump, skip, 0, null));
        }

        Patch(skip, Branch(repeat.Lazy, skip + 1, _code.Count));
    }

    private static Instruction Branch(bool lazy, int into, int past) =>
        lazy ? new Instruction(Operation.Split, past, into, null) : new Instruction(Operation.Split, into, past, null);

    private void Patch(int at, Instruction instruction)
    {
        if (!_tooLarge)
        {
            _code[at] = instruction;
        }
    }
}

namespace Assay.Rego.Builtins.Patterns;

/// <summary>
/// Runs a <see cref="PatternProgram"/> over a text: all alternatives side by side, one code point at a time (Pike's machine),
/// so the time is at most text × program whatever the pattern. Prefers what Perl would prefer: leftmost, then first.
/// </summary>
internal sealed class PatternMachine
{
    // How many steps pass between two looks at the meter.
    private const int StepsPerCharge = 4096;

    private readonly PatternProgram _program;
    private readonly Instruction[] _code;
    private readonly string _text;
    private readonly Action<int> _charge;
    private readonly int _slots;
    private readonly Stack<(int Instruction, int[] Saved)> _pending = new();
    private ThreadList _now;
    private ThreadList _next;
    private int _steps;
    private bool _any;

    /// <param name="program">What to run.</param>
    /// <param name="text">The text to search.</param>
    /// <param name="captures">Whether the places of groups are wanted; without them a run is cheaper.</param>
    /// <param name="charge">Called with a number of steps now and then; may throw to stop.</param>
    public PatternMachine(PatternProgram program, string text, bool captures, Action<int> charge)
    {
        (_program, _code, _text, _charge) = (program, [.. program.Code], text, charge);
        _slots = captures ? 2 * program.Groups : 2;
        (_now, _next) = (new ThreadList(_code.Length), new ThreadList(_code.Length));
    }

    /// <summary>Whether there is a match anywhere; stops at the first sign of one.</summary>
    public bool IsMatch()
    {
        _any = true;
        return Find(0) is not null;
    }

    /// <summary>The places of the leftmost match from <paramref name="start"/> on: start and end of the whole, then of each group (-1: not taken part).</summary>
    public int[]? Find(int start)
    {
        int[]? matched = null;
        _now.Clear();
        var at = start;
        while (true)
        {
            var more = at < _text.Length;
            var (rune, width) = more ? (TextRunes.At(_text, at, out var w), w) : (-1, 0);
            if (matched is null && (!_program.Anchored || at == 0) && CanStart(rune))
            {
                Add(_now, 0, at, NewSlots());
            }

            if (_now.Count == 0 && (matched is not null || _program.Anchored))
            {
                break;
            }

            Count();
            matched = Advance(rune, at + width) ?? matched;
            if (!more || (_any && matched is not null))
            {
                break;
            }

            at += width;
            (_now, _next) = (_next, _now);
        }

        _charge(_steps);
        _steps = 0;
        return matched;
    }

    /// <summary>Every match that does not overlap an earlier one, at most <paramref name="limit"/> (negative: all).</summary>
    public IEnumerable<int[]> FindAll(int limit)
    {
        var (at, previousEnd, found) = (0, -1, 0);
        while (at <= _text.Length && (limit < 0 || found < limit))
        {
            var match = Find(at);
            if (match is null)
            {
                yield break;
            }

            var accepted = true;
            if (match[1] == at)
            {
                accepted = match[0] != previousEnd;
                at += at < _text.Length ? Width(at) : 1;
            }
            else
            {
                at = match[1];
            }

            previousEnd = match[1];
            if (accepted)
            {
                found++;
                yield return match;
            }
        }
    }

    private bool CanStart(int rune) => _program.First is not { } first || (rune >= 0 && first.Contains(rune));

    private int Width(int at)
    {
        TextRunes.At(_text, at, out var width);
        return width;
    }

    private int[] NewSlots()
    {
        var slots = new int[_slots];
        Array.Fill(slots, -1);
        return slots;
    }

    /// <summary>Moves every thread over one code point; the slots of the most preferred thread that had matched before it, if any.</summary>
    private int[]? Advance(int rune, int after)
    {
        _next.Clear();
        for (var index = 0; index < _now.Count; index++)
        {
            var (at, saved) = _now[index];
            var instruction = _code[at];
            Count();
            if (instruction.Operation is Operation.Match)
            {
                // Threads after this one are less preferred: they are cut off.
                return saved;
            }

            if (rune >= 0 && instruction.Set!.Contains(rune))
            {
                Add(_next, instruction.Next, after, saved);
            }
        }

        return null;
    }

    private void Count()
    {
        if (++_steps >= StepsPerCharge)
        {
            _charge(_steps);
            _steps = 0;
        }
    }

    /// <summary>Follows everything that reads no character, in order of preference.</summary>
    private void Add(ThreadList list, int start, int at, int[] slots)
    {
        _pending.Push((start, slots));
        while (_pending.TryPop(out var top))
        {
            var (index, saved) = top;
            if (!list.TryVisit(index))
            {
                continue;
            }

            Count();
            var instruction = _code[index];
            switch (instruction.Operation)
            {
                case Operation.Jump:
                    _pending.Push((instruction.Next, saved));
                    break;
                case Operation.Split:
                    _pending.Push((instruction.Other, saved));
                    _pending.Push((instruction.Next, saved));
                    break;
                case Operation.Save when instruction.Other < _slots:
                    var copy = (int[])saved.Clone();
                    copy[instruction.Other] = at;
                    _pending.Push((instruction.Next, copy));
                    break;
                case Operation.Save:
                    _pending.Push((instruction.Next, saved));
                    break;
                case Operation.Place:
                    if (Holds((Assertion)instruction.Other, at))
                    {
                        _pending.Push((instruction.Next, saved));
                    }

                    break;
                default:
                    list.Append(index, saved);
                    break;
            }
        }
    }

    private bool Holds(Assertion assertion, int at) => assertion switch
    {
        Assertion.BeginText => at == 0,
        Assertion.EndText => at == _text.Length,
        Assertion.BeginLine => at == 0 || _text[at - 1] == '\n',
        Assertion.EndLine => at == _text.Length || _text[at] == '\n',
        Assertion.WordBoundary => IsWordAt(at - 1) != IsWordAt(at),
        _ => IsWordAt(at - 1) == IsWordAt(at),
    };

    private bool IsWordAt(int at) =>
        at >= 0 && at < _text.Length && (char.IsAsciiLetterOrDigit(_text[at]) || _text[at] == '_');

    /// <summary>Threads in order of preference, each instruction at most once.</summary>
    private sealed class ThreadList(int size)
    {
        private readonly int[] _visited = new int[size];
        private readonly (int Instruction, int[] Saved)[] _threads = new (int, int[])[size];
        private int _generation = 1;

        public int Count { get; private set; }

        public (int Instruction, int[] Saved) this[int index] => _threads[index];

        public bool TryVisit(int instruction)
        {
            if (_visited[instruction] == _generation)
            {
                return false;
            }

            _visited[instruction] = _generation;
            return true;
        }

        public void Append(int instruction, int[] saved) => _threads[Count++] = (instruction, saved);

        public void Clear()
        {
            Count = 0;
            _generation++;
        }
    }
}

using Assay.Rego.Values;

namespace Assay.Rego.Evaluation;

/// <summary>
/// Which of a document's rules can hold, told by one value that many of them compare with a constant: the work of an
/// evaluation does not grow with the number of rules that cannot.
/// </summary>
internal sealed class RuleIndex(Expression key, Dictionary<RegoValue, int[]> byValue, int[] always)
{
    /// <summary>The rules to ask, in their order.</summary>
    public Candidates For(Run run, int frame) =>
        key.Evaluate(run, frame) is { } value && byValue.TryGetValue(value, out var listed) ? new(listed, always) : new([], always);

    /// <summary>Two ascending lists, merged.</summary>
    public struct Candidates
    {
        private readonly int[]? _listed;
        private readonly int[]? _always;
        private readonly int _count;
        private int _fromListed;
        private int _fromAlways;

        public Candidates(int count) => _count = count;

        public Candidates(int[] listed, int[] always) => (_listed, _always) = (listed, always);

        public bool Next(out int rule)
        {
            if (_listed is null)
            {
                rule = _fromAlways++;
                return rule < _count;
            }

            var (a, b) = (_fromListed < _listed.Length ? _listed[_fromListed] : int.MaxValue, _fromAlways < _always!.Length ? _always[_fromAlways] : int.MaxValue);
            rule = Math.Min(a, b);
            _fromListed += a < b ? 1 : 0;
            _fromAlways += b < a ? 1 : 0;
            return rule != int.MaxValue;
        }
    }
}

using Assay.Rego.Metering;

namespace Assay.Rego.Values;

/// <summary>OPA's order for sorting, with every few comparisons counted as a step. One per sort.</summary>
internal sealed class CountedOrder : IComparer<RegoValue>
{
    private const int ComparisonsPerStep = 8;

    private int _comparisons;

    public int Compare(RegoValue? x, RegoValue? y)
    {
        if (++_comparisons % ComparisonsPerStep == 0)
        {
            Work.Tick(1);
        }

        return x is null ? (y is null ? 0 : -1) : x.CompareTo(y);
    }
}

namespace Assay.Rego.Values;

/// <summary>
/// Finds values in a sorted array of distinct ones: small arrays by looking, larger ones by an index of hashes that is made
/// on the first search. Two threads may make it at once; both make the same.
/// </summary>
internal sealed class HashIndex(RegoValue[] keys)
{
    private const int SearchedByLooking = 8;

    private int[]? _buckets;

    public int Find(RegoValue key)
    {
        if (keys.Length <= SearchedByLooking)
        {
            for (var i = 0; i < keys.Length; i++)
            {
                if (keys[i].Equals(key))
                {
                    return i;
                }
            }

            return -1;
        }

        var buckets = _buckets ??= Build(keys);
        var mask = buckets.Length - 1;
        for (var slot = key.GetHashCode() & mask; buckets[slot] != 0; slot = (slot + 1) & mask)
        {
            var position = buckets[slot] - 1;
            if (keys[position].Equals(key))
            {
                return position;
            }
        }

        return -1;
    }

    private static int[] Build(RegoValue[] keys)
    {
        var size = 16;
        while (size < keys.Length * 2)
        {
            size *= 2;
        }

        var buckets = new int[size];
        for (var i = 0; i < keys.Length; i++)
        {
            var slot = keys[i].GetHashCode() & (size - 1);
            while (buckets[slot] != 0)
            {
                slot = (slot + 1) & (size - 1);
            }

            buckets[slot] = i + 1;
        }

        return buckets;
    }
}

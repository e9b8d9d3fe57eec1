namespace Assay.Cli.Verify;

/// <summary>Numbers of devices, for people: 8, 9, 10 and 12 are "8–10, 12".</summary>
internal static class DeviceRanges
{
    public static string Of(IEnumerable<int> devices)
    {
        int[] sorted = [.. devices.Distinct().Order()];
        var parts = new List<string>();
        for (var first = 0; first < sorted.Length;)
        {
            var last = first;
            while (last + 1 < sorted.Length && sorted[last + 1] == sorted[last] + 1)
            {
                last++;
            }

            parts.Add(first == last ? $"{sorted[first]}" : $"{sorted[first]}–{sorted[last]}");
            first = last + 1;
        }

        return string.Join(", ", parts);
    }
}

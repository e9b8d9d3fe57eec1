namespace Assay.Tests;

/// <summary>xorshift64*: numbers of chance that are the same in every run, so that a failure names the seed that repeats it.</summary>
internal sealed class Seeded
{
    private ulong _state;

    // Zero would stay zero for ever; the multiplication sets neighbouring seeds apart.
    public Seeded(ulong seed) => _state = unchecked((seed + 1) * 0x9E3779B97F4A7C15) | 1;

    public ulong Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return unchecked(_state * 0x2545F4914F6CDD1D);
    }

    /// <summary>0 to <paramref name="limit"/> − 1; 0 when there is no room.</summary>
    public int Below(int limit) => limit <= 1 ? 0 : (int)((Next() >> 11) % (ulong)limit);

    public byte Byte() => (byte)(Next() >> 56);

    public byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        for (var index = 0; index < count; index++)
        {
            bytes[index] = Byte();
        }

        return bytes;
    }
}

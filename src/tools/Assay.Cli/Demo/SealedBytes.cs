using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;

namespace Assay.Cli.Demo;

/// <summary>A sealed file as somebody sees it who has no key of it (docs/reference/sealing.md, "Sealed files"), and what he can do to it.</summary>
internal sealed class SealedBytes(byte[] file)
{
    private const int Framing = 8 + 4;
    private const int Salt = 24;
    private const int Commitment = 32;
    private const int Chunk = 16384 + 16;

    private int Header => Framing + LengthAt(0) + Framing;

    private int Body => Header + LengthAt(Framing + LengthAt(0)) + Salt + Commitment;

    /// <summary>One bit of the second chunk is flipped.</summary>
    public byte[] WithBitFlipped()
    {
        var changed = (byte[])file.Clone();
        changed[Body + Chunk + 1] ^= 1;
        return changed;
    }

    /// <summary>The first two chunks change places.</summary>
    public byte[] WithChunksSwapped() => [.. file[..Body], .. file[(Body + Chunk)..(Body + (2 * Chunk))], .. file[Body..(Body + Chunk)], .. file[(Body + (2 * Chunk))..]];

    /// <summary>Only the first two chunks are left.</summary>
    public byte[] Cut() => file[..(Body + (2 * Chunk))];

    /// <summary>The same, with the header's size and an end that agree with it.</summary>
    public byte[] CutWithHeader(int size)
    {
        byte[] cut = [.. Cut(), .. new byte[16]];
        Replace(cut.AsSpan(Header..Body), $"\"size\":\"{size}\"", $"\"size\":\"{2 * 16384}\"");
        return cut;
    }

    /// <summary>Its list says that the data key was wrapped for another key.</summary>
    public byte[] ForKey(string own, string other)
    {
        var changed = (byte[])file.Clone();
        var list = changed.AsSpan(Framing..(Framing + LengthAt(0)));
        // The only key, in compact form: its header begins behind {"keys":[" and ends at the first dot.
        var begin = list.IndexOf("[\""u8) + 2;
        var header = Encoding.ASCII.GetString(list[begin..(begin + list[begin..].IndexOf((byte)'.'))]);
        var renamed = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(header)).Replace(own, other, StringComparison.Ordinal);
        Replace(list, header, Base64Url.EncodeToString(Encoding.UTF8.GetBytes(renamed)));
        return changed;
    }

    private int LengthAt(int start) => BinaryPrimitives.ReadInt32BigEndian(file.AsSpan(start + 8));

    // By a text of the same length: no length changes.
    private static void Replace(Span<byte> within, string text, string by) => Encoding.ASCII.GetBytes(by).CopyTo(within[within.IndexOf(Encoding.ASCII.GetBytes(text))..]);
}

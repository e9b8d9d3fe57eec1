using System.Globalization;
using System.Text.RegularExpressions;

namespace Assay.Tests.Sealing;

/// <summary>The memory of another process, or a core of it, searched for any 16 bytes in a row of a secret, in either byte order.</summary>
internal static partial class ProcessMemory
{
    private const int Window = 16;
    private const int Piece = 4 << 20;

    public static byte[] Read(int process, ulong address, int length)
    {
        using var memory = Open(process);
        memory.Position = (long)address;
        var bytes = new byte[length];
        memory.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>The addresses at which a window of a secret begins.</summary>
    public static IReadOnlyList<ulong> Find(int process, byte[][] secrets)
    {
        var windows = WindowsOf(secrets);
        var found = new List<ulong>();
        using var memory = Open(process);
        foreach (var area in File.ReadAllLines($"/proc/{process}/maps").Select(AreaOf).Where(area => area is { IsReadable: true }))
        {
            for (var start = area!.Start; start < area.End; start += Piece - Window)
            {
                var piece = new byte[Math.Min(Piece, area.End - start)];
                memory.Position = unchecked((long)start);
                try
                {
                    memory.ReadExactly(piece);
                }
                // Pages of devices and of the kernel have no content.
                catch (IOException)
                {
                    break;
                }

                found.AddRange(In(piece, windows).Select(at => start + (ulong)at));
            }
        }

        return found;
    }

    /// <summary>What is mapped and locked (VmFlags "lo" of proc(5)), and left out of dumps ("dd").</summary>
    public static IReadOnlyList<Mapping> Locked(int process)
    {
        var locked = new List<Mapping>();
        Mapping? area = null;
        foreach (var line in File.ReadLines($"/proc/{process}/smaps"))
        {
            area = AreaOf(line) ?? area;
            if (line.StartsWith("VmFlags:", StringComparison.Ordinal) && line.Split(' ') is var flags && flags.Contains("lo") && flags.Contains("dd"))
            {
                locked.Add(area!);
            }
        }

        return locked;
    }

    /// <summary>Writes into the memory of another process, as a careless line of its own code would: into zeros at the end of its heap. Returns where.</summary>
    public static ulong Plant(int process, byte[] bytes)
    {
        var heap = AreaOf(File.ReadLines($"/proc/{process}/maps").Single(line => line.EndsWith("[heap]", StringComparison.Ordinal)))!;
        var content = Read(process, heap.Start, (int)(heap.End - heap.Start));
        var at = content.AsSpan().LastIndexOf(new byte[bytes.Length]);
        Assert.True(at >= 0);
        using var memory = new FileStream($"/proc/{process}/mem", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
        memory.Position = (long)heap.Start + at;
        memory.Write(bytes);
        return heap.Start + (ulong)at;
    }

    /// <summary>Whether a file has a window of a secret.</summary>
    public static bool Holds(string file, byte[][] secrets)
    {
        var windows = WindowsOf(secrets);
        using var stream = File.OpenRead(file);
        var (piece, kept) = (new byte[Piece], 0);
        for (int read; (read = stream.Read(piece, kept, piece.Length - kept)) > 0;)
        {
            if (In(piece.AsSpan(0, kept + read).ToArray(), windows).Any())
            {
                return true;
            }

            kept = Math.Min(Window - 1, kept + read);
            piece.AsSpan(piece.Length - kept, kept).CopyTo(piece);
        }

        return false;
    }

    public static Mapping? AreaOf(string line) => AreaLine().Match(line) is { Success: true } match
        ? new Mapping(ulong.Parse(match.Groups[1].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture), ulong.Parse(match.Groups[2].ValueSpan, NumberStyles.HexNumber, CultureInfo.InvariantCulture), match.Groups[3].Value is "r")
        : null;

    internal sealed record Mapping(ulong Start, ulong End, bool IsReadable)
    {
        public bool Has(ulong address) => address >= Start && address < End;
    }

    private static FileStream Open(int process) => new($"/proc/{process}/mem", FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);

    // By the first eight bytes; zeros and the like are no secret's.
    private static Dictionary<ulong, List<UInt128>> WindowsOf(byte[][] secrets)
    {
        var windows = new Dictionary<ulong, List<UInt128>>();
        foreach (var secret in secrets)
        {
            var reversed = (byte[])secret.Clone();
            Array.Reverse(reversed);
            foreach (var bytes in (byte[][])[secret, reversed])
            {
                for (var at = 0; at + Window <= bytes.Length; at++)
                {
                    var key = BitConverter.ToUInt64(bytes, at);
                    windows.TryAdd(key, []);
                    windows[key].Add(System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(bytes.AsSpan(at)));
                }
            }
        }

        return windows;
    }

    private static IEnumerable<int> In(byte[] piece, Dictionary<ulong, List<UInt128>> windows)
    {
        for (var at = 0; at + Window <= piece.Length; at++)
        {
            if (windows.TryGetValue(BitConverter.ToUInt64(piece, at), out var candidates) && candidates.Contains(System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(piece.AsSpan(at))))
            {
                yield return at;
            }
        }
    }

    [GeneratedRegex("^([0-9a-f]+)-([0-9a-f]+) (.)")]
    private static partial Regex AreaLine();
}

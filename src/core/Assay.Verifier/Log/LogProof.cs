using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// A file that shows, without asking anybody, that an entry is in a log (C2SP tlog-proof): <c>c2sp.org/tlog-proof@v1</c>, <c>index N</c>, a hash a line from
/// leaf to root, an empty line, and a signed checkpoint.
/// </summary>
/// <param name="Index">Where the entry is.</param>
/// <param name="Path">The hashes.</param>
/// <param name="Checkpoint">The signed note, as it came.</param>
public sealed record LogProof(long Index, ImmutableArray<Digest> Path, string Checkpoint)
{
    private const string Header = "c2sp.org/tlog-proof@v1\n";
    private const int MostBytes = 128 * 1024;
    internal const int MostHashes = 63;

    /// <summary>The file.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Header}index {Index}\n{string.Concat(Path.Select(hash => Convert.ToBase64String(hash.Bytes) + "\n"))}\n{Checkpoint}");

    /// <summary>Reads a file. A line of extra data, which nothing authenticates, is refused. Nothing is verified yet.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out LogProof? proof, [NotNullWhen(false)] out ParseFault? fault)
    {
        proof = null;
        fault = new ParseFault("proof", 0, $"{Header.TrimEnd()}, an index, hashes, an empty line and a checkpoint of at most {MostBytes} bytes are expected");
        if (source.Length > MostBytes || !source.StartsWith(Encoding.UTF8.GetBytes(Header)))
        {
            return false;
        }

        var end = source.IndexOf("\n\n"u8);
        if (end < Header.Length)
        {
            return false;
        }

        var lines = Encoding.UTF8.GetString(source[Header.Length..end]).Split('\n');
        if (!lines[0].StartsWith("index ", StringComparison.Ordinal) || !long.TryParse(lines[0]["index ".Length..], NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            || lines[0] != string.Create(CultureInfo.InvariantCulture, $"index {index}") || index >= Merkle.MostLeaves || lines.Length - 1 > MostHashes)
        {
            fault = new ParseFault("index", Header.Length, $"a decimal number below 2^53 without leading zeros is expected, and at most {MostHashes} hashes");
            return false;
        }

        if (!TryPath(lines.AsSpan(1), out var path))
        {
            fault = new ParseFault("path", Header.Length, "32 bytes in base64 a line are expected");
            return false;
        }

        fault = null;
        proof = new LogProof(index, path, Encoding.UTF8.GetString(source[(end + 2)..]));
        return true;
    }

    /// <summary>Hashes in base64, one a line.</summary>
    internal static bool TryPath(ReadOnlySpan<string> lines, out ImmutableArray<Digest> path)
    {
        var read = ImmutableArray.CreateBuilder<Digest>(lines.Length);
        foreach (var line in lines)
        {
            if (!StrictBase64.TryDecode(Encoding.UTF8.GetBytes(line), out var hash) || hash.Length != Merkle.HashSize)
            {
                path = [];
                return false;
            }

            read.Add(new Digest(hash));
        }

        path = read.ToImmutable();
        return true;
    }

    /// <summary>Whether the entry is in the log of this key, as its checkpoint was when the proof was made.</summary>
    public bool TryVerify(ReadOnlySpan<byte> entry, NoteKey log, [NotNullWhen(true)] out Checkpoint? checkpoint, [NotNullWhen(false)] out ParseFault? fault)
    {
        if (!Log.Checkpoint.TryVerify(Encoding.UTF8.GetBytes(Checkpoint), log, out checkpoint, out fault))
        {
            return false;
        }

        if (!Merkle.Includes(Index, checkpoint.Size, Merkle.Leaf(entry), Path, checkpoint.Root))
        {
            (checkpoint, fault) = (null, new ParseFault("path", 0, "it does not lead from this entry to the checkpoint's root"));
            return false;
        }

        return true;
    }
}

using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Assay.Wire;

namespace Assay.Log;

/// <summary>
/// What a log asks a witness (C2SP tlog-witness, add-checkpoint): a line <c>old SIZE</c>, the hashes of the consistency proof from that size, one in base64 a
/// line, an empty line, and the checkpoint.
/// </summary>
/// <param name="Old">The size of the checkpoint that the witness saw last; 0: none.</param>
/// <param name="Path">The proof that the log extends it.</param>
/// <param name="Checkpoint">A signed note.</param>
public sealed record WitnessRequest(long Old, ImmutableArray<Digest> Path, string Checkpoint)
{
    private const string Start = "old ";
    private const int MostBytes = 72 * 1024;

    /// <summary>The body of the request.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Start}{Old}\n{string.Concat(Path.Select(hash => Convert.ToBase64String(hash.Bytes) + "\n"))}\n{Checkpoint}");

    /// <summary>Reads a body. Nothing is verified yet.</summary>
    public static bool TryParse(ReadOnlySpan<byte> source, [NotNullWhen(true)] out WitnessRequest? request, [NotNullWhen(false)] out ParseFault? fault)
    {
        request = null;
        fault = new ParseFault("request", 0, $"old and a size, hashes, an empty line and a checkpoint of at most {MostBytes} bytes are expected");
        var end = source.Length <= MostBytes && source.StartsWith("old "u8) ? source.IndexOf("\n\n"u8) : -1;
        if (end < 0)
        {
            return false;
        }

        var lines = Encoding.UTF8.GetString(source[Start.Length..end]).Split('\n');
        if (!long.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out var old) || lines[0] != old.ToString(CultureInfo.InvariantCulture) || old > Merkle.MostLeaves || lines.Length - 1 > LogProof.MostHashes)
        {
            fault = new ParseFault("old", 0, $"a decimal number below 2^53 without leading zeros is expected, and at most {LogProof.MostHashes} hashes");
            return false;
        }

        if (!LogProof.TryPath(lines.AsSpan(1), out var path))
        {
            fault = new ParseFault("path", Start.Length, "32 bytes in base64 a line are expected");
            return false;
        }

        fault = null;
        request = new WitnessRequest(old, path, Encoding.UTF8.GetString(source[(end + 2)..]));
        return true;
    }
}

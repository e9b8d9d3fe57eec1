using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;
using Assay.Wire;

namespace Assay.Log;

/// <summary>What a log is at one moment (C2SP tlog-checkpoint): as text three lines, origin, size and root in base64.</summary>
/// <param name="Origin">Which log: a URL without scheme and final slash, and the name of its key.</param>
/// <param name="Size">How many entries.</param>
/// <param name="Root">The root of its tree.</param>
public sealed record Checkpoint(string Origin, long Size, Digest Root)
{
    /// <summary>What is signed.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{Convert.ToBase64String(Root.Bytes)}\n");

    /// <summary>Reads a checkpoint that the log's key signed. Lines behind the root are refused: our logs have none.</summary>
    /// <param name="note">A signed note.</param>
    /// <param name="log">The key of the log that is meant; its name is the origin.</param>
    /// <param name="checkpoint">The checkpoint.</param>
    /// <param name="fault">What is wrong with it.</param>
    public static bool TryVerify(ReadOnlySpan<byte> note, NoteKey log, [NotNullWhen(true)] out Checkpoint? checkpoint, [NotNullWhen(false)] out ParseFault? fault)
    {
        ArgumentNullException.ThrowIfNull(log);
        checkpoint = null;
        if (!SignedNote.TryParse(note, out var signed, out fault))
        {
            return false;
        }

        if (!signed.IsSignedBy(log))
        {
            fault = new ParseFault("checkpoint", 0, $"no valid signature of {Printable.Of(log.ToString())}");
            return false;
        }

        return TryParse(signed.Text, log.Name, out checkpoint, out fault);
    }

    private static bool TryParse(string text, string origin, [NotNullWhen(true)] out Checkpoint? checkpoint, [NotNullWhen(false)] out ParseFault? fault)
    {
        checkpoint = null;
        var lines = text.Split('\n');
        fault = lines.Length != 4 || lines[3].Length > 0 ? new ParseFault("checkpoint", 0, "origin, size and root, a line each, are expected")
            : lines[0] != origin ? new ParseFault("origin", 0, "it is another log's")
            : !long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size) || size > Merkle.MostLeaves || lines[1] != size.ToString(CultureInfo.InvariantCulture) ? new ParseFault("size", 0, "a decimal number below 2^53 without leading zeros is expected")
            : !StrictBase64.TryDecode(Encoding.UTF8.GetBytes(lines[2]), out var root) || root.Length != Merkle.HashSize ? new ParseFault("root", 0, "32 bytes in base64 are expected")
            : size == 0 && new Digest(root) != Merkle.Empty ? new ParseFault("root", 0, "that of the empty tree is expected for size 0")
            : Made(new Checkpoint(origin, size, new Digest(root)), out checkpoint);
        return checkpoint is not null;
    }

    private static ParseFault? Made(Checkpoint made, out Checkpoint checkpoint)
    {
        checkpoint = made;
        return null;
    }
}

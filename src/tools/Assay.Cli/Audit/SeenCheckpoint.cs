using System.Security.Cryptography;
using System.Text;
using Assay.Log;

namespace Assay.Cli.Audit;

/// <summary>The checkpoint that was seen last, in a file: what a log may never contradict.</summary>
internal static class SeenCheckpoint
{
    private const int MostBytes = 64 * 1024;

    /// <summary>Null where nothing was seen yet.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="LogInputException">It is no checkpoint of this log.</exception>
    public static Checkpoint? Read(string option, string path, NoteKey key)
    {
        if (!File.Exists(path))
        {
            return null;
        }

        if (!InputFile.TryRead(path, MostBytes, out var bytes, out var whyNot))
        {
            throw new IOException(whyNot);
        }

        return Checkpoint.TryVerify(bytes, key, out var seen, out var fault) ? seen : throw new LogInputException("cli.file", $"{option}: {path} has no checkpoint that the key {key.Name} of --log-key signed: {fault}. Name a file that this command wrote for this log, or one that does not exist to begin with");
    }

    /// <summary>Never half a checkpoint.</summary>
    public static void Write(string path, string note)
    {
        var part = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}.part";
        try
        {
            using (var stream = new FileStream(part, FileMode.CreateNew, FileAccess.Write))
            {
                stream.Write(Encoding.UTF8.GetBytes(note));
                stream.Flush(flushToDisk: true);
            }

            File.Move(part, path, overwrite: true);
        }
        finally
        {
            File.Delete(part);
        }
    }
}

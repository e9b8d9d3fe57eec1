using System.Diagnostics.CodeAnalysis;
using Assay.Collateral.Files;
using Assay.Wire;

namespace Assay.Cli;

/// <summary>Reads a file, or standard input for <c>-</c>, up to a size.</summary>
internal static class InputFile
{
    // What the shell opened for this process, as for <(command): reading it may wait as standard input does, opening it does not.
    private static readonly string[] s_opened = ["/dev/stdin", "/dev/fd/", "/proc/self/fd/"];

    public static string NameOf(string path) => path == "-" ? "standard input" : Path.GetFileName(path);

    /// <summary>What a file says: a byte order mark at its start is left out.</summary>
    public static bool TryRead(string path, int most, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? whyNot)
    {
        if (!TryReadEveryByte(path, most, out bytes, out whyNot))
        {
            return false;
        }

        bytes = FileText.WithoutMark(bytes) is var bare && bare.Length < bytes.Length ? bare.ToArray() : bytes;
        whyNot = WhyEmpty(path, bytes);
        return bytes.Length > 0;
    }

    /// <summary>What sha384sum reads: where a digest of the file is told to people, who compare it.</summary>
    public static bool TryReadEveryByte(string path, int most, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? whyNot)
    {
        bytes = null;
        if (path.Length == 0 || Directory.Exists(path))
        {
            whyNot = path.Length == 0 ? "the file name is empty (an unset variable?)" : $"{path}: is a folder, a file is expected";
            return false;
        }

        try
        {
            using var stream = path == "-" ? Console.OpenStandardInput() : Open(path);
            // As long as the file says: a buffer that grows holds it twice.
            using var buffer = new MemoryStream(stream.CanSeek ? (int)Math.Min(stream.Length, most) : 0);
            var chunk = new byte[64 * 1024];
            int read;
            while ((read = stream.Read(chunk)) > 0)
            {
                if (buffer.Length + read > most)
                {
                    whyNot = $"{path}: larger than {most} bytes";
                    return false;
                }

                buffer.Write(chunk, 0, read);
            }

            bytes = buffer.Length == buffer.Capacity ? buffer.GetBuffer() : buffer.ToArray();
            whyNot = WhyEmpty(path, bytes);
            return bytes.Length > 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // ArgumentException: not a path, for example the empty text of an unset variable, or a NUL.
            whyNot = $"{path}: {(exception is FileNotFoundException or DirectoryNotFoundException ? "no such file" : exception.Message)}";
            return false;
        }
    }

    private static string? WhyEmpty(string path, byte[] bytes) => bytes.Length == 0 ? $"{NameOf(path)}: is empty" : null;

    /// <summary>Whether it is a stream, of which a second reading has nothing.</summary>
    public static bool IsReadOnce(string path) => path == "-" || Array.Exists(s_opened, start => path.StartsWith(start, StringComparison.Ordinal));

    /// <summary>Opens a file, or what the shell opened; a pipe that has a name is refused with an <see cref="IOException"/>.</summary>
    public static FileStream Open(string path) =>
        IsReadOnce(path) ? File.OpenRead(path) : BoundedFile.Open(path);
}

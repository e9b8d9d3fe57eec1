using System.Diagnostics.CodeAnalysis;

namespace Assay.Cli;

/// <summary>Reads a file, or standard input for <c>-</c>, up to a size.</summary>
internal static class InputFile
{
    public static string NameOf(string path) => path == "-" ? "standard input" : Path.GetFileName(path);

    public static bool TryRead(string path, int most, [NotNullWhen(true)] out byte[]? bytes, [NotNullWhen(false)] out string? whyNot)
    {
        bytes = null;
        if (path.Length == 0 || Directory.Exists(path))
        {
            whyNot = path.Length == 0 ? "the name of a file is empty, as of a variable that is not set" : $"{path}: is a folder, a file is expected";
            return false;
        }

        try
        {
            using var stream = path == "-" ? Console.OpenStandardInput() : File.OpenRead(path);
            using var buffer = new MemoryStream();
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

            bytes = buffer.ToArray();
            whyNot = bytes.Length == 0 ? $"{NameOf(path)}: is empty" : null;
            return bytes.Length > 0;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // The last for paths that are none: empty, as of an unset variable, or with a NUL.
            whyNot = $"{path}: {(exception is FileNotFoundException or DirectoryNotFoundException ? "no such file" : exception.Message)}";
            return false;
        }
    }
}

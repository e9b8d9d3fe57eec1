using System.Diagnostics.CodeAnalysis;

namespace Assay.Collateral;

/// <summary>Files of folders that others may write to: read to a bound, whatever length they claim.</summary>
internal static class BoundedFile
{
    /// <summary>Whether nothing stands there. What may not be looked at, a folder and a broken link are something.</summary>
    public static bool IsAbsent(string path)
    {
        try
        {
            _ = File.GetAttributes(path);
            return false;
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            return true;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>The content, or why there is none.</summary>
    public static bool TryRead(string path, int most, out ReadOnlyMemory<byte> bytes, [NotNullWhen(false)] out string? whyNot)
    {
        (bytes, whyNot) = (default, null);
        try
        {
            using var stream = File.OpenRead(path);
            // Devices claim no length and have no end: one byte more than allowed tells. A length that is known saves the room.
            var buffer = new byte[stream.CanSeek && stream.Length > 0 && stream.Length <= most ? (int)stream.Length + 1 : most + 1];
            var length = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
            whyNot = length > most ? $"{path} is larger than {most} bytes" : length == buffer.Length ? $"{path} grows while it is read" : null;
            bytes = whyNot is null ? buffer.AsMemory(0, length) : default;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            whyNot = $"{path} cannot be read: {exception.Message}";
        }

        return whyNot is null;
    }
}

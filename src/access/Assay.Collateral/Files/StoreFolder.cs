namespace Assay.Collateral.Files;

/// <summary>A folder that somebody named: a wrong one is an error that names it, and never a folder without files.</summary>
internal static class StoreFolder
{
    /// <summary>Why its files cannot be listed, with its path; null when they can.</summary>
    public static string? WhyNot(string folder)
    {
        try
        {
            using var entries = Directory.EnumerateFileSystemEntries(folder).GetEnumerator();
            _ = entries.MoveNext();
            return null;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return File.Exists(folder) ? $"{folder} is a file, a folder is expected"
                : exception is UnauthorizedAccessException ? $"the folder {folder} cannot be read: access is denied"
                : $"the folder {folder} does not exist";
        }
    }

    /// <summary>Makes a folder where none is.</summary>
    /// <exception cref="IOException">Something else is there, or it cannot be made or read.</exception>
    public static void Create(string folder)
    {
        try
        {
            OwnFile.CreateFolder(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException(File.Exists(folder) ? $"{folder} is a file, a folder is expected" : $"the folder {folder} cannot be made: {exception.Message}", exception);
        }

        if (WhyNot(folder) is { } whyNot)
        {
            throw new IOException(whyNot);
        }
    }
}

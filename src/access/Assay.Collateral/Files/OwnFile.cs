namespace Assay.Collateral.Files;

/// <summary>
/// Files that the cache writes: its user writes, its group reads, others have nothing (0640, folders 0750). What is in them is signed and no
/// secret, but ids name chips and platforms.
/// </summary>
public static class OwnFile
{
    private const UnixFileMode FileMode0640 = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
    private const UnixFileMode FolderMode0750 = FileMode0640 | UnixFileMode.UserExecute | UnixFileMode.GroupExecute;

    /// <summary>Opens a file for writing, without a buffer.</summary>
    /// <param name="path">Where.</param>
    /// <param name="mode">Whether it may be there.</param>
    /// <param name="share">What others may do meanwhile.</param>
    /// <param name="access">What it is opened for.</param>
    public static FileStream Open(string path, FileMode mode, FileShare share = FileShare.None, FileAccess access = FileAccess.Write)
    {
        var options = new FileStreamOptions { Mode = mode, Access = access, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = FileMode0640;
        }

        return new FileStream(path, options);
    }

    /// <summary>Makes a folder, and those above it that are not there.</summary>
    public static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, FolderMode0750);
        }
    }
}

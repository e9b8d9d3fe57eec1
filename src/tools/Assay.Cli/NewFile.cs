using System.Security.Cryptography;

namespace Assay.Cli;

/// <summary>
/// A file that is there whole or not at all: written under another name in the same folder, on the disk before it gets its own, and never in
/// place of one that exists. Removed if it was not kept.
/// </summary>
internal sealed class NewFile : IDisposable
{
    private readonly string _path;
    private readonly string _written;
    private bool _isKept;

    private NewFile(string path, string written, FileStream stream) => (_path, _written, Stream) = (path, written, stream);

    public FileStream Stream { get; }

    /// <exception cref="IOException">There is a file already, or none can be written.</exception>
    public static NewFile Create(string path)
    {
        if (Path.Exists(path))
        {
            throw new IOException("the file exists, and is not overwritten: choose another name, or remove it");
        }

        var written = $"{path}.{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}.part";
        return new NewFile(path, written, new FileStream(written, new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0 }));
    }

    /// <summary>Gives it its name; its path.</summary>
    /// <exception cref="IOException">Another file has the name by now.</exception>
    public string Keep()
    {
        Stream.Flush(flushToDisk: true);
        Stream.Dispose();
        File.Move(_written, _path, overwrite: false);
        _isKept = true;
        return _path;
    }

    public void Dispose()
    {
        Stream.Dispose();
        if (!_isKept)
        {
            File.Delete(_written);
        }
    }
}

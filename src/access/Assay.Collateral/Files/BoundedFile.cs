using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using System.Text;
using Microsoft.Win32.SafeHandles;

namespace Assay.Collateral.Files;

/// <summary>
/// Files that are named to a program, or lie in folders that others may write to: never waited for, and read to a bound, whatever length
/// they claim.
/// </summary>
public static class BoundedFile
{
    // fcntl.h of Linux, x86-64 and Arm64: O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC.
    private const int ReadWithoutWaiting = 0x100 | 0x800 | 0x80000;
    private const int NoSuchFile = 2;
    private const int Interrupted = 4;
    private const int NoAccess = 13;
    private const int NoFolder = 20;

    /// <summary>Whether nothing stands there. What may not be looked at, a folder and a broken link are something.</summary>
    internal static bool IsAbsent(string path)
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

    /// <summary>
    /// Opens a file to read. A pipe or a socket is refused with an <see cref="IOException"/>: an ordinary open waits for whoever writes to it,
    /// which may be nobody. A device opens at once, and its readers have a bound.
    /// </summary>
    public static FileStream Open(string path)
    {
        // Also refuses what is not a path.
        var full = Path.GetFullPath(path);
        if (!OperatingSystem.IsLinux())
        {
            return File.OpenRead(full);
        }

        // Opened first and looked at afterwards: what is looked at before may be another file when it is opened.
        var handle = OpenWithoutWaiting(full);
        try
        {
            var stream = new FileStream(handle, FileAccess.Read, bufferSize: 0);
            return stream.CanSeek ? stream : throw new IOException("it is a pipe, a socket or a terminal, a file is expected");
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>The content, or why there is none.</summary>
    public static bool TryRead(string path, int most, out ReadOnlyMemory<byte> bytes, [NotNullWhen(false)] out string? whyNot)
    {
        (bytes, whyNot) = (default, null);
        try
        {
            using var stream = Open(path);
            // Devices claim no length and have no end: one byte more than allowed tells. A length that is known saves the room.
            var buffer = new byte[stream.Length > 0 && stream.Length <= most ? (int)stream.Length + 1 : most + 1];
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

    /// <summary>The lines of a file of one's own, however long it is. A device has none: its lines would not end.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    internal static IEnumerable<string> ReadLines(string path)
    {
        using var stream = OpenOwn(path);
        using var reader = new StreamReader(stream, Encoding.UTF8);
        while (stream.Length > 0 && reader.ReadLine() is { } line)
        {
            yield return line;
        }
    }

    private static FileStream OpenOwn(string path)
    {
        try
        {
            return Open(path);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"{path} cannot be read: {exception.Message}", exception);
        }
    }

    private static SafeFileHandle OpenWithoutWaiting(string path)
    {
        var name = Encoding.UTF8.GetBytes(path + '\0');
        int descriptor;
        do
        {
            descriptor = OpenDescriptor(name, ReadWithoutWaiting);
        }
        while (descriptor < 0 && Marshal.GetLastPInvokeError() == Interrupted);

        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : throw (Marshal.GetLastPInvokeError() switch
        {
            NoSuchFile or NoFolder => new FileNotFoundException("no such file", path),
            NoAccess => new UnauthorizedAccessException("access is denied"),
            var error => new IOException(Marshal.GetPInvokeErrorMessage(error)),
        });
    }

    [DllImport("libc", EntryPoint = "open", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static extern int OpenDescriptor(byte[] path, int flags);
}

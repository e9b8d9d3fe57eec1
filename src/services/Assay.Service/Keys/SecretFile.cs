using System.Security.Cryptography;

namespace Assay.Service.Keys;

/// <summary>
/// A file with a secret of the operator's, which a back-end logs in with. A service manager hands credentials over readable by a group (systemd by an access
/// list, which shows as one): others may not read, and none but the owner write.
/// </summary>
internal static class SecretFile
{
    private const int MostLine = 4096;
    private const UnixFileMode Forbidden = UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.GroupWrite;

    /// <summary>All of it. The caller wipes it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="member">The configuration's name for it.</param>
    /// <param name="id">The id of the fault.</param>
    /// <param name="what">What is in it, for the message.</param>
    /// <exception cref="ServiceException">It cannot be read, or others may read it.</exception>
    public static byte[] Read(string path, string member, string id, string what)
    {
        try
        {
            return OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & Forbidden) == 0 ? File.ReadAllBytes(path)
                : throw new ServiceException(id, $"{member} {path}: others than its owner may read or write it; chmod 600 it, and change the {what} if others had access");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new ServiceException(id, $"{member} {path}: it cannot be read: {exception.Message.TrimEnd('.')}", exception);
        }
    }

    /// <summary>Its one line. The caller wipes it.</summary>
    /// <exception cref="ServiceException">It cannot be read, others may read it, or it has no line or more than one.</exception>
    public static byte[] ReadLine(string path, string member, string id, string what, int most = MostLine)
    {
        var text = Read(path, member, id, what);
        var line = text.AsSpan().TrimEnd("\r\n"u8).ToArray();
        CryptographicOperations.ZeroMemory(text);
        return line.Length > 0 && line.Length <= most && !line.AsSpan().ContainsAny("\r\n"u8) ? line : throw new ServiceException(id, $"{member} {path}: one line with the {what} is expected");
    }
}

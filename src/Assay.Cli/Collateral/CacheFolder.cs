using System.Diagnostics.CodeAnalysis;

namespace Assay.Cli.Collateral;

/// <summary>A cache's folder held by one process: two would each write high-water marks that the other does not know, and lose some.</summary>
internal static class CacheFolder
{
    /// <summary>Holds it until the answer is disposed, or the process ends. Null for a cache in memory.</summary>
    public static bool TryHold(string? folder, out FileStream? held, [NotNullWhen(false)] out string? whyNot)
    {
        (held, whyNot) = (null, null);
        if (folder is null)
        {
            return true;
        }

        try
        {
            Directory.CreateDirectory(folder);
            held = new FileStream(Path.Combine(folder, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            whyNot = $"{folder}: another process holds it, or it cannot be written: {exception.Message}";
        }

        return held is not null;
    }
}

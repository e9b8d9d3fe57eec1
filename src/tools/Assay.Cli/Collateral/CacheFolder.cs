using System.Diagnostics.CodeAnalysis;
using Assay.Collateral;
using Assay.Collateral.Cache;
using Assay.Collateral.Files;
using Assay.Collateral.Items;
using Assay.Endorsements;
using Assay.Trust;

namespace Assay.Cli.Collateral;

/// <summary>
/// A cache's folder held by one process: two would each write high-water marks that the other does not know, and lose some. It also notes
/// the anchors that it was made under: under others everything in it would look forged.
/// </summary>
internal static class CacheFolder
{
    /// <summary>Another process has the folder, and nothing else is wrong.</summary>
    public const string InUse = "collateral.in-use";

    private const int MostNoteBytes = 1024;

    /// <summary>Holds it until the answer is disposed, or the process ends. Null for a cache in memory.</summary>
    public static bool TryHold(string? folder, TrustSet trust, out FileStream? held, [NotNullWhen(false)] out (string Id, string Message)? whyNot)
    {
        (held, whyNot) = (null, null);
        if (folder is null)
        {
            return true;
        }

        try
        {
            OwnFile.CreateFolder(folder);
            var path = Path.Combine(folder, "lock");
            var wasThere = File.Exists(path);
            try
            {
                held = OwnFile.Open(path, FileMode.OpenOrCreate, access: FileAccess.ReadWrite);
            }
            // What keeps an existing file from being opened by its owner is the lock of another process.
            catch (IOException exception) when (wasThere && exception is not (DirectoryNotFoundException or PathTooLongException))
            {
                whyNot = (InUse, $"{folder}: another process uses it, and only one may: stop it, or give another folder");
            }

            whyNot ??= WhyNotAnchors(Path.Combine(folder, "anchors"), $"{trust.Kind} {trust.Name}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            whyNot = ("collateral.store", $"{folder}: it cannot be written: {exception.Message}");
        }

        if (whyNot is not null)
        {
            held?.Dispose();
            held = null;
        }

        return held is not null;
    }

    /// <summary>The cache of a folder that is held, or in memory; null when its high-water marks cannot be read, which is told.</summary>
    public static CollateralCache? Open(ItemVerification verification, string? folder, ICollateralSource upstream)
    {
        try
        {
            return new CollateralCache(verification, folder, upstream, new CachePolicy(), TimeProvider.System, refreshes: false);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Output.Error("collateral.store", exception.Message);
            return null;
        }
    }

    // A note for people and no secret: whoever writes to the folder can deny, and nothing in it is believed by it.
    private static (string Id, string Message)? WhyNotAnchors(string note, string ours)
    {
        if (!File.Exists(note))
        {
            using var stream = OwnFile.Open(note, FileMode.CreateNew);
            stream.Write(System.Text.Encoding.UTF8.GetBytes(ours + "\n"));
            return null;
        }

        return !InputFile.TryRead(note, MostNoteBytes, out var bytes, out var whyNot) ? ("collateral.store", whyNot)
            : System.Text.Encoding.UTF8.GetString(bytes).Trim() is var theirs && theirs == ours ? null
            : ("collateral.anchors", $"{note}: the folder was made under the anchors \"{Printable.Of(theirs)}\", and these are \"{ours}\": give the same --anchors, or another folder (or remove that file, to use it under these from now on)");
    }
}

using System.Diagnostics.CodeAnalysis;
using Assay.Collateral;
using Assay.Collateral.Cache;
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
    private const int MostNoteBytes = 1024;

    /// <summary>Holds it until the answer is disposed, or the process ends. Null for a cache in memory.</summary>
    public static bool TryHold(string? folder, TrustSet trust, out FileStream? held, [NotNullWhen(false)] out string? whyNot)
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
            whyNot = WhyNotAnchors(Path.Combine(folder, "anchors"), $"{trust.Kind} {trust.Name}");
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            whyNot = $"{folder}: another process holds it, or it cannot be written: {exception.Message}";
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
    private static string? WhyNotAnchors(string note, string ours)
    {
        if (!File.Exists(note))
        {
            File.WriteAllText(note, ours + "\n");
            return null;
        }

        return !InputFile.TryRead(note, MostNoteBytes, out var bytes, out var whyNot) ? whyNot
            : System.Text.Encoding.UTF8.GetString(bytes).Trim() is var theirs && theirs == ours ? null
            : $"{note}: the folder was made under the anchors \"{Printable.Of(theirs)}\", and these are \"{ours}\": give the same --anchors, or another folder (or remove that file, to use it under these from now on)";
    }
}
